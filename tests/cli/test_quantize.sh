#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet quantize` on made-up data: what it tells, the file that it writes, and that this file gives
# the same logits for any number of threads and on each instruction set that is to be had here.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
data=cifar10:$T/data
run train --model resnet20 --data "$data" --out "$T/run" --batch 16 --epochs 14 --lr 0.02 \
    --augment none --test-every 14
[ "$code" = 0 ] || fail 'expected exit code 0'
weights=$T/run/model.safetensors
int8=$T/int8.safetensors
size_of() { stat -c %s "$1"; }
# Without the progress that slow machines are told of.
quantize() {
    run quantize "$@"
    sed -i -E '/  [0-9]+ %  [0-9,]+ of [0-9,]+$/d' "$T/err"
}
number() { grep -oE "\"$1\":[0-9.]+" "$T/out" | head -n 1 | cut -d: -f2; }

# ---- what is told ----
quantize "$weights" --data "$data" --calibrate 40 -o "$int8" --json
[ "$code" = 0 ] || fail 'expected exit code 0'
for part in '^\{"model":"resnet20","file":"[^"]*/int8\.safetensors","samples":16,"failed":0,' \
    '"top1_float":[0-9.]+,"top1_int8":[0-9.]+,"top5_float":[0-9.]+,"top5_int8":[0-9.]+' \
    '"calibration":\{"samples":40,"failed":0,"split":"train","method":"mse"' \
    '"layers":\[(\{"name":"[a-z0-9.]+","op":"(conv|linear)","int8":(true|false),"scale":[0-9.e-]+,"zero":(0|128),"weight_db":([0-9.]+|null),"rounding_db":([0-9.]+|null),"output_db":([0-9.]+|null)\},?)+\]\}$' \
    '\{"name":"layer1\.0\.conv1","op":"conv","int8":true,"scale":[0-9.e-]+,"zero":0,"weight_db":[34][0-9]'; do
    expect_line "$part"
done
[ "$(number int8_layers)" -ge 18 ] || fail 'expected at least 18 of 20 layers in int8'
[ "$(number bytes_int8)" = "$(size_of "$int8")" ] || fail 'bytes_int8 is not the size of the file'
[ "$(number bytes_float)" = "$(size_of "$weights")" ] || fail 'bytes_float is not that of the file'
[ $((10 * $(size_of "$int8"))) -lt $((4 * $(size_of "$weights"))) ] || fail 'the file is not small'
lost=$(($(number correct_float) - $(number correct_int8)))
[ "$lost" -le 1 ] || fail "int8 loses $lost of 16 pictures"
[ "$(number correct_float)" -ge 12 ] || fail 'the network has not learnt'
told=$(number correct_int8)

# The same file for any number of threads; other pictures or another method make another.
for threads in 1 3; do
    quantize "$weights" --data "$data" --calibrate 40 -o "$T/same" --threads "$threads"
    [ "$code" = 0 ] || fail 'expected exit code 0'
    [ "$(hash_of "$T/same")" = "$(hash_of "$int8")" ] || fail "--threads $threads: another file"
done
expect_line '^layer +runs in +scale +zero +weights dB +rounding dB +output dB$'
expect_line '^layer1\.0\.conv1 +int8 +0\.[0-9]+ +0 +[34][0-9]\.[0-9] +[2-6][0-9]\.[0-9] +[0-9.]+$'
expect_line '^resnet20: [0-9]+ of 20 layers in int8, logits [0-9.]+ dB, calibrated with 40 pictures of the train split$'
expect_line '^float +top-1 [0-9.]+ % \([0-9]+ of 16\), top-5 [0-9.]+ % \([0-9]+\)$'
expect_line "^int8 +top-1 [0-9.]+ % \\($told of 16\\)"
expect_line "^wrote $T/same: "
for options in '--seed 2' '--method max' '--method percentile --percentile 99' '--split test' \
    '--keep conv1'; do
    # shellcheck disable=SC2086 # options are words
    quantize "$weights" --data "$data" --calibrate 10 $options -o "$T/other" --max-drop 100
    [ "$code" = 0 ] || fail 'expected exit code 0'
    [ "$(hash_of "$T/other")" != "$(hash_of "$int8")" ] || fail "$options changes nothing"
