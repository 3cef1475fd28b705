#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Published weights on real pictures: as many right answers as PyTorch gives. Needs ../shared/data;
# RESNET_CIFAR10 names the folder of CIFAR-10's files, without which that part is left out, as the
# longer evaluations are under a sanitizer.
. "$(dirname "$0")/common.sh"

shared=../shared/data
[ -f "$shared/resnet20-cifar10.th" ] || { echo "there is no $shared" && exit 77; }

# ---- CIFAR-10: an old PyTorch file with option A ----
cifar=$shared/resnet20-cifar10.th
run inspect "$cifar"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^layout +cifar, names begin with state_dict\.module\.$'
expect_line '^model +resnet20, shortcut A, 10 classes$'
run inspect "$cifar" --json
expect_like 0 '*"model":"resnet20"*"shortcut":"A"*"classes":10*' ''
expect_line '"name":"state_dict.module.linear.weight","parameter":"fc.weight","dtype":"F32","shape":\[10,64\]'

# eval ARGUMENT...: "correct correct5 failed"
right() {
    run eval "$@" --json
    [ "$code" = 0 ] || fail 'expected exit code 0'
    for key in correct correct5 failed; do
        printf '%s ' "$(grep -o "\"$key\":[0-9]*" "$T/out" | cut -d: -f2)"
    done
}
if [ -n "${RESNET_CIFAR10:-}" ] && [ -z "${RESNET_SANITIZE:-}" ]; then
    for model in 20:9173 32:9263; do
        found=$(right "$shared/resnet${model%:*}-cifar10.th" --data "cifar10:$RESNET_CIFAR10" \
            --preset cifar)
        off=$((${found%% *} - ${model#*:}))
        [ "${off#-}" -le 1 ] || fail "${found%% *} right answers, expected ${model#*:}"
        # A slow machine is told of its progress; nothing else is to be said.
        [ -z "$(grep -v ' images/s ' "$T/err" || true)" ] || fail 'expected no warning on stderr'
    done
fi

# ---- ImageNet: photographs ----
photos=$T/imagenet-sample-100
tar -xf "$shared/imagenet-sample-100.tar" -C "$T" || fail 'cannot unpack the photographs'
xz -dc "$shared/resnet18-imagenet-pqf.safetensors.xz" >"$T/resnet18" || fail 'cannot unpack resnet18'
golden() { # KEY: of PyTorch's own result
    grep -oE "\"$1\": *[0-9]+" "$shared/golden/resnet18_imagenet-sample-100.json" | grep -oE '[0-9]+$'
}
labels=$shared/imagenet-classes.txt
zebra=$photos/n02391049_zebra.JPEG

run predict "$T/resnet18" "$zebra"
expect_like 0 "$zebra
*%  class 340
*" "resnet: warning: $T/resnet18 carries no normalisation; taking that of --preset torchvision, *"
run convert "$T/resnet18" "$T/resnet18.safetensors" --preset torchvision --labels "$labels"
expect_like 0 '*resnet18, shortcut B, 1000 classes*' ''
run predict "$T/resnet18.safetensors" --top 1 "$zebra"
expect_like 0 "$zebra
*%  zebra" ''
one=$(cat "$T/out")
run predict "$T/resnet18" --preset torchvision --labels "$labels" --top 1 "$zebra"
expect 0 "$one" ''
for view in --ten-crop --multi-scale; do
    run predict "$T/resnet18.safetensors" "$view" --top 1 "$zebra"
    expect_like 0 "$zebra
*%  zebra" ''
done

if [ -z "${RESNET_SANITIZE:-}" ]; then
    found=$(right "$T/resnet18.safetensors" --data "list:$photos/labels.txt")
    [ "$found" = "$(golden top1_correct) $(golden top5_correct) 0 " ] ||
        fail "$found: other counts than PyTorch's"

    # In int8 no photograph is lost, net, with all layers in it.
    run quantize "$T/resnet18.safetensors" --data "list:$photos/labels.txt" -o "$T/int8" --json
    [ "$code" = 0 ] || fail 'expected exit code 0'
    expect_line '"int8_layers":21,'
    found=$(grep -oE '"correct_int8":[0-9]+' "$T/out" | head -n 1 | cut -d: -f2)
    [ "$found" -ge "$(golden top1_correct)" ] || fail "$found right answers in int8"
    [ $((3 * $(stat -c %s "$T/int8"))) -lt "$(stat -c %s "$T/resnet18")" ] || fail 'a large file'
    [ "$(right "$T/int8" --data "list:$photos/labels.txt" | cut -d' ' -f1)" = "$found" ] ||
        fail 'eval counts other right answers than quantize'

    # Bottlenecks: equal shapes for both places of the stride, so that it must be told or warned of.
    xz -dc "$shared/resnet50-imagenet-pqf.safetensors.xz" >"$T/resnet50" ||
        fail 'cannot unpack resnet50'
    run inspect "$T/resnet50"
    [ "$code" = 0 ] || fail 'expected exit code 0'
    expect_line '^model +resnet50, shortcut B, 1000 classes$'
    expect_line '^stride in +unknown$'
    run convert "$T/resnet50" "$T/resnet50.safetensors" --preset torchvision
    expect_like 0 '*resnet50*' \
        "resnet: warning: $T/resnet50 does not say where its bottlenecks stride; taking --stride-in 3x3*"
    run convert "$T/resnet50" "$T/resnet50.safetensors" --preset torchvision --stride-in 3x3
    expect_like 0 '*resnet50*stride in*3x3*' ''
    run predict "$T/resnet50.safetensors" --top 1 "$zebra"
    expect_like 0 "$zebra
*%  class 340" ''
fi
