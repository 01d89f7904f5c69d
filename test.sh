#!/bin/bash
# test.sh: builds everything and runs all tests; the last line says how many passed, failed and were skipped.
#
# Installs what is missing with apt, saying so first (as root, or with sudo). Environment: FUZZ_SECONDS a fuzzer (20),
# HOLDFAST_LONG=1 for the long forms of the end-to-end tests, HOLDFAST_VM=1 for the tests in a virtual machine too,
# HOLDFAST_CROSS=1 for packages of arm64 and armhf, built here and run by qemu.
# Exit status: 0 when nothing failed.
set -euo pipefail
cd "$(dirname "$0")"

passed=0 failed=0 skipped=0
broken=()
began=$SECONDS

stage() { printf '\n=== %s (after %d min %02d s)\n' "$1" $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)); }

# verdict NAME STATUS: counts a check that is one whole; 77 means skipped.
verdict() {
    case $2 in
        0) passed=$((passed + 1)) ;;
        77) skipped=$((skipped + 1)) ;;
        *) failed=$((failed + 1)) broken+=("$1") ;;
    esac
}

# build DIRECTORY TARGET CMAKE-OPTION...: false, and a verdict, when it does not build.
build() {
    local directory=$1 target=$2
    shift 2
    if cmake -S . -B "$directory" -G Ninja -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@" \
        >"$directory.log" 2>&1 && cmake --build "$directory" --target "$target" -j"$(nproc)"; then
        return 0
    fi
    tail -n 20 "$directory.log"
    verdict "build of $directory" 1
    return 1
}

# count REPORT ATTRIBUTE: of the whole suite, 0 where there is none.
count() {
    local number
    number=$(sed -n "/<testsuite/,/>/s/.*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" "$1" 2>/dev/null | head -n 1)
    echo "${number:-0}"
}

# run_ctest DIRECTORY CTEST-OPTION...: adds what ctest counted.
run_ctest() {
    local directory=$1 report=$PWD/$1/ctest.xml status=0 total failures skips
    shift
    rm -f "$report" "$directory"/Testing/Temporary/LastTestsFailed.log
    ctest --test-dir "$directory" --output-junit "$report" --output-on-failure --no-tests=error "$@" || status=$?
    total=$(count "$report" tests) failures=$(count "$report" failures) skips=$(count "$report" skipped)
    if [ "$failures" != 0 ]; then
        second_try "$directory"
        failures=$((failures - $(count "$directory/again.xml" tests) + $(count "$directory/again.xml" failures)))
        [ "$failures" != 0 ] || status=0
    fi
    failed=$((failed + failures))
    skipped=$((skipped + skips))
    passed=$((passed + total - failures - skips))
    [ $status = 0 ] || broken+=("tests in $directory")
    if [ $status != 0 ] && [ "$failures" = 0 ]; then failed=$((failed + 1)); fi
}

# second_try DIRECTORY: a machine that stands still for seconds fails a test now and then: each may try once more. Not where
# chance decides what is tried (label random): there the one failure in a hundred runs is what the test is for.
second_try() {
    local names
    names=$(sed 's/^[0-9]*://' "$1"/Testing/Temporary/LastTestsFailed.log)
    sed 's/^/failed: /' <<<"$names"
    names=$(sed 's/[][()*+?.^$|\\]/\\&/g' <<<"$names" | paste -sd '|')
    rm -f "$1"/again.xml
    ctest --test-dir "$1" --output-junit "$PWD/$1/again.xml" --output-on-failure -LE random -R "^($names)\$" || true
}

# fuzz DIRECTORY: runs all fuzzers that were built there at once.
fuzz() {
    local program name seeds running=() work=$1/fuzz
    for program in "$1"/bin/fuzz_*; do
        name=${program##*/fuzz_}
        mkdir -p "$work/corpus/$name"
        seeds=()
        [ ! -d "tests/fuzz/corpus/$name" ] || seeds=("tests/fuzz/corpus/$name")
        echo "$name for ${FUZZ_SECONDS:-20} s"
        "$program" -max_total_time="${FUZZ_SECONDS:-20}" -artifact_prefix="$work/$name-" "$work/corpus/$name" \
            "${seeds[@]}" >"$work/$name.log" 2>&1 &
        running+=("$name=$!")
    done
    for name in "${running[@]}"; do
        if wait "${name#*=}"; then
            verdict "fuzz_${name%=*}" 0
            echo "${name%=*}: $(tail -n 1 "$work/${name%=*}.log")"
        else
            verdict "fuzz_${name%=*}" 1
            tail -n 40 "$work/${name%=*}.log"
        fi
    done
}

# counted NAME SCRIPT ARGUMENT...: a script that counts for itself ends with "N passed, N failed".
counted() {
    local name=$1 log status=0 counts
    shift
    log=build/$(basename "$1").log
    "$@" 2>&1 | tee "$log" || status=$?
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 || true)
    if [ -z "$counts" ]; then
        verdict "$name" $status
        return 0
    fi
    passed=$((passed + ${counts%% *}))
    counts=${counts#*, }
    failed=$((failed + ${counts%% *}))
    [ "${counts%% *}" = 0 ] && [ $status = 0 ] || broken+=("$name")
    if [ "${counts%% *}" = 0 ] && [ $status != 0 ]; then failed=$((failed + 1)); fi
}

package() {
    local status=0
    rm -rf build/package
    tests/package/build-deb.sh build/package || status=$?
    verdict "build of the package" $status
    [ $status = 0 ] || return 0
    counted "contents of the package" tests/package/deb-checks.sh build/package/holdfast_[0-9]*.deb
    counted "test of the package" tests/package/install-test.sh build/package/holdfast_[0-9]*.deb
    counted "test of the repository" tests/package/repository-test.sh build/package
    counted "test of the release" tests/package/release-test.sh build/package
}

stage "packages"
.ci/install build test package
mkdir -p build

stage "end-to-end tests"
if build build/test end_to_end -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -g1 -DNDEBUG"; then
    # Most of them wait most of the time.
    run_ctest build/test -j$((2 * $(nproc) + 1)) -L e2e
fi

if [ "${HOLDFAST_VM:-}" = 1 ]; then
    stage "tests in a virtual machine"
    .ci/install vm
    if build build/test virtual_machine -DHOLDFAST_VM_TESTS=ON; then
        run_ctest build/test -L vm
    fi
fi

# One build for both: clang takes half of GCC's time where sanitizers are on, and the fuzzers need it.
stage "unit tests and fuzzers under address and undefined behaviour sanitizers"
if build build/sanitized all -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-g1 -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DHOLDFAST_SANITIZE=address,undefined -DHOLDFAST_FUZZERS=ON -DHOLDFAST_PRECOMPILE=ON; then
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_ctest build/sanitized -j$(($(nproc) + 1)) -LE e2e
    fuzz build/sanitized
fi

stage "package"
package

if [ "${HOLDFAST_CROSS:-}" = 1 ]; then
    .ci/install cross
    for arch in arm64 armhf; do
        stage "packages for $arch"
        status=0
        tests/package/cross-build.sh $arch build/cross-$arch --test || status=$?
        verdict "build for $arch" $status
        [ $status != 0 ] || counted "packages of $arch" tests/package/foreign-test.sh $arch build/cross-$arch/*_$arch.deb
    done
fi

stage "done"
[ ${#broken[@]} = 0 ] || printf 'failed: %s\n' "${broken[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
