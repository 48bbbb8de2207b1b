#!/usr/bin/env bash
# The ten scenarios, one after the other, to watch: the real server, real clients, the real log.
#
#   tests/walk.sh              stops after each scenario and waits for ENTER
#   tests/walk.sh --go         does not wait
#   tests/walk.sh 3 10         plays only these
#
# Each scenario says what you are to see, shows what is typed (>), what people read (|) and what the
# server logs, and stops at the first thing that does not come. At the end there is a summary; the
# exit code is 0 if everything was seen, and 1 if not.
#
# PARLOR names the binary; without it, one is built. PARLOR_CLIENT names another one for the clients
# (tests/long/old_new.sh), and WORDS is a script for sed that turns what is expected into the words of
# an old server. PATIENCE is how many seconds a line may take.
set -u -o pipefail

cd "$(dirname "$0")/.." || exit 1
PATIENCE=${PATIENCE:-20}
WAITS=yes
CHOSEN=()
for arg in "$@"; do
    case $arg in
        --go) WAITS=no ;;
        [1-9] | 10) CHOSEN+=("$arg") ;;
        *) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    esac
done
((${#CHOSEN[@]})) || CHOSEN=(1 2 3 4 5 6 7 8 9 10)
if [ -z "${PARLOR:-}" ]; then
    cargo build --release --locked --quiet || exit 1
    PARLOR=${CARGO_TARGET_DIR:-target}/release/parlor
fi
PARLOR=$(realpath "$PARLOR") || exit 1
CLIENT=$(realpath "${PARLOR_CLIENT:-$PARLOR}") || exit 1
# Nothing of yours is used or changed.
while IFS= read -r name; do unset "$name"; done < <(compgen -e PARLOR_)
BOLD='' DIM='' PLAIN=''
if [ -t 1 ]; then BOLD=$'\e[1m' DIM=$'\e[2m' PLAIN=$'\e[0m'; fi

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# --- What a scenario is made of -----------------------------------------------------------------

# The processes of a scenario, and who of them is called what.
declare -A PID INPUT SEEN
DATA='' LOG='' ADDR=''

# Says what is done.
step() { printf '  %s\n' "$*"; }

# Ends the scenario: something was not as it should be.
wrong() {
    printf '  %sWRONG: %s%s\n' "$BOLD" "$*" "$PLAIN"
    exit 1
}

# Starts a server with these options on a free port, on data of its own.
server() {
    DATA=$PWD/data LOG=$PWD/data/parlor.log
    step "\$ parlor serve${*:+ $*}"
    : >server.out
    "$PARLOR" serve --listen 127.0.0.1:0 --data "$DATA" "$@" >server.out 2>&1 &
    PID[server]=$!
    SEEN[server]=0 SEEN[log]=0
    local line
    line=$(await server.out 0 ' listens on ') || wrong "the server did not start: $(cat server.out)"
    line=${line#*:}
    ADDR=${line##* }
}

# Starts a client in a folder of its own.
chat() { # NAME [OPTIONS]
    local name=$1
    shift
    mkdir -p "$name/files"
    mkfifo "$name/in"
    local fd
    : >"$name/out"
    exec {fd}<>"$name/in"
    INPUT[$name]=$fd SEEN[$name]=0
    (
        cd "$name" || exit 1
        exec "$CLIENT" chat "$ADDR" --user "${USER_NAME:-$name}" --no-reconnect "$@" <in >out 2>&1
    ) &
    PID[$name]=$!
    step "\$ parlor chat --user ${USER_NAME:-$name}${*:+ $*}"
}

# Connects as somebody with netcat does, and logs in.
netcat() { # NAME
    local name=$1 fd
    mkdir "$name"
    : >"$name/out"
    exec {fd}<>"/dev/tcp/${ADDR%:*}/${ADDR##*:}"
    INPUT[$name]=$fd SEEN[$name]=0
    cat <&"$fd" >"$name/out" &
    PID[$name]=$!
    printf '/login %s\n' "$name" >&"$fd"
    sees_quietly "$name" "welcome, $name"
}

# Ends the connection of somebody with netcat.
hangs_up() { # NAME
    local fd=${INPUT[$1]}
    kill -9 "${PID[$1]}"
    exec {fd}>&-
}

# Types a line for somebody.
types() { # NAME LINE
    printf '  %s%-8s>%s %s\n' "$DIM" "$1" "$PLAIN" "$2"
    types_quietly "$@"
}

types_quietly() { printf '%s\n' "$2" >&"${INPUT[$1]}"; }

# Waits for a line of a file that has a text, after line number FROM; prints NUMBER:LINE.
await() { # FILE FROM TEXT
    local end=$((SECONDS + PATIENCE)) found text=$3
    [ -z "${WORDS:-}" ] || text=$(sed "$WORDS" <<<"$3")
    while :; do
        found=$(TEXT=$text awk -v from="$2" '
            NR > from && index($0, ENVIRON["TEXT"]) { sub(/\r$/, ""); print NR ":" $0; exit }' "$1")
        [ -n "$found" ] && break
        ((SECONDS < end)) || return 1
        sleep 0.02
    done
    printf '%s\n' "$found"
}

# Waits until somebody reads a line with this text, after what they have read so far.
sees() { # NAME TEXT
    sees_quietly "$@"
    printf '  %s%-8s|%s %s\n' "$DIM" "$1" "$PLAIN" "$LINE"
}

sees_quietly() {
    local found
    found=$(await "$1/out" "${SEEN[$1]}" "$2") || wrong "$1 does not see: $2"
    SEEN[$1]=${found%%:*}
    LINE=${found#*:}
}

# Waits for a line of the log, after those that were looked at, and shows it.
logs() { # TEXT
    local found
    found=$(await "$LOG" "${SEEN[log]}" "$1") || wrong "the log does not say: $1"
    SEEN[log]=${found%%:*}
    LINE=${found#*:}
    printf '  %slog     | %s%s\n' "$DIM" "$LINE" "$PLAIN"
}

# How many lines of a file have this text.
count() { TEXT=$2 awk 'index($0, ENVIRON["TEXT"]) { n++ } END { print n + 0 }' "$1"; }

# Somebody has read, or the log has, so many lines with this text, and no more.
counts() { # FILE TEXT NUMBER
    local found
    found=$(count "$1" "$2")
    [ "$found" = "$3" ] || wrong "$1 has $found lines with \"$2\", not $3"
}

# Two files are equal.
same() { # FILE FILE
    cmp "$1" "$2" || wrong "$2 is not what was sent"
    step "$2: $(wc -c <"$2") bytes, the same as $1"
}

# Somebody ends with this exit code.
ends() { # NAME CODE
    local code=0 end=$((SECONDS + PATIENCE))
    while kill -0 "${PID[$1]}" 2>/dev/null; do
        ((SECONDS < end)) || wrong "$1 does not end"
        sleep 0.02
    done
    wait "${PID[$1]}" || code=$?
    unset "PID[$1]"
    [ "$code" = "$2" ] || wrong "$1 ends with exit code $code, not $2"
    step "$1 ends with exit code $code"
}

# A file of SIZE bytes that look like nothing.
noise() { # FILE SIZE
    head -c "$2" /dev/urandom >"$1"
}

# The bytes of a file that a transfer waits for, as text lines carry them.
pours() { # NAME NUMBER FILE
    step "$1 sends the bytes of number $2"
    printf '/chunk %s %s\n' "$2" "$(base64 -w0 "$3")" >&"${INPUT[$1]}"
}

end_all() {
    local name
    for name in "${!PID[@]}"; do kill -9 "${PID[$name]}" 2>/dev/null; done
    wait 2>/dev/null
}

# --- The scenarios ------------------------------------------------------------------------------

title_1='Thirty clients at once join rooms and talk'
hint_1='Thirty clients log in at the same time, fifteen to a room, and each says ten lines. Everybody
hears each line of their room once and in order, and no line of the other room.'
scenario_1() {
    server
    local n m name room
    for n in {10..39}; do chat "user$n" >/dev/null; done
    step "30 times: \$ parlor chat --user userNN"
    for n in {10..39}; do sees_quietly "user$n" "welcome, user$n"; done
    for n in {10..39}; do types_quietly "user$n" "/join room$((n % 2))"; done
    for n in {10..39}; do sees_quietly "user$n" "you are in room$((n % 2))"; done
    types user10 '/who room0'
    sees user10 '15 in room0'
    logs '(15/15 clients)'
    for m in {0..9}; do
        for n in {10..39}; do types_quietly "user$n" "line $m"; done
    done
    step 'each says ten lines'
    local heard=0
    for n in {10..39}; do
        name=user$n room=room$((n % 2))
        local end=$((SECONDS + PATIENCE))
        until [ "$(count "$name/out" ': line ')" -ge 140 ] || ((SECONDS >= end)); do sleep 0.02; done
        heard=$((heard + $(ROOM="[$room] " awk '
            (at = index($0, ": line ")) && (from = index($0, ENVIRON["ROOM"])) && from < at {
                who = substr($0, from, at - from)
                if (substr($0, at + 7) + 0 != next_of[who]++) exit
                heard++
            }
            END { print heard + 0 }' "$name/out")))
        counts "$name/out" ': line ' 140
    done
    logs '(sent to 14/14 clients)'
    [ "$heard" = 4200 ] || wrong "$heard of 4200 lines were heard in order"
    step "$heard of 4200 lines were heard, each once and in order"
    counts "$LOG" '(sent to 14/14 clients)' 300
}

title_2='A name in use is refused'
hint_2='A second client asks for the name of the first. It is refused, takes another name on the same
connection, and the first one notices nothing.'
scenario_2() {
    server
    chat alice
    sees alice 'welcome, alice'
    USER_NAME=ALICE chat second
    sees second 'in use'
    logs 'refused: ALICE is in use'
    types second '/login alice2'
    sees second 'welcome, alice2'
    logs '[LOGIN] alice2'
    types alice '/whisper alice2 I am still alice'
    sees second 'I am still alice'
}

title_3='Ten uploads at once, five slots'
hint_3='Ten people hand a file to bob at once. Five get a slot, five wait at the places 1 to 5; each
upload that ends lets the next one in. All ten files arrive.'
scenario_3() {
    server
    chat bob --accept-files files
    sees bob 'welcome, bob'
    local n
    for n in {0..9}; do
        netcat "sender$n"
        noise "sender$n/file$n" 3000
        types "sender$n" "/sendfile file$n bob 3000"
        if ((n < 5)); then
            sees "sender$n" 'has a slot'
        else
            sees "sender$n" "at place $((n - 4))"
        fi
    done
    logs '[5/5]'
    types bob /queue
    sees bob '5 of 5 slots in use, 5 waiting'
    counts "$LOG" 'Added: ' 5
    for n in {0..9}; do
        pours "sender$n" $((n + 1)) "sender$n/file$n"
        sees "sender$n" 'bob downloaded'
    done
    logs 'Added: sender9 -> bob'
    types bob /queue
    sees bob '0 of 5 slots in use, 0 waiting'
    counts "$LOG" 'Added: ' 10
    counts "$LOG" '[6/5]' 0
    for n in {0..9}; do same "sender$n/file$n" "bob/files/file$n"; done
}

title_4='A client is killed without goodbye'
hint_4='alice is in the lobby when her client is killed; carl has the only upload slot when his line breaks.
bob is told once that alice left, her name is free, and the slot goes to dora, who waited for it.'
scenario_4() {
    server --upload-slots 1
    local name
    for name in alice bob; do
        chat "$name" --accept-files files
        sees "$name" "welcome, $name"
        types "$name" '/join lobby'
        sees "$name" 'you are in lobby'
    done
    netcat dora
    netcat carl
    types carl '/sendfile his bob 3000'
    sees carl ': go, '
    noise theirs 3000
    types dora '/sendfile theirs bob 3000'
    sees dora 'at place 1'
    kill -9 "${PID[alice]}"
    step 'alice is killed (kill -9)'
    sees bob '[lobby] alice left'
    logs "[LEAVE] User 'alice' left room 'lobby'"
    logs '[DISCONNECT] alice'
    hangs_up carl
    step "carl's connection breaks"
    logs '[DISCONNECT] carl'
    sees dora ': go, '
    pours dora 2 theirs
    sees dora 'bob downloaded'
    same theirs bob/files/theirs
    USER_NAME=alice chat again
    sees again 'welcome, alice'
    counts bob/out '[lobby] alice left' 1
}

title_5='Switching rooms'
hint_5='alice goes from red to blue without leaving first. red is told that she left, blue that she
came; she hears blue from then on, and red no more.'
scenario_5() {
    server
    local name
    for name in alice bob carol; do
        chat "$name"
        sees "$name" "welcome, $name"
    done
    types alice '/join red'
    sees alice 'you are in red'
    types bob '/join red'
    sees bob 'you are in red'
    types carol '/join blue'
    sees carol 'you are in blue'
    types alice '/join blue'
    sees bob '[red] alice left'
    sees carol '[blue] alice joined'
    logs "[LEAVE] User 'alice' left room 'red' (1 clients remaining)"
    logs "[JOIN] User 'alice' joined room 'blue' (2/15 clients)"
    types bob 'is anybody in red?'
    types alice 'hello, blue'
    sees carol '[blue] alice: hello, blue'
    types bob '/join blue'
    sees alice '[blue] bob joined'
    counts alice/out 'is anybody in red?' 0
    counts bob/out 'hello, blue' 0
    step 'alice heard nothing of red, bob nothing of blue'
}

title_6='A file over the limit'
hint_6='The largest file may be 100 KiB. One byte more is refused before any of it is sent; exactly
100 KiB arrive.'
scenario_6() {
    server --file-max 100KiB
    chat bob --accept-files files
    sees bob 'welcome, bob'
    noise over.bin 102401
    noise exact.bin 102400
    sends alice 3 over.bin
    logs 'Refused: alice -> bob (over.bin, 102401 bytes)'
    counts "$LOG" 'Added: ' 0
    [ -z "$(ls "$DATA/temp" "$DATA/files" | grep -v :)" ] || wrong 'something of it is on the disk'
    sends alice 0 exact.bin
    logs 'Delivered: alice -> bob (exact.bin, 102400 bytes)'
    same exact.bin bob/files/exact.bin
    counts bob/out over.bin 0
}

# A command that hands files to bob, which ends with this code.
sends() { # NAME CODE FILE
    local code=0
    step "\$ parlor send --user $1 --to bob $3"
    "$CLIENT" send "$ADDR" --user "$1" --to bob "$3" >sent 2>&1 || code=$?
    sed 's/^/           /' sent
    [ "$code" = "$2" ] || wrong "exit code $code, not $2"
    step "exit code $code"
}

title_7='SIGINT with clients connected'
hint_7='Ten clients are connected when the server gets SIGINT. Each is told, none has to be killed, and
the server ends with 0.'
scenario_7() {
    server
    local n
    for n in {0..9}; do
        chat "user$n" >/dev/null
        sees_quietly "user$n" "welcome, user$n"
        types_quietly "user$n" '/join lobby'
        sees_quietly "user$n" 'you are in lobby'
    done
    step '10 clients are in the lobby; SIGINT to the server'
    kill -INT "${PID[server]}"
    sees user0 'the server shuts down'
    ends user0 4
    for n in {1..9}; do
        sees_quietly "user$n" 'the server shuts down'
        ends "user$n" 4 >/dev/null
    done
    step 'the other nine as well'
    ends server 0
    logs '[SHUTDOWN] saying goodbye to 10 connections'
    logs '[SHUTDOWN] Stopped: connections 0'
    counts "$LOG" ': the server shuts down' 10
}

title_8='Leaving and coming back'
hint_8='alice leaves the room, hears nothing of it, and comes back. When the last one leaves, the room
is gone; the next one to join makes it anew.'
scenario_8() {
    server
    local name
    for name in alice bob; do
        chat "$name"
        sees "$name" "welcome, $name"
        types "$name" '/join lobby'
        sees "$name" 'you are in lobby'
    done
    types alice /leave
    sees alice 'you left lobby'
    sees bob '[lobby] alice left'
    types bob 'while you are away'
    logs '(sent to 0/0 clients)'
    types alice '/join lobby'
    sees alice 'you are in lobby: alice, bob'
    types bob 'here you are'
    sees alice '[lobby] bob: here you are'
    counts alice/out 'while you are away' 0
    types bob /leave
    types alice /leave
    logs "[ROOM] Room 'lobby' is gone"
    types alice '/join lobby'
    logs "[ROOM] User 'alice' made room 'lobby'"
    sees alice 'you left lobby'
    sees alice 'you are in lobby: alice'
}

title_9='Three senders, one file name, one receiver'
hint_9='Three people send bob a report.pdf each, at once. All three arrive, and none takes the place of
another.'
scenario_9() {
    server
    chat bob --accept-files files
    sees bob 'welcome, bob'
    local n
    for n in 1 2 3; do
        mkdir "sender$n"
        noise "sender$n/report.pdf" $((20000 + n))
        step "\$ parlor send --user sender$n --to bob report.pdf &"
        "$CLIENT" send "$ADDR" --user "sender$n" --to bob "sender$n/report.pdf" >"sender$n/out" 2>&1 &
        PID[sender$n]=$!
    done
    for n in 1 2 3; do ends "sender$n" 0; done
    for n in 1 2 3; do logs 'Delivered: '; done
    local saved
    saved=$(ls bob/files)
    [ "$saved" = $'report (1).pdf\nreport (2).pdf\nreport.pdf' ] || wrong "bob has: $saved"
    for n in 1 2 3; do
        same "sender$n/report.pdf" "bob/files/$(cd bob/files && by_size $((20000 + n)))"
    done
}

# The file here of so many bytes.
by_size() { find . -type f -size "$1c" -printf '%f\n'; }

title_10='Waiting time in the queue'
hint_10='There is one slot. The second sender waits about a second for it, and is told so when the upload
is admitted; the queue and the log tell the same.'
scenario_10() {
    server --upload-slots 1
    chat bob --accept-files files
    sees bob 'welcome, bob'
    netcat first
    netcat second
    noise one 3000
    noise two 3000
    types first '/sendfile one bob 3000'
    sees first ': go, waited 0.0 s'
    logs 'Added: first -> bob (one, 3000 bytes) [1/1] waited 0.000 s'
    types second '/sendfile two bob 3000'
    sees second 'at place 1'
    logs 'Waiting: second -> bob (two, 3000 bytes) place 1 of 1'
    sleep 1
    types second /queue
    sees second 'place 1, waiting '
    tenths "${LINE##*waiting }"
    local shown=$TENTHS
    ((shown >= 9)) || wrong 'less than 0.9 s'
    pours first 1 one
    sees second ': go, waited '
    tenths "${LINE##*waited }"
    local told=$TENTHS
    logs 'Added: second -> bob (two, 3000 bytes) [1/1] waited '
    tenths "${LINE##*waited }"
    ((told >= shown)) || wrong 'less than the queue had said'
    ((TENTHS == told)) || wrong 'the log tells another time'
    pours second 2 two
    sees second 'bob downloaded'
    same two bob/files/two
}

# `1.234 s` in tenths of a second.
tenths() {
    local seconds=${1%% *}
    local part=${seconds#*.}
    TENTHS=$((${seconds%%.*} * 10 + ${part:0:1}))
}

# --- The run ------------------------------------------------------------------------------------

FAILED=0
declare -A RESULT TOOK
for n in "${CHOSEN[@]}"; do
    title=title_$n hint=hint_$n
    printf '\n%s%s. %s%s\n%s\n\n' "$BOLD" "$n" "${!title}" "$PLAIN" "${!hint}"
    began=${EPOCHREALTIME/[.,]/}
    mkdir "$WORK/$n"
    (
        cd "$WORK/$n" || exit 1
        trap end_all EXIT
        "scenario_$n"
    )
    RESULT[$n]=$([ $? = 0 ] && echo seen || echo WRONG)
    TOOK[$n]=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
    [ "${RESULT[$n]}" = seen ] || FAILED=$((FAILED + 1))
    printf '\n  %s%s: %s%s\n' "$BOLD" "$n" "${RESULT[$n]}" "$PLAIN"
    if [ "$WAITS" = yes ] && [ "$n" != "${CHOSEN[-1]}" ]; then
        read -r -p '  ENTER goes on, Ctrl-C ends. ' || WAITS=no
    fi
done

printf '\n%sSummary%s\n' "$BOLD" "$PLAIN"
for n in "${CHOSEN[@]}"; do
    title=title_$n
    printf '%4s. %-44s %-6s %6d ms\n' "$n" "${!title}" "${RESULT[$n]}" "${TOOK[$n]}"
done
printf '%d of %d as they should be\n' $((${#CHOSEN[@]} - FAILED)) ${#CHOSEN[@]}
((FAILED == 0))
