#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the project six times and runs the tests of all builds as one CTest run:
#   gcc    Release, warnings are errors          every test
#   clang  the same with the other compiler      what does not depend on training
#   asan   AddressSanitizer and UBSan            every test but the slow ones
#   tsan   ThreadSanitizer                       the thread pool and the loader
#   static musl and static libraries, small      its size, results and command line
#   neon   AArch64, cross-compiled, under qemu   the kernels
# Arguments go to ctest: scripts/test.sh -R formats
set -euo pipefail
cd "$(dirname "$0")/.."

top=$PWD/build/test
jobs=$(nproc)
mkdir -p "$top"

# Runs a command with its output in build/test/NAME.log, which is shown when it fails.
logged() {
    local log=$top/$1.log
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 60 "$log" >&2
        printf 'test: failed: %s (all of it: %s)\n' "$*" "$log" >&2
        exit 1
    fi
}

# build NAME [TARGET…] -- CMAKE-ARGUMENT…
build() {
    local name=$1 targets=()
    shift
    while [ "$1" != -- ]; do
        targets+=("$1")
        shift
    done
    shift
    printf 'test: building %s\n' "$name" >&2
    : >"$top/$name.log"
    logged "$name" cmake -B "$top/$name" "$@"
    logged "$name" cmake --build "$top/$name" --parallel "$jobs" \
        ${targets[@]:+--target "${targets[@]}"}
    printf 'subdirs("%s")\n' "$top/$name" >>"$top/CTestTestfile.cmake"
}

# build_with NAME COMPILER [TARGET…] -- CMAKE-ARGUMENT…
build_with() {
    local name=$1 compiler=$2 targets=()
    shift 2
    while [ "$1" != -- ]; do
        targets+=("$1")
        shift
    done
    build "$name" ${targets[@]:+"${targets[@]}"} -- -S . -DCMAKE_C_COMPILER="$compiler" \
        -DRESNET_WERROR=ON -DRESNET_TEST_PREFIX="$name:" "${@:2}"
}

sanitizer=(-DCMAKE_BUILD_TYPE=None '-DCMAKE_C_FLAGS=-O1 -g')
: >"$top/CTestTestfile.cmake"
build_with gcc gcc --
build_with clang clang -- '-DRESNET_TESTS=^(base|formats|data|models|kernels|fuzz)[.]|exports|codegen'
build_with asan gcc -- "${sanitizer[@]}" -DRESNET_SANITIZE=address,undefined \
    -DRESNET_SLOW_TESTS=OFF '-DRESNET_TESTS=^[^s][^.]*[.]'
build_with tsan gcc registered_tests -- "${sanitizer[@]}" \
    -DRESNET_SANITIZE=thread '-DRESNET_TESTS=^(base.threads|data.loader)$'
build_with static musl-gcc resnet -- -DRESNET_STATIC=ON \
    '-DRESNET_TESTS=^static[.]|^cli[.](help|failures|models|predict|usage)$'
export RESNET_ORDINARY=$top/gcc/resnet
if [ "$(uname -m)" != aarch64 ]; then
    build neon -- -S tests/neon -DCMAKE_TOOLCHAIN_FILE="$PWD/tests/neon/toolchain.cmake"
fi

# Real data, where it lies beside the project; tests that need it are skipped without.
archive=../shared/data/cifar-10-binary.tar.xz
if [ -z "${RESNET_CIFAR10:-}" ] && [ -f "$archive" ]; then
    cifar=$PWD/build/data
    if [ ! -d "$cifar" ]; then
        rm -rf "$cifar.partial"
        mkdir -p "$cifar.partial"
        tar -xJf "$archive" -C "$cifar.partial"
        mv "$cifar.partial" "$cifar"
    fi
    RESNET_CIFAR10=$(dirname "$(find "$cifar" -name test_batch.bin | head -n 1)")
    export RESNET_CIFAR10
fi

export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
exec ctest --test-dir "$top" --parallel "$jobs" --output-on-failure "$@"