done

# ---- the file ----
run inspect "$int8"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^layer1\.0\.conv1\.weight +same +I8 +16x16x3x3$'
expect_line '^layer1\.0\.conv1\.weight_scale +- +F32 +16$'
expect_line '^precision +int8, the weights of [0-9]+ layers$'
run inspect "$int8" --json
expect_like 0 '*"model":"resnet20"*"precision":"int8","refused":null*' ''
run inspect "$weights" --json
expect_like 0 '*"model":"resnet20"*"precision":"fp32","refused":null*' ''
run summary "$int8"
expect_line '^precision +int8$'
run summary "$int8" --json
expect_like 0 '{"model":"resnet20",*"precision":"int8",*' ''
run convert "$int8" "$T/copy"
[ "$(hash_of "$T/copy")" = "$(hash_of "$int8")" ] || fail 'a copy of the file differs'

# ---- eval and predict run it in int8 by themselves ----
logits() { # NAME ARGUMENT...
    name=$1
    shift
    run eval "$int8" --data "$data" --split train --json --logits "$T/$name.npy" "$@"
    [ "$code" = 0 ] || fail 'expected exit code 0'
}
same() { cmp -s "$T/logits.npy" "$T/$1.npy" || fail "$1: other logits"; }
logits logits
run eval "$int8" --data "$data" --json
[ "$(number correct)" = "$told" ] || fail 'eval counts other right answers than quantize told'
for options in '--threads 1' '--threads 5' '--batch 1' '--batch 7' '--precision int8'; do
    # shellcheck disable=SC2086 # options are words
    logits "with ${options// /}" $options
    same "with ${options// /}"
done
for isa in portable avx2 avx512 neon; do
    if RESNET_ISA=$isa "$PROGRAM" eval "$int8" --data "$data" >/dev/null 2>&1; then
        export RESNET_ISA=$isa
        logits "$isa"
        unset RESNET_ISA
        same "$isa"
    fi
done
[ -f "$T/portable.npy" ] || fail 'the portable kernels were not tried'
logits float --precision fp32
if cmp -s "$T/logits.npy" "$T/float.npy"; then fail '--precision fp32 gives the logits of int8'; fi
# In bf16: other logits than in float, the same on every instruction set with FMA.
logits bf16 --precision bf16
if cmp -s "$T/float.npy" "$T/bf16.npy"; then fail '--precision bf16 gives the logits of fp32'; fi
mv "$T/logits.npy" "$T/int8.npy"
mv "$T/bf16.npy" "$T/logits.npy"
for isa in avx2 avx512 neon; do
    if RESNET_ISA=$isa "$PROGRAM" eval "$int8" --data "$data" >/dev/null 2>&1; then
        export RESNET_ISA=$isa
        logits "bf16-$isa" --precision bf16 --threads 3
        unset RESNET_ISA
        same "bf16-$isa"
    fi
done
mv "$T/int8.npy" "$T/logits.npy"
run predict "$int8" --data "$data" --split train --samples 1,2,3 --top 1 --png "$T/png"
[ "$code" = 0 ] || fail 'expected exit code 0'
run predict "$int8" --json "$T/png/sample-1.png"
expect_like 0 '{"file":*"label":"automobile"*' ''
answer=$(cat "$T/out")
run predict "$int8" --json --precision fp32 "$T/png/sample-1.png"
expect_like 0 '{"file":*"label":"automobile"*' ''
[ "$(cat "$T/out")" != "$answer" ] || fail '--precision fp32 gives the answer of int8'
run predict "$int8" --json --ten-crop "$T/png/sample-1.png"
expect_like 0 '{"file":*"label":*' ''

