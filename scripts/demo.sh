#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: plain against residual nets on real images, trained briefly, with a report.
#
#     DATA=cifar10:DIR make demo     CIFAR-10 instead of Fashion-MNIST (into demo/cifar10)
#     ITERATIONS=1000 OUT=longer make demo
set -eu
cd "$(dirname "$0")/.."

program=${RESNET_PROGRAM:-build/resnet}
data=${DATA:-fashion-mnist:/usr/share/datasets/fashion-mnist}
out=${OUT:-demo${DATA:+/${DATA%%:*}}}
iterations=${ITERATIONS:-150}
batch=${BATCH:-128}
# A fifth of the paper's rate: 0.1 is right for 64,000 iterations, but in the first hundred of them a
# deep residual net, whose signal grows from block to block, only jumps about.
lr=${LR:-0.02}

cat <<TEXT

Are deeper networks better? A net of 56 layers can do all that one of 20 can: its further
layers need only pass their input on. Yet a plain net of 56 layers trains worse than one
of 20. With shortcuts around each pair of layers it does not (He, Zhang, Ren, Sun, 2015).

Four short trainings will show it: plain-20, plain-56, resnet-20 and resnet-56, $iterations
iterations of $batch images each, from
    $data
This takes a few minutes. After Ctrl-C, the same command goes on where it stopped.

TEXT

"$program" paper --only degradation --data "$data" --out "$out" --iterations "$iterations" \
    --batch "$batch" --lr "$lr"

printf '\nSix test images, as the short training of resnet-56 sees them:\n\n'
"$program" predict "$out/runs/resnet56/model.safetensors" --data "$data" \
    --samples 0,1,2,3,4,5 --top 2 --png "$out/images"

cat <<TEXT

Open the report with its curves in a browser:
    file://$(realpath "$out")/report.html
Then train a net of your own; \`$program train --help\` shows how.
TEXT
