#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: the paper's experiments on real images, trained briefly, with a report.
#
#     DATA=cifar10:DIR make demo     CIFAR-10 instead of Fashion-MNIST (into demo/cifar10)
#     ONLY=degradation make demo     one experiment (see `resnet paper --help`)
#     ITERATIONS=1000 OUT=longer make demo
set -eu
cd "$(dirname "$0")/.."

program=${RESNET_PROGRAM:-build/resnet}
data=${DATA:-fashion-mnist:/usr/share/datasets/fashion-mnist}
out=${OUT:-demo${DATA:+/${DATA%%:*}}}

cat <<TEXT

Are deeper networks better? A net of 56 layers can do all that one of 20 can: its further
layers need only pass their input on. Yet a plain net of 56 layers trains worse than one
of 20. With shortcuts around each pair of layers it does not (He, Zhang, Ren, Sun, 2015).

Short trainings will show it: plain-20, plain-56, resnet-20, resnet-56 and others that the
paper's further experiments need, half a minute each, on
    $data
This takes some minutes. After Ctrl-C, the same command goes on where it stopped.

TEXT

"$program" paper --scale quick --data "$data" --out "$out" ${ONLY:+--only "$ONLY"} \
    ${ITERATIONS:+--iterations "$ITERATIONS"} ${BATCH:+--batch "$BATCH"} ${LR:+--lr "$LR"}

if [ -e "$out/runs/resnet56/model.safetensors" ]; then
    printf '\nSix test images, as the short training of resnet-56 sees them:\n\n'
    "$program" predict "$out/runs/resnet56/model.safetensors" --data "$data" \
        --samples 0,1,2,3,4,5 --top 2 --png "$out/images"
fi

# Real pictures, seen by a net that this program trained for longer (see weights/README.md).
photographs=demo/photographs
if scripts/photographs.sh "$photographs"; then
    printf '\nPhotographs, as a resnet-56 sees them that was trained on CIFAR-10 for 50 epochs:\n\n'
    "$program" predict weights/resnet56-cifar10.safetensors "$photographs"/*.jpg --top 2
fi

cat <<TEXT

Open the report with its curves in a browser:
    file://$(realpath "$out")/report.html
Then train a net of your own; \`$program train --help\` shows how.
TEXT