# A file in int8 begins a training, and can be quantised again: its weights stay as they are.
run train --model resnet20 --data "$data" --out "$T/next" --batch 16 --iterations 1 --lr 0.02 \
    --init "$int8"
[ "$code" = 0 ] || fail 'expected exit code 0'
quantize "$int8" --data "$data" --calibrate 40 -o "$T/twice" --json
[ "$code" = 0 ] || fail 'expected exit code 0'
run inspect "$T/twice" --json
expect_like 0 '*"precision":"int8"*' ''

# ---- layers in float ----
quantize "$weights" --data "$data" --keep conv1,layer2.0.conv2 -o "$T/kept" --json --calibrate 20
expect_line '"name":"conv1","op":"conv","int8":false,[^}]*"weight_db":null'
expect_line '"name":"layer2\.0\.conv2","op":"conv","int8":false,'
run inspect "$T/kept"
expect_line '^conv1\.weight +same +F32 '
expect_line '^layer2\.0\.conv2\.weight +same +F32 '
expect_line '^layer2\.0\.conv1\.weight +same +I8 '
# Half of all values clipped: without the bound it is another network, within it layers are in float.
quantize "$weights" --data "$data" --method percentile --percentile 50 --max-drop 100 \
    -o "$T/clipped" --json --calibrate 20
[ "$(number int8_layers)" -ge 18 ] || fail 'layers are in float without need'
right=$(grep -oE '"calibration":.*' "$T/out" | grep -oE '"correct_(float|int8)":[0-9]+' | cut -d: -f2)
[ "$(echo "$right" | tail -n 1)" -lt "$(echo "$right" | head -n 1)" ] || fail 'clipping costs nothing'
quantize "$weights" --data "$data" --method percentile --percentile 50 --max-drop 0 \
    -o "$T/clipped" --json --calibrate 20
if [ "$code" = 0 ]; then
    [ "$(number int8_layers)" -lt 18 ] || fail 'no layer is kept in float'
    right=$(grep -oE '"calibration":.*' "$T/out" | grep -oE '"correct_(float|int8)":[0-9]+' |
        cut -d: -f2)
    [ "$(echo "$right" | tail -n 1)" -ge "$(echo "$right" | head -n 1)" ] || fail 'over the bound'
else
    expect_sentence 1 'resnet20 cannot be quantised: *'
fi

# ---- refusals ----
run eval "$weights" --data "$data" --precision int8
expect_sentence 2 'these weights of resnet20 are in float*'
run predict "$weights" --precision int8 "$T/png/sample-1.png"
expect_sentence 2 'these weights of resnet20 are in float*'
refuse() { # CODE SENTENCE ARGUMENT...
    expected=$1 sentence=$2
    shift 2
    quantize "$weights" -o "$T/none" "$@"
    expect_sentence "$expected" "$sentence"
    [ ! -e "$T/none" ] || fail 'a file was written'
}
refuse 2 "there is no convolution or linear layer called 'conv9'*" --data "$data" --keep conv1,conv9
refuse 1 '*80 pictures*100*' --data "$data" --calibrate 100
refuse 2 '*percentile*' --data "$data" --method percentile --percentile 101
echo "nolabel.png" >"$T/list.txt"
refuse 1 "$T/list.txt*" --data "list:$T/list.txt"
echo "none.png 3" >"$T/list.txt"
quantize "$weights" -o "$T/none" --data "list:$T/list.txt"
[ "$code" = 1 ] && [ ! -e "$T/none" ] || fail 'a picture that is not there was calibrated with'
mkdir "$T/mnist"
for part in train-images:60000 train-labels:60000 t10k-images:10000 t10k-labels:10000; do
    : >"$T/mnist/${part%:*}-idx"
done
refuse 1 "*$T/mnist*" --data "mnist:$T/mnist"
quantize "$weights" --data "$data" --calibrate 10 -o "$T/no/such/folder"
expect_like 1 '' "resnet: $T/no/such/folder*"
