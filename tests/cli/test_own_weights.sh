#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The weights in weights/: the files that its README names, with its hashes, and as many right
# answers on CIFAR-10's test images as it says. RESNET_CIFAR10 names the folder of CIFAR-10's files,
# without which the answers are not counted.
. "$(dirname "$0")/common.sh"

files=0
while read -r file model right hash; do
    files=$((files + 1))
    [ "$(hash_of "weights/$file")" = "$hash" ] || fail "weights/$file: not of the README's hash"
    run inspect "weights/$file"
    [ "$code" = 0 ] || fail 'expected exit code 0'
    expect_line "^model +$model, shortcut A, 10 classes\$"
    if [ -n "${RESNET_CIFAR10:-}" ] && [ -z "${RESNET_SANITIZE:-}" ]; then
        run eval "weights/$file" --data "cifar10:$RESNET_CIFAR10" --json
        expect_like 0 "*\"correct\":$right,*" '*'
    fi
done < <(sed -nE 's/^\| `(([a-z0-9]+)-[^`]+)` .* ([0-9]+) of 10000 .* `([0-9a-f]{64})` \|$/\1 \2 \3 \4/p' \
    weights/README.md)
[ "$files" = "$(find weights -name '*.safetensors' | wc -l)" ] || fail "$files files in the README"
