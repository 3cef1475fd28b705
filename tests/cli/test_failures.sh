#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Damaged, foreign and missing files, folders that cannot be written, a disk that is full: one
# sentence that names the file, exit code 1 or 2, and no earlier checkpoint harmed.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
data=cifar10:$T/data
train() { # DIR ARGUMENT...
    directory=$1
    shift
    run train --model resnet20 --data "$data" --out "$directory" --batch 16 --iterations 4 \
        --lr 0.05 "$@"
}
train "$T/good" --stop-after 2
[ "$code" = 130 ] || fail 'expected exit code 130'
checkpoint=$T/good/checkpoint.safetensors
before=$(hash_of "$checkpoint")

# ---- Weights ----
run eval "$T/missing.safetensors" --data "$data"
expect_sentence 1 "$T/missing.safetensors: *"
run eval "$T" --data "$data"
expect_sentence 1 "$T: *"
echo 'These are no weights, and the file is longer than its header would be.' >"$T/text"
run eval "$T/text" --data "$data"
expect_sentence 1 "$T/text: *"
: >"$T/empty"
run predict "$T/empty" "$T/text"
expect_sentence 1 "$T/empty: *"
size=$(stat -c %s "$checkpoint")
for length in 4 100 5000 $((size / 2)) $((size - 1)); do
    head -c "$length" "$checkpoint" >"$T/short"
    run eval "$T/short" --data "$data"
    expect_sentence 1 "$T/short: *"
done
for offset in 9 700 $((size / 3)) $((size / 2)) $((size - 5)); do
    cp "$checkpoint" "$T/flipped"
    byte=$(od -An -tu1 -j "$offset" -N 1 "$checkpoint" | tr -d ' ')
    printf '%b' "\\0$(printf %o $((byte ^ 64)))" |
        dd of="$T/flipped" bs=1 seek="$offset" conv=notrunc 2>"$T/err"
    run eval "$T/flipped" --data "$data"
    expect_sentence 1 "$T/flipped: *"
done
header='{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
printf '%b\0\0\0\0\0\0\0%s\0\0\0\0' "\\0$(printf %o ${#header})" "$header" >"$T/foreign"
run eval "$T/foreign" --data "$data"
expect_sentence 1 "$T/foreign: *"
# A header that claims 2^62 bytes.
printf '\0\0\0\0\0\0\0\100%s' "$header" >"$T/huge"
run eval "$T/huge" --data "$data"
expect_sentence 1 "$T/huge: *"

# ---- Data ----
run eval "$checkpoint" --data "cifar10:$T/none"
expect_sentence 1 "*$T/none*"
run eval "$checkpoint" --data nothing
expect_sentence 2 '*nothing*'
run eval "$checkpoint" --data "cifr10:$T/data"
expect_sentence 2 '*cifr10*cifar10*'
cp -r "$T/data" "$T/bad"
rm "$T/bad/data_batch_3.bin"
train "$T/none-1"
data=cifar10:$T/bad
train "$T/none-2"
expect_sentence 1 '*data_batch_3.bin*'
head -c 40000 "$T/data/data_batch_3.bin" >"$T/bad/data_batch_3.bin"
train "$T/none-3"
expect_sentence 1 '*data_batch_3.bin*40000*'
cp "$T/data/data_batch_3.bin" "$T/bad/"
printf x >>"$T/bad/data_batch_3.bin"
train "$T/none-4"
expect_sentence 1 '*data_batch_3.bin*49169*'
cp "$T/data/data_batch_3.bin" "$T/bad/"
printf '\012' | dd of="$T/bad/data_batch_3.bin" bs=1 seek=3073 conv=notrunc 2>"$T/err"
train "$T/none-5"
expect_sentence 1 '*data_batch_3.bin*3073*label 10*'
data=cifar10:$T/data

# Ten classes of weights on a hundred classes of data.
mkdir "$T/hundred"
for name in train test; do
    perl -e 'binmode STDOUT; print pack("C2", 3, $_) . "x" x 3072 for 0 .. 15' \
        >"$T/hundred/$name.bin"
done
run eval "$checkpoint" --data "cifar100:$T/hundred"
expect_sentence 1 '*10 classes*100 classes*'

# ---- Models ----
run train --model resnet21 --data "$data" --out "$T/none-6"
expect_sentence 2 '*resnet21*resnet20*'
run train --model resnet20 --data "$data" --out "$T/none-7" --init "$T/text"
expect_sentence 1 "$T/text: *"
run train --model resnet32 --data "$data" --out "$T/none-8" --init "$checkpoint"
expect_sentence 1 "$checkpoint: *resnet20*resnet32*"

# ---- Folders and disks ----
train "$T/text/out"
expect_sentence 1 "$T/text*"
train /proc/resnet-test
expect_sentence 1 '/proc/resnet-test*'
run eval "$checkpoint" --data "$data" --logits "$T/no/such/folder.npy"
expect_sentence 1 "$T/no/such/folder.npy*"
run paper --data "$data" --out "$T/text/out" --batch 16
expect_sentence 1 "$T/text*"
code=0
command='resnet models >/dev/full'
"$PROGRAM" models >/dev/full 2>"$T/err" || code=$?
: >"$T/out"
expect 1 '' 'resnet: standard output: No space left on device'

# A disk that is full: files may grow to 64 KiB here, and a write beyond that fails.
(
    trap '' XFSZ
    ulimit -f 64
    "$PROGRAM" train --model resnet20 --data "$data" --out "$T/good" --batch 16 --iterations 4 \
        --lr 0.05 --resume --save-every 1 >"$T/out" 2>"$T/err"
    echo $? >"$T/code"
)
command='resnet train, files limited to 64 KiB'
code=$(cat "$T/code")
expect_like 1 '' '*resnet: *checkpoint.safetensors*'
[ "$(hash_of "$checkpoint")" = "$before" ] || fail 'a full disk harmed the checkpoint'
[ "$(find "$T/good" -name '*.partial*')" = '' ] || fail 'half a file was left'

# The same on a file system that is really full, where one can be mounted.
mkdir "$T/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=3m tmpfs "$T/disk" 2>"$T/err"; then
    trap 'umount "$T/disk"; rm -rf "$T"' EXIT
    cp -r "$T/good" "$T/disk/good"
    head -c 4m /dev/zero >"$T/disk/filler" 2>"$T/err"
    train "$T/disk/good" --resume
    expect_like 1 '' '*resnet: */disk/good/*No space left on device*'
    [ "$(hash_of "$T/disk/good/checkpoint.safetensors")" = "$before" ] ||
        fail 'a full disk harmed the checkpoint'
fi

# After all this the training goes on to the same end as one that was never disturbed.
train "$T/good" --resume
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(hash_of "$checkpoint")" = "$(hash_of "$T/none-1/checkpoint.safetensors")" ] ||
    fail 'the failures changed the result'
for directory in "$T"/none-[2-8]; do
    [ ! -e "$directory" ] || fail "$directory was made though nothing could be trained"
done
