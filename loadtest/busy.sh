#!/usr/bin/env bash
# What five uploads at full speed do to chat: the latency of `loadtest chat` at a fixed rate on one
# server, quiet and while five clients send files without end, in turns.
#
#   loadtest/busy.sh [--mib 256] [--rounds 3] [--seconds 5] [--rate 1000] [--nice N]
#
# --nice gives the five senders that priority: on a machine with few cores they otherwise take them
# from the server, which senders on other machines would not.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=256 rounds=3 seconds=5 rate=1000 nice=0
while [ $# -gt 0 ]; do
  case $1 in
    --mib) mib=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --rate) rate=$2; shift 2 ;;
    --nice) nice=$2; shift 2 ;;
    *) sed -n '2,8p' "$0"; exit 2 ;;
  esac
done
cargo build --release --locked --quiet --workspace
parlor=$PWD/target/release/parlor loadtest=$PWD/target/release/loadtest
work=$(mktemp -d) server= senders=()
end() {
  rm -f "$work/go"
  for pid in "${senders[@]}" $server; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
for n in 1 2 3 4 5; do head -c $((mib * 1048576)) /dev/urandom > "$work/f$n.bin"; done
$parlor serve --listen 127.0.0.1:4798 --data "$work/data" --file-max 2GiB --message-rate 0 \
  --before-login 0 --files-user 64GiB > "$work/server.log" 2>&1 & server=$!
until grep -q 'listens on' "$work/server.log"; do :; done

# Each goes on with the next upload when one has come, and removes it, so that it is sent again.
keep_sending() {
  while [ -e "$work/go" ]; do
    number=$(nice -n "$nice" "$parlor" send 127.0.0.1:4798 --user "s$1" --shelf "$work/f$1.bin" 2>/dev/null | cut -d' ' -f1)
    echo "/remove $number" | $parlor chat 127.0.0.1:4798 --user "s$1" >/dev/null 2>&1
    echo x >> "$work/sent"
  done
}
measure() {
  "$loadtest" chat --addr 127.0.0.1:4798 --rooms 10 --clients 100 --rate "$rate" \
    --seconds "$seconds" --json > "$work/$1.json"
  grep -o '"latency_p[59][09]*_us": *[0-9]*' "$work/$1.json" | tr -d '"' | paste -sd' '
}
for round in $(seq "$rounds"); do
  echo "round $round quiet: $(measure quiet)"
  touch "$work/go"; : > "$work/sent"; senders=()
  for n in 1 2 3 4 5; do keep_sending $n & senders+=($!); done
  echo "round $round five uploads: $(measure busy), $(wc -l < "$work/sent") files of $mib MiB through"
  rm "$work/go"; wait "${senders[@]}"
done
