#!/usr/bin/env bash
# How long a file takes through Parlor, up and down, against the same file piped through two `nc`
# into a file that is then synced: on one disk, in turns, in one run. Prints seconds and ratios.
#
#   loadtest/files.sh [--mib 1024] [--rounds 3] [--credits "256KiB"] [--dir DIR]
#
# Needs nc (Debian: netcat-openbsd; --install fetches it) and a release build, which it makes.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=1024 rounds=3 credits=256KiB dir=
while [ $# -gt 0 ]; do
  case $1 in
    --mib) mib=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --credits) credits=$2; shift 2 ;;
    --dir) dir=$2; shift 2 ;;
    --install) apt-get install -y -q netcat-openbsd >/dev/null; shift ;;
    *) sed -n '2,7p' "$0"; exit 2 ;;
  esac
done
command -v nc >/dev/null || { echo "nc is missing: install netcat-openbsd, or say --install" >&2; exit 2; }
cargo build --release --locked --quiet
parlor=$PWD/target/release/parlor
work=$(mktemp -d ${dir:+-p "$dir"})
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
head -c $((mib * 1048576)) /dev/urandom > "$work/big.bin"
sum=$(sha256sum < "$work/big.bin")

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { print to - from }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }

through_nc() {
  rm -f "$work/nc.out"; sync
  local begun; begun=$(now)
  (nc -l 127.0.0.1 4796 > "$work/nc.out"; sync "$work/nc.out") & local receiver=$!
  until nc -N 127.0.0.1 4796 < "$work/big.bin" 2>/dev/null; do :; done
  wait $receiver
  since "$begun"
}

printf '%-10s %-7s %8s %8s %8s %8s %8s\n' credit round nc up ratio down ratio
for credit in $credits; do
  for round in $(seq "$rounds"); do
    rm -rf "$work/data" "$work/out"; mkdir -p "$work/out"
    $parlor serve --listen 127.0.0.1:4797 --data "$work/data" --file-max 4GiB \
      --upload-credit "$credit" > "$work/server.log" 2>&1 & server=$!
    until grep -q 'listens on' "$work/server.log"; do :; done
    nc=$(through_nc); sync
    begun=$(now)
    $parlor send 127.0.0.1:4797 --user alice --shelf "$work/big.bin" >"$work/up.log" 2>&1
    up=$(since "$begun"); sync
    begun=$(now)
    $parlor get 127.0.0.1:4797 --user bob big.bin --output "$work/out/" >"$work/down.log" 2>&1
    down=$(since "$begun")
    [ "$(sha256sum < "$work/out/big.bin")" = "$sum" ] || { echo "not the same file" >&2; exit 1; }
    peak=$(awk '/VmHWM/ { print $2 }' "/proc/$server/status")
    kill -INT $server; wait $server || true; server=
    printf '%-10s %-7s %8.2f %8.2f %8.2f %8.2f %8.2f   server peak %s kB\n' "$credit" "$round" \
      "$nc" "$up" "$(ratio "$up" "$nc")" "$down" "$(ratio "$down" "$nc")" "$peak"
  done
done
