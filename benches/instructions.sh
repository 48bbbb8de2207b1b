#!/usr/bin/env bash
# Instructions that each operation of the benches takes, counted under valgrind: the same number on
# a busy machine and on an idle one, so that a difference of one per cent is a difference.
#
# Each operation runs twice, some times and some more times; the difference is what it takes, without
# the setting up. Instructions are no time: what misses the cache or enters the kernel is not in them.
set -euo pipefail

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    echo "use: benches/instructions.sh [WORD]     only operations whose name contains WORD"
    exit 0
fi
if ! command -v valgrind >/dev/null; then
    echo "instructions.sh: valgrind is missing. Install the package valgrind, on Debian and Ubuntu:" >&2
    echo "    sudo apt-get install valgrind" >&2
    exit 1
fi
cd "$(dirname "$0")/.."
cargo build --quiet --release --example instructions
program=${CARGO_TARGET_DIR:-target}/release/examples/instructions

few=20 many=220

# All instructions of a run, the setting up included.
count() {
    valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
        "$program" "$1" "$2" 2>&1 >/dev/null | sed -n 's/.*I *refs: *//p' | tr -d ,
}

printf '%-36s %14s %14s\n' operation instructions 'a delivery'
"$program" | while IFS=$'\t' read -r name deliveries; do
    [[ $name == *"${1:-}"* ]] || continue
    each=$((($(count "$name" $many) - $(count "$name" $few)) / (many - few)))
    share=-
    ((deliveries > 0)) && share=$((each / deliveries))
    printf '%-36s %14d %14s\n' "$name" "$each" "$share"
done
