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

# A table of trainings, drawn again in its place, and gone at the end; a line where it would wrap.
paper=(paper --data "cifar10:$T/data" --scale quick --only gradients --iterations 2 --batch 16
    --no-timing)
terminal "${paper[@]}" --out "$T/paper"
[ "$code" = 0 ] || fail 'expected exit code 0'
for row in 'plain-56 +training +1/2' 'plain-56 +done +2/2' 'resnet-56 +waiting +0/2' \
    "$escape\[[0-9]+A$escape\[J.*training +state +iterations +training error"; do
    grep -qE "$row" "$T/out" || fail "expected $row"
done
script -qec "stty cols 60; $(printf '%q ' "$PROGRAM" "${paper[@]}" --out "$T/narrow")" /dev/null \
    >"$T/out" 2>"$T/err" </dev/null || fail 'expected exit code 0'
grep -qE "$escape\[[0-9]+A" "$T/out" && fail 'a table on a terminal that is too narrow'
grep -qE '\[1/2\] plain-56: training error' "$T/out" || fail 'expected a line for each training'

# Elsewhere: no redrawing.
run train --model resnet20 --data "cifar10:$T/data" --out "$T/plain" --batch 16 --iterations 10
grep -qE "$escape|$(printf '\r')" "$T/err" && fail 'expected plain lines'
run eval "$T/run/model.safetensors" --data "list:$T/list.txt" --batch 1 --threads 1
grep -qE "$escape|$(printf '\r')" "$T/err" && fail 'expected plain lines'
exit 0
