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

# build DIRECTORY TARGET CMAKE-OPTION...: false, and a verdict, when it does not build. Nobody waits for a processor because of it.
build() {
    local directory=$1 target=$2
    shift 2
    if cmake -S . -B "$directory" -G Ninja -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@" \
        >"$directory.log" 2>&1 && chrt --idle 0 cmake --build "$directory" --target "$target" -j"$(nproc)"; then
        return 0
    fi
    tail -n 20 "$directory.log"
    verdict "build of $directory" 1
    return 1
}

# flags VARIABLE...: of the compiler, as the package has them.
flags() {
    local variable
    for variable in "$@"; do DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get "$variable"; done | paste -sd ' '
}

# count REPORT ATTRIBUTE: of the whole suite, 0 where there is none.
count() {
    local number
    number=$(sed -n "/<testsuite/,/>/s/.*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" "$1" 2>/dev/null | head -n 1)
    echo "${number:-0}"
}

# failures DIRECTORY: the names of the tests that failed there, or could not be run, in ctest's last run.
failures() { sed 's/^[0-9]*://' "$1/Testing/Temporary/LastTestsFailed.log" 2>/dev/null | sort; }

# run_ctest DIRECTORY CTEST-OPTION...: adds what ctest counted, and names what failed.
run_ctest() {
    local directory=$1 report=$PWD/$1/ctest.xml status=0 total skips name names
    shift
    rm -f "$report" "$directory"/Testing/Temporary/LastTestsFailed.log
    ctest --test-dir "$directory" --output-junit "$report" --output-on-failure --no-tests=error "$@" || status=$?
    total=$(count "$report" tests)
    # What it could not run counts as skipped there, but not here.
    skips=$(grep -c '<skipped message="SKIP_' "$report" || true)
    mapfile -t names < <(failures "$directory")
    if [ ${#names[@]} -gt 0 ]; then
        second_try "$directory" "${names[@]}"
        mapfile -t names < <(failures "$directory"; comm -12 <(printf '%s\n' "${names[@]}") <(random "$directory"))
    elif [ $status != 0 ]; then
        verdict "tests in $directory" 1
    fi
    for name in "${names[@]}"; do
        verdict "$name" 1
        last_words "$directory" "$name" >>build/failures.log
    done
    skipped=$((skipped + skips))
    passed=$((passed + total - ${#names[@]} - skips))
}

# random DIRECTORY: the names of the tests in which chance decides what is tried.
random() { ctest --test-dir "$1" -N -L random | sed -n 's/^ *Test *#[0-9]*: //p' | sort; }

# second_try DIRECTORY TEST...: a machine that stands still for seconds fails a test now and then: each may try once more. But not a
# random one: there the one failure in a hundred runs is what the test is for.
second_try() {
    local directory=$1 names
    shift
    printf 'failed at the first try: %s\n' "$@"
    names=$(printf '%s\n' "$@" | sed 's/[][()*+?.^$|\\]/\\&/g' | paste -sd '|')
    cp "$directory"/Testing/Temporary/LastTest.log "$directory"/first-try.log
    rm "$directory"/Testing/Temporary/LastTestsFailed.log
    ctest --test-dir "$directory" --output-on-failure -LE random -R "^($names)\$" || true
}

# last_words DIRECTORY TEST: the end of what it printed.
last_words() {
    printf '\n--- %s\n' "$2"
    cat "$1"/first-try.log "$1"/Testing/Temporary/LastTest.log |
        awk -v name=": $2" 'index($0, name) && / Testing: / { words = ""; ours = 1 } / end time: / { ours = 0 }
            ours { words = words $0 "\n" } END { printf "%s", words }' | tail -n 40
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
    grep -A 12 '^FAIL' "$log" >>build/failures.log || true
    passed=$((passed + ${counts%% *}))
    counts=${counts#*, }
    failed=$((failed + ${counts%% *}))
    [ "${counts%% *}" = 0 ] && [ $status = 0 ] || broken+=("$name")
    if [ "${counts%% *}" = 0 ] && [ $status != 0 ]; then failed=$((failed + 1)); fi
}

# aside NAME FUNCTION: runs it beside what follows, until collect NAME takes its output and its counts.
declare -A asides
aside() {
    set -m  # it is a process group of its own
    rm -f "build/$1.counts"
    # shellcheck disable=SC2030
    (
        passed=0 failed=0 skipped=0 broken=()
        $2 || true
        printf '%s\n' $passed $failed $skipped "${broken[@]}" >"build/$1.counts"
    ) >"build/$1.log" 2>&1 &
    set +m
    asides[$1]=$!
    trap '[ ${#asides[@]} = 0 ] || kill -- "${asides[@]/#/-}" 2>/dev/null || true' EXIT
}

# False when something of it failed.
# shellcheck disable=SC2031
collect() {
    local counts
    wait "${asides[$1]}" || true
    unset "asides[$1]"
    cat "build/$1.log"
    if ! mapfile -t counts <"build/$1.counts"; then
        verdict "$1" 1
        return 1
    fi
    passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
    broken+=("${counts[@]:3}")
    [ "${counts[1]}" = 0 ]
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
: >build/failures.log

# One build for both unit tests and fuzzers: clang takes half of GCC's time where sanitizers are on, and the fuzzers need it. That these
# are not led by comparisons, as those of the preset asan are, saves a third of the unit tests' time.
sanitized() {
    build build/sanitized all -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-g1 -O1 -fno-sanitize-coverage=trace-cmp" \
        -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DHOLDFAST_SANITIZE=address,undefined \
        -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -DHOLDFAST_FUZZERS=ON -DHOLDFAST_PRECOMPILE=ON
}

stage "end-to-end tests"
# Built as the package is, which therefore finds what it needs in the compiler's cache; with less for debuggers, which takes a third
# of the time.
export DEB_CFLAGS_STRIP=-g DEB_CFLAGS_APPEND=-g1 DEB_CXXFLAGS_STRIP=-g DEB_CXXFLAGS_APPEND=-g1
export CCACHE_BASEDIR=$PWD CCACHE_SLOPPINESS=locale,pch_defines,time_macros
built=yes
build build/debian end_to_end -DHOLDFAST_TESTS=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS="$(flags CFLAGS CPPFLAGS)" \
    -DCMAKE_CXX_FLAGS="$(flags CXXFLAGS CPPFLAGS)" -DCMAKE_C_FLAGS_RELWITHDEBINFO=-DNDEBUG -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-DNDEBUG || built=no
# Most of them wait most of the time, which the next build may have.
aside sanitized sanitized
[ $built = no ] || run_ctest build/debian -j$((2 * $(nproc) + 1)) -L e2e

# Its tests keep one processor busy at most.
aside package package

stage "unit tests and fuzzers under address and undefined behaviour sanitizers"
if collect sanitized; then
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_ctest build/sanitized -j$(($(nproc) + 1)) -LE e2e
    fuzz build/sanitized
fi

stage "package"
collect package || true

stage "tests in a virtual machine"
if [ "${HOLDFAST_VM:-}" = 1 ]; then
    .ci/install vm
    if build build/debian virtual_machine -DHOLDFAST_TESTS=ON -DHOLDFAST_VM_TESTS=ON; then
        run_ctest build/debian -L vm
    fi
else
    verdict "tests in a virtual machine" 77
    echo "SKIP: tests in a virtual machine: ask for them with HOLDFAST_VM=1 (11 minutes, and 7 for its disk)"
fi

stage "packages for arm64 and armhf"
if [ "${HOLDFAST_CROSS:-}" = 1 ]; then
    .ci/install cross
    for arch in arm64 armhf; do
        status=0
        tests/package/cross-build.sh $arch build/cross-$arch --test || status=$?
        verdict "build for $arch" $status
        [ $status != 0 ] || counted "packages of $arch" tests/package/foreign-test.sh $arch build/cross-$arch/*_$arch.deb
    done
else
    verdict "packages of arm64 and armhf" 77
    echo "SKIP: packages of arm64 and armhf: ask for them with HOLDFAST_CROSS=1"
fi

stage "done"
cat build/failures.log
[ ${#broken[@]} = 0 ] || printf 'failed: %s\n' "${broken[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
