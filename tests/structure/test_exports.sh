#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Both libraries export the functions that resnet.h declares, and nothing else.
set -euo pipefail
[ -z "${RESNET_SANITIZE:-}" ] || { echo "a sanitizer exports names of its own" && exit 77; }
build=${RESNET_BUILD:?the build folder}

# Statement by statement, so that a type that names a function is no function.
declared=$(grep -vE '^ *(//|#)' include/resnet.h | awk 'BEGIN { RS = "[;{}]" } !/typedef/' |
    grep -oE '\bresnet_[a-z0-9_]+ ?\(' | tr -d ' (' | LC_ALL=C sort -u)
[ -n "$declared" ] || { echo "resnet.h declares no function" && exit 1; }

status=0
for library in libresnet.so libresnet.a; do
    kind=--extern-only
    [ "$library" = libresnet.a ] || kind=--dynamic
    exported=$(nm --defined-only "$kind" "$build/$library" | awk 'NF == 3 { print $3 }' |
        sed 's/@.*//' | LC_ALL=C sort -u)
    if ! difference=$(diff <(echo "$declared") <(echo "$exported")); then
        printf '%s (< declared in resnet.h, > exported):\n%s\n' "$library" "$difference"
        status=1
    fi
done
exit $status
