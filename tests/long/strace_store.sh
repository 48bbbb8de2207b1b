#!/bin/sh
# Runs the real server under strace, which makes an fsync of its store fail with EIO: the third one,
# and then each seventh. Whispers numbered letters to somebody who is away, kills the server with
# SIGKILL, starts it again without strace, and compares: what was answered `kept` is there, once and
# in order; what was refused is not; and the server lived on after each fault.
#
#     tests/long/strace_store.sh [PATH-TO-PARLOR]
#
# Needs strace and python3. All traffic stays on loopback.
set -eu

cd "$(dirname "$0")/../.."
parlor=${1:-target/debug/parlor}
[ -x "$parlor" ] || cargo build
for tool in strace python3; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing: apt-get install $tool" >&2
        exit 1
    }
done
exec python3 tests/long/strace_store.py "$parlor"
