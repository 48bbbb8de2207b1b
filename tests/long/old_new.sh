#!/usr/bin/env bash
# The ten scenarios of tests/walk.sh with the client of an earlier Parlor at this server, and with
# this client at the earlier server: whoever updates one of the two first loses nothing.
#
#     tests/long/old_new.sh [COMMIT]
#
# COMMIT is the last one before users had several sessions, unless you name another. Both are built
# below target/old, which takes some minutes the first time. Ends with 1 when a scenario fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=${1:-3b15a73}
out=$PWD/target/old
tree=$out/$(git rev-parse --short "$commit^{commit}")
if [ ! -e "$tree" ]; then
    git clone --quiet --no-checkout --shared . "$tree"
    git -C "$tree" checkout --quiet --detach "$commit"
fi
cargo build --quiet --locked
(cd "$tree" && CARGO_TARGET_DIR=$out/target cargo build --quiet --locked)
old=$out/target/debug/parlor
new=${CARGO_TARGET_DIR:-$PWD/target}/debug/parlor

# A binary that is one of the two as a server and the other one as a client.
mix() { # SERVER CLIENT
    printf '#!/bin/sh\ncase $1 in serve) exec "%s" "$@" ;; *) exec "%s" "$@" ;; esac\n' "$1" "$2"
}
mix "$new" "$old" >"$out/old-client"
mix "$old" "$new" >"$out/new-client"
chmod +x "$out/old-client" "$out/new-client"
failed=0
for which in old-client new-client; do
    echo "== $which"
    PARLOR=$out/$which tests/walk.sh --go >"$out/$which.log" 2>&1 || failed=1
    sed -n '/^Summary/,$p' "$out/$which.log"
done
exit $failed
