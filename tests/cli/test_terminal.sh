#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On a terminal: a line that is redrawn, and colours, unless NO_COLOR forbids them.
. "$(dirname "$0")/common.sh"
command -v script >"$T/out" 2>"$T/err" || exit 77

make_cifar "$T/data" 1
escape=$(printf '\033')
terminal() { # ARGUMENT...: the program's stdout and stderr are one terminal, kept in $T/out
    command="resnet $* (on a terminal)"
    code=0
    script -qec "$(printf '%q ' "$PROGRAM" "$@")" /dev/null >"$T/out" 2>"$T/err" </dev/null ||
        code=$?
}

terminal models
[ "$code" = 0 ] || fail 'expected exit code 0'
grep -q "$escape\[1mname" "$T/out" || fail 'expected a bold title'
export NO_COLOR=1
terminal models
grep -q "$escape" "$T/out" && fail 'colours in spite of NO_COLOR'
unset NO_COLOR

terminal train --model resnet20 --data "cifar10:$T/data" --out "$T/run" --batch 16 --iterations 10
[ "$code" = 0 ] || fail 'expected exit code 0'
grep -qE "$(printf "\r")resnet20 .* epoch .* loss .* error .* images/s  (testing|[0-9:?]* left)$escape\[K" "$T/out" ||
    fail 'expected a line of progress that is redrawn'
grep -qE 'epoch 1/2  train loss' "$T/out" || fail 'expected a line for the epoch that stays'

run predict "$T/run/model.safetensors" --data "cifar10:$T/data" --samples 1 --png "$T/png"
[ "$code" = 0 ] || fail 'expected exit code 0'
for _ in {1..600}; do
    echo 'png/sample-1.png 1'
done >"$T/list.txt"
terminal eval "$T/run/model.safetensors" --data "list:$T/list.txt" --batch 1 --threads 1
[ "$code" = 0 ] || fail 'expected exit code 0'
grep -qE "$(printf "\r")resnet20 .* images [0-9]+/600 .* error .* images/s  [0-9:]+ left$escape\[K" "$T/out" ||
    fail 'expected a line of progress that is redrawn'
tr -d '\n' <"$T/out" | grep -qE "$(printf "\r")$escape\[K[^/]*resnet20.* on list:.*600 images" ||
    fail 'expected that the line is gone before the results'

# Elsewhere: no redrawing.
run train --model resnet20 --data "cifar10:$T/data" --out "$T/plain" --batch 16 --iterations 10
grep -qE "$escape|$(printf '\r')" "$T/err" && fail 'expected plain lines'
run eval "$T/run/model.safetensors" --data "list:$T/list.txt" --batch 1 --threads 1
grep -qE "$escape|$(printf '\r')" "$T/err" && fail 'expected plain lines'
exit 0
