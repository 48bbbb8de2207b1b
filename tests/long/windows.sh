#!/usr/bin/env bash
# Builds Parlor for Windows (x86_64-pc-windows-gnu) and plays with the parlor.exe under Wine: a start,
# two clients that talk, files with equal hashes, Ctrl-C, a start after a kill. What is played stands
# in windows.py, a function a step.
#
#     tests/long/windows.sh [WORD...]     all steps, or those with one of the words in their names
#
# With PARLOR_LONG=1 the unit tests run under Wine as well, and come first.
#
# For Debian, as root: what is missing is installed by apt. Debian's rustc builds the standard library
# for Windows from its own sources. All is made below target/windows, with a Wine prefix that is thrown
# away. PROFILE=release builds what would be handed out; the profile dev is built in four minutes on
# two cores, and again in seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${PROFILE:-dev} target=x86_64-pc-windows-gnu
out=$PWD/target/windows
mkdir -p "$out"

packages="rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64-win32 wine64 python3"
here=$(dpkg-query -W -f='${db:Status-Status}\n' $packages 2>/dev/null | grep -cx installed || :)
if [ "$here" != "$(wc -w <<<"$packages")" ]; then
    timeout 900 apt-get update -q
    DEBIAN_FRONTEND=noninteractive timeout 900 \
        apt-get install -y -q --no-install-recommends $packages
fi

unset RUSTFLAGS CARGO_BUILD_TARGET RUSTUP_TOOLCHAIN RUSTC_WRAPPER
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
export CC_x86_64_pc_windows_gnu=x86_64-w64-mingw32-gcc
export AR_x86_64_pc_windows_gnu=x86_64-w64-mingw32-ar
cargo="nice -n 10 timeout 3600 /usr/bin/cargo"
options="--locked --target $target --target-dir $out"
$cargo build $options --bin parlor --profile "$profile" -Z build-std=std,panic_abort
folder=$profile
[ "$profile" != dev ] || folder=debug
exe=$out/$target/$folder/parlor.exe

# The prefix is this run's own, and so is the process that serves it: both end with this script.
export WINEPREFIX WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
unset DISPLAY
WINEPREFIX=$(mktemp -d "$out/prefix.XXXXXX")
wine=/usr/lib/wine/wine64
clean() {
    code=$?
    timeout 20 /usr/lib/wine/wineserver64 -k || :
    rm -rf "$WINEPREFIX"
    exit $code
}
trap clean EXIT
# Wine's services live on and keep whatever they inherit: never a pipe of ours.
timeout 120 $wine wineboot -i >"$out/wineboot.log" 2>&1 </dev/null

# The standard library takes its random numbers from bcryptprimitives.dll, which Wine 8 has not: a
# stand-in with the one function that is asked for.
cat >"$WINEPREFIX/prng.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
    return SystemFunction036(bytes, (ULONG)count);
}
C
x86_64-w64-mingw32-gcc -O2 -shared "$WINEPREFIX/prng.c" -ladvapi32 \
    -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll"

if [ -n "${PARLOR_LONG:-}" ]; then
    $cargo test $options --lib --no-run -Z build-std=std,test,panic_abort --message-format json |
        python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["profile"]["test"]:
        print(message["executable"])' >"$out/units.path"
    # Three are about what Windows does not have: the folders of XDG, in use and in the documents, and
    # another name for a file that is open.
    timeout 600 $wine "$(cat "$out/units.path")" --test-threads 2 \
        --skip config::tests::with_nothing_written_all_is_default \
        --skip config::tests::the_documentation_has_the_table_of_all_settings \
        --skip store::sqlite::tests::after_a_connection_is_lost_the_next_commit_makes_a_new_one \
        >"$out/units.log" 2>&1 </dev/null || { tail -n 60 "$out/units.log"; exit 1; }
    grep "^test result" "$out/units.log"
fi

timeout 600 python3 tests/long/windows.py $wine "$exe" "$@"
