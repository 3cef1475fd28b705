#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Feeds every reader damaged files, made by libFuzzer from the tests' own, under AddressSanitizer and
# UBSan:
#   scripts/fuzz.sh [SECONDS] [READER…]      (600 each; image torch pickle safetensors idx cifar list)
# What breaks a reader is kept in build/fuzz/. Needs clang and libclang-rt-14-dev.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
readers=("${@:-}")
[ -n "${readers[0]}" ] || readers=(image torch pickle safetensors idx cifar list)

top=$PWD/build/fuzz
cmake -S . -B "$top" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=None '-DCMAKE_C_FLAGS=-O1 -g' \
    -DRESNET_SANITIZE=address,undefined,fuzzer-no-link -DRESNET_FUZZ=ON >/dev/null
cmake --build "$top" --parallel "$(nproc)" --target "${readers[@]/#/fuzz_}" >/dev/null

for reader in "${readers[@]}"; do
    corpus=$top/corpus/$reader
    mkdir -p "$corpus"
    case $reader in
    torch) cp tests/formats/torch/*.pth "$corpus" ;;
    safetensors) cp tests/formats/torch/*.safetensors "$corpus" ;;
    pickle) cp tests/formats/torch/*legacy*.pth "$corpus" ;;
    esac
    printf 'fuzz: %s for %s s\n' "$reader" "$seconds" >&2
    ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 "$top/tests/fuzz_$reader" \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -verbosity=0 \
        -artifact_prefix="$top/broken-$reader-" -print_final_stats=1 "$corpus" 2>&1 |
        grep -E '^(Done|SUMMARY|==|stat::(number|peak))'
done
