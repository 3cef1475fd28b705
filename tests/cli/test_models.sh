#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet models` and `resnet summary`: parameters and multiply-adds against the published ones.
. "$(dirname "$0")/common.sh"

run models
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^name +input +parameters +multiply-adds +description$'
expect_line '^resnet20 +3x32x32 +269,722 +40\.6 M  '
expect_line '^plain56 +3x32x32 +853,018 +'
expect_line '^resnet50 +3x224x224 +25,557,032 +4\.09 G  '

run models --json
[ "$code" = 0 ] || fail 'expected exit code 0'
for figure in resnet20:269722 resnet32:464154 resnet44:658586 resnet56:853018 resnet110:1727962 \
    resnet18:11689512 resnet34:21797672 resnet50:25557032 resnet101:44549160 resnet152:60192808; do
    expect_line "^\{\"name\":\"${figure%:*}\",\"parameters\":${figure#*:},\"macs\":[0-9]+,\"input\":\[3,"
done

# Option A adds no parameters, so that plain and residual nets are comparable (paper, section 3.3).
for depth in 20 56; do
    plain=$(grep -o "\"plain$depth\",\"parameters\":[0-9]*" "$T/out" | cut -d: -f2)
    residual=$(grep -o "\"resnet$depth\",\"parameters\":[0-9]*" "$T/out" | cut -d: -f2)
    [ "$plain" = "$residual" ] || fail "plain$depth has $plain parameters, resnet$depth $residual"
done

figures() { # MODEL PARAMETERS GIGA-MULTIPLY-ADDS
    run summary "$1" --json
    [ "$code" = 0 ] || fail 'expected exit code 0'
    expect_line "^\{\"model\":\"$1\",.*\"parameters\":$2,\"macs\":[0-9]+,\"weight_bytes\":[0-9]+,\"inference_bytes\":[0-9]+,\"training_bytes\":[0-9]+,\"layers\":\[\{"
    macs=$(grep -o '"macs":[0-9]*' "$T/out" | head -n 1 | cut -d: -f2)
    [ "$(awk -v m="$macs" 'BEGIN { printf "%.2f", m / 1e9 }')" = "$3" ] ||
        fail "$1 has $macs multiply-adds, expected $3 G"
    # The layers' own figures add up to the totals.
    grep -o '"parameters":[0-9]*,"macs":[0-9]*,"kernel"' "$T/out" | tr -c '0-9\n' ' ' |
        awk -v p="$2" -v m="$macs" '{ a += $1; b += $2 } END { exit !(a == p && b == m) }' ||
        fail "the layers of $1 do not add up"
}
figures resnet18 11689512 1.81
figures resnet34 21797672 3.66
figures resnet50 25557032 4.09
figures resnet101 44549160 7.80
figures resnet152 60192808 11.51
figures resnet20 269722 0.04

run summary resnet20 --batch 32
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^layer +op +output +parameters +multiply-adds$'
expect_line '^conv1 +conv 3x3/1 +16x32x32 +432 +442,368$'
expect_line '^fc +linear +10x1x1 +650 +640$'
expect_line '^parameters +269,722$'
expect_line '^memory to run  [0-9.,]+ MB with a batch of 32$'
expect_line '^       to train [0-9.,]+ MB with a batch of 32, data set apart$'

# More images at once take more memory; options change the network.
bytes() { grep -o "\"$1\":[0-9]*" "$T/out" | cut -d: -f2; }
run summary resnet20 --json --batch 1
one=$(bytes inference_bytes)
run summary resnet20 --json --batch 64
[ "$(bytes inference_bytes)" -gt "$one" ] || fail 'a batch of 64 takes no more than one image'
[ "$(bytes training_bytes)" -gt "$(bytes inference_bytes)" ] || fail 'training takes no more'
all=$(bytes training_bytes)
run summary resnet20 --json --batch 64 --recompute
[ "$(bytes training_bytes)" -lt $((all * 2 / 3)) ] || fail 'recomputation takes no less'
run summary resnet20 --batch 64 --recompute
expect_line '^       to train [0-9.]+ MB with a batch of 64 and recomputation, data set apart$'
run summary resnet20 --json --shortcut B
expect_line '"shortcut":"B".*"parameters":272474,'
run summary resnet20 --json --classes 100 --input 1x32x32
expect_line '"input":\[1,32,32\],"classes":100,.*"parameters":275284,'
