#!/bin/sh
# Runs the real server under strace, which makes one system call in so many fail with an errno, for
# each of 12 errnos and 6 calls; talks to it meanwhile, and checks that it neither crashes nor
# leaks, and that it serves a newcomer when the faults are over.
#
#     tests/long/strace_faults.sh [PATH-TO-PARLOR]
#
# Needs strace (installed with apt-get if it is missing) and python3. All traffic stays on loopback.
set -eu

cd "$(dirname "$0")/../.."
parlor=${1:-target/debug/parlor}
[ -x "$parlor" ] || cargo build
if ! command -v strace >/dev/null; then
    apt-get install -y strace >/dev/null || {
        echo "strace is missing: apt-get install strace" >&2
        exit 1
    }
fi
exec python3 tests/long/strace_faults.py "$parlor"
