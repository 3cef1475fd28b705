#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet eval` and `resnet predict` on weights that know a made-up data set by heart.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
run train --model resnet20 --data "cifar10:$T/data" --out "$T/run" --batch 16 --epochs 14 \
    --lr 0.02 --augment none --test-every 14
[ "$code" = 0 ] || fail 'expected exit code 0'
weights=$T/run/model.safetensors

# ---- eval ----
run eval "$weights" --data "cifar10:$T/data" --json
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^\{"model":"resnet20","samples":16,"failed":0,"correct":[0-9]+,"correct5":[0-9]+,"top1":[0-9.]+,"top5":[0-9.]+,"loss":[0-9.e-]+,"seconds":[0-9.e-]+,"images_per_second":[0-9.]+\}$'
figures() { sed 's/,"seconds.*//' "$T/out"; }
test_split=$(figures)
for options in '--threads 1' '--threads 5' '--batch 1' '--batch 7' '--split test'; do
    # shellcheck disable=SC2086 # options are words
    run eval "$weights" --data "cifar10:$T/data" --json $options
    [ "$(figures)" = "$test_split" ] || fail "$options: other figures"
done
run eval "$weights" --data "cifar10:$T/data" --json --split train --logits "$T/logits.npy"
expect_line '"samples":80,"failed":0,"correct":(6[4-9]|7[0-9]|80),' # at least four of five: it has learnt
[ "$(head -c 6 "$T/logits.npy" | tail -c 5)" = NUMPY ] || fail 'logits.npy is no NumPy file'
[ "$(stat -c %s "$T/logits.npy")" = $((128 + 80 * 10 * 4)) ] || fail 'logits.npy has another size'
run eval "$weights" --data "cifar10:$T/data" --json --mean 0.9,0.9,0.9 --std 0.01,0.01,0.01
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(figures)" != "$test_split" ] || fail '--mean and --std change nothing'
run eval "$weights" --data "cifar10:$T/data"
expect_like 0 "resnet20 on cifar10:$T/data, test split: 16 images
top-1  *%  (error *%)
top-5  *%  (error *%)
loss   *
time   *images/s" ''
run eval "$T/run/checkpoint.safetensors" --data "cifar10:$T/data" --json
[ "$(figures)" = "$test_split" ] || fail 'the checkpoint has other weights than the model'

# ---- predict: samples of a data set ----
run predict "$weights" --data "cifar10:$T/data" --split train --samples 3,0 --top 2 --png "$T/png"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line "^$T/png/sample-3.png is cat: (recognised|mistaken)$"
expect_line "^$T/png/sample-0.png is airplane: (recognised|mistaken)$"
[ "$(wc -l <"$T/out")" = 6 ] || fail 'expected two samples with two labels each'
[ "$(find "$T/png" -name '*.png' | wc -l)" = 2 ] || fail 'expected two pictures'
run predict "$weights" --data "cifar10:$T/data" --samples 99
expect 2 '' "resnet: --samples wants numbers from 0 to 15 with commas between, not '99'"

# ---- predict: files; the same picture as PNG and PPM gives the same answer ----
ppm() { # SAMPLE: 3072 bytes in planes become pixels
    perl -e '
        open my $file, "<:raw", $ARGV[0] or die;
        seek $file, 3073 * $ARGV[1] + 1, 0;
        read $file, my $planes, 3072;
        binmode STDOUT;
        print "P6\n32 32\n255\n";
        print substr($planes, $_, 1), substr($planes, $_ + 1024, 1), substr($planes, $_ + 2048, 1)
            for 0 .. 1023;' "$T/data/data_batch_1.bin" "$1"
}
ppm 3 >"$T/sample.ppm"
ppm 3 >"$T/ppm named.png" # content decides, not the name
run predict "$weights" --json "$T/sample.ppm"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^\{"file":"[^"]*sample.ppm","predictions":\[(\{"index":[0-9],"label":"[a-z]+","probability":[0-9.e-]+\},?){5}\]\}$'
answer=$(sed 's/.*predictions//' "$T/out")
for file in "$T/png/sample-3.png" "$T/ppm named.png"; do
    run predict "$weights" --json "$file"
    [ "$(sed 's/.*predictions//' "$T/out")" = "$answer" ] || fail 'another answer'
done
# A grey JPEG, 8x8 pixels of one value, by hand: tables of ones, two codes of one bit.
printf '\377\330\377\333\0\103\0' >"$T/grey.jpg"
printf '\001%.0s' $(seq 64) >>"$T/grey.jpg"
printf '\377\300\0\013\010\0\010\0\010\001\001\021\0' >>"$T/grey.jpg"
printf '\377\304\0\024\0\001\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >>"$T/grey.jpg"
printf '\377\304\0\024\020\001\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >>"$T/grey.jpg"
printf '\377\332\0\010\001\001\0\0\077\0\077\377\331' >>"$T/grey.jpg"
run predict "$weights" --top 1 "$T/grey.jpg"
expect_like 0 "$T/grey.jpg
*%  *" ''

# ---- predict: what cannot be read is named, the others go on ----
echo 'no picture' >"$T/text.png"
run predict "$weights" --json "$T/none.png" "$T/sample.ppm" "$T/text.png"
[ "$code" = 1 ] || fail 'expected exit code 1'
[ "$(wc -l <"$T/out")" = 3 ] || fail 'expected a line for each image'
expect_line '^\{"file":"[^"]*none.png","error":"[^"]*none.png: [^"]+"\}$'
expect_line '^\{"file":"[^"]*sample.ppm","predictions":\['
expect_line '^\{"file":"[^"]*text.png","error":"[^"]*text.png: [^"]+"\}$'
expect_like 1 '*' "resnet: $T/none.png: *
resnet: $T/text.png: *
resnet: 2 of 3 images could not be classified"
head -c 1000 "$T/sample.ppm" >"$T/short.ppm"
head -c 300 "$T/png/sample-3.png" >"$T/short.png"
for file in "$T/none.png" "$T/text.png" "$T/short.ppm" "$T/short.png" "$T"; do
    run predict "$weights" "$file"
    expect_sentence 1 "$file: *"
done
