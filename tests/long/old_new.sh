#!/usr/bin/env bash
# The ten scenarios with an old client against the new server, and with the new client against an
# old server: version 1 of the protocol gains fields and messages, and loses nothing.
#
#   tests/long/old_new.sh              the old one is the last commit before a user had sessions
#   tests/long/old_new.sh COMMIT       or another one
#
# Builds both under target/old-new (some minutes the first time). Ends with 1 if a scenario fails.
set -eu -o pipefail

cd "$(dirname "$0")/../.."
OLD=$(git rev-parse --verify "${1:-d652e94}^{commit}")
FOLDER=$PWD/target/old-new
TREE=$FOLDER/$OLD
mkdir -p "$FOLDER"
[ -d "$TREE" ] || { mkdir "$TREE" && git archive "$OLD" | tar -x -C "$TREE"; }
(cd "$TREE" && CARGO_TARGET_DIR=$FOLDER/target cargo build --release --locked --quiet --bin parlor)
cp "$FOLDER/target/release/parlor" "$TREE/parlor-old"
cargo build --release --locked --quiet --bin parlor
NEW=${CARGO_TARGET_DIR:-target}/release/parlor

code=0
echo "== an old client ($OLD), the new server"
PARLOR=$NEW PARLOR_CLIENT=$TREE/parlor-old tests/walk.sh --go || code=1
echo "== the new client, an old server ($OLD)"
# The old server says some things in other words to people with netcat, and in its log.
WORDS='s/bob downloaded/bob has taken/; s/saying goodbye to 10 conn/telling 10 conn/' \
    PARLOR=$TREE/parlor-old PARLOR_CLIENT=$NEW tests/walk.sh --go || code=1
exit $code
