#!/usr/bin/env bash
# Parlor, the bare server, Redis, NATS and InspIRCd, each through the same scenarios, as one table.
#
# Every server is started anew for every run, on loopback and on one processor; the load test has
# another. What is started here is ended here, by its process id, whatever happens.
set -euo pipefail

usage() {
    cat <<USAGE
use: loadtest/peers.sh [options]
  --cases LIST       of: $ALL_CASES (default: all but idle)
  --peers LIST       of: $ALL_PEERS (default: all)
  --seconds N        how long each run speaks (default: 3)
  --rounds N         how often each is run; the middle round counts (default: 1)
  --server-cpu N     the processor of the server (default: 0)
  --own-cpu N        the processor of the load test (default: 1)
  --results FILE     keep the reports, a line each (default: thrown away)
  --picture FILE.svg draw the comparison
  --install          install what is missing from the Debian packages (needs root)
Lists are divided by commas. Build before: cargo build --release --workspace
USAGE
}

ALL_CASES=chat,fanout,fanout-1,direct,chat-4k,idle
ALL_PEERS=parlor,bare,redis,nats,irc
cases=chat,fanout,fanout-1,direct,chat-4k
peers=$ALL_PEERS
seconds=3 rounds=1 server_cpu=0 own_cpu=1 results='' picture='' install=no

while (($#)); do
    case $1 in
    --install) install=yes && shift && continue ;;
    -h | --help) usage && exit 0 ;;
    esac
    (($# >= 2)) || { usage >&2 && exit 2; }
    case $1 in
    --cases) cases=$2 ;;
    --peers) peers=$2 ;;
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    --server-cpu) server_cpu=$2 ;;
    --own-cpu) own_cpu=$2 ;;
    --results) results=$2 ;;
    --picture) picture=$2 ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift 2
done

# What each case asks of the load test.
arguments() {
    case $1 in
    chat) echo chat --clients 1000 --rooms 100 --size 64 --window 4 ;;
    fanout) echo fanout --clients 1000 --size 64 --window 4 ;;
    fanout-1) echo fanout --clients 1000 --size 64 --window 1 ;;
    direct) echo direct --clients 1000 --size 64 --window 1 ;;
    chat-4k) echo chat --clients 100 --rooms 10 --size 4KiB --window 4 ;;
    idle) echo idle --clients 1000 --rooms 100 ;;
    *) echo "peers.sh: no such case: $1" >&2 && return 1 ;;
    esac
}

here=$(cd "$(dirname "$0")/.." && pwd)
loadtest=${LOADTEST:-$here/target/release/loadtest}
[[ -x $loadtest ]] || { echo "peers.sh: first: cargo build --release --workspace" >&2 && exit 1; }

work=$(mktemp -d)
server=''
end_server() {
    [[ -n $server ]] || return 0
    kill "$server" 2>/dev/null || true
    # InspIRCd says good bye to everybody first; nobody waits longer than this for it.
    for _ in {1..50}; do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=''
}
trap 'end_server; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
ulimit -n "$(ulimit -Hn)"

package() {
    case $1 in
    redis) echo redis-server ;;
    nats) echo nats-server ;;
    irc) echo inspircd ;;
    esac
}

program() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$(package "$1")"; }

install_missing() {
    local missing=() peer
    for peer in ${peers//,/ }; do
        [[ $peer == parlor || $peer == bare ]] && continue
        program "$peer" >/dev/null || missing+=("$(package "$peer")")
    done
    ((${#missing[@]})) || return 0
    if [[ $install == no ]]; then
        echo "peers.sh: missing: ${missing[*]}; install them or add --install" >&2
        exit 1
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the ports that the load test takes for its clients.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((10000 + RANDOM % 10000))
        listens "$port" || { echo "$port" && return; }
    done
    return 1
}

# No throttling, no look-ups, room for all: every limit here is one that a flood would meet.
irc_config() {
    cat <<CONFIG
<config format="xml">
<server name="irc.test" description="test" network="test" id="1AA">
<admin name="test" nick="test" email="test@irc.test">
<bind address="127.0.0.1" port="$1" type="clients">
<connect name="all" allow="*" timeout="60" pingfreq="600" localmax="100000" globalmax="100000"
  maxconnwarn="no" limit="100000" resolvehostnames="no" useident="no" useconnectban="no"
  fakelag="no" threshold="4000000" commandrate="2000000000" recvq="16777216"
  softsendq="268435456" hardsendq="1073741824" maxchans="100">
<performance netbuffersize="65534" somaxconn="4096" softlimit="100000" quietbursts="yes"
  clonesonconnect="no" nouserdns="yes">
<options defaultmodes="" splitwhois="no">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="$work/irc.log">
CONFIG
}

start() {
    local peer=$1 port=$2 on=(taskset -c "$server_cpu") path
    path=$(program "$peer")
    case $peer in
    redis)
        "${on[@]}" "$path" --bind 127.0.0.1 --port "$port" --dir "$work" --save '' \
            --protected-mode no --appendonly no --io-threads 1 --maxclients 60000 --tcp-backlog 4096 \
            --loglevel warning --client-output-buffer-limit 'pubsub 1gb 1gb 0' &
        ;;
    nats) "${on[@]}" "$path" --addr 127.0.0.1 --port "$port" --log "$work/nats.log" & ;;
    irc)
        irc_config "$port" >"$work/irc.conf"
        "${on[@]}" "$path" --nofork --nopid --runasroot --config "$work/irc.conf" &
        ;;
    esac >"$work/$peer.out" 2>&1
    server=$!
    for _ in {1..100}; do
        listens "$port" && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    echo "peers.sh: $peer does not listen:" >&2
    cat "$work/$peer.out" >&2
    exit 1
}

reports=$work/results
: >"$reports"

run() {
    local case=$1 peer=$2 port target words report
    words=$(arguments "$case")
    case $peer in
    parlor) target=(--server "$(dirname "$loadtest")/parlor" --server-cpu "$server_cpu") ;;
    bare) target=(--bare --server-cpu "$server_cpu") ;;
    redis | nats | irc)
        port=$(free_port)
        start "$peer" "$port"
        target=(--against "$peer://127.0.0.1:$port" --pid "$server")
        ;;
    *) echo "peers.sh: no such peer: $peer" >&2 && exit 1 ;;
    esac
    echo "peers.sh: $case, $peer" >&2
    # Words of options without spaces in them.
    # shellcheck disable=SC2086
    report=$(timeout $((seconds + 60)) "$loadtest" $words --seconds "$seconds" \
        "${target[@]}" --own-cpu "$own_cpu" --json) || true
    end_server
    echo "{\"case\":\"$case\",\"peer\":\"$peer\",\"report\":${report:-null}}" >>"$reports"
}

install_missing
for case in ${cases//,/ }; do
    for ((round = 0; round < rounds; round++)); do
        # In turn, so that a moment in which the machine is busy meets all of them.
        for peer in ${peers//,/ }; do
            # 4 KiB do not fit a line of IRC.
            [[ $case == chat-4k && $peer == irc ]] && continue
            run "$case" "$peer"
        done
    done
done
[[ -z $results ]] || cp "$reports" "$results"
"$loadtest" compare "$reports" ${picture:+"$picture"}
