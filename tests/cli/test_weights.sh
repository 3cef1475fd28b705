#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet inspect` and `resnet convert` on weights as others publish them: other names, a wrapper, no
# metadata; and what `eval`, `predict` and `summary` make of such files.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
data=cifar10:$T/data
run train --model resnet20 --data "$data" --out "$T/run" --batch 16 --iterations 2 --lr 0.02
[ "$code" = 0 ] || fail 'expected exit code 0'
own=$T/run/model.safetensors
foreign=$T/foreign.safetensors
rewrite_safetensors "$own" "$foreign" 's/^fc\./linear./; s/^/module./'
tensors=$(($(grep -aoE '"dtype"' "$foreign" | wc -l)))
default='taking that of --preset cifar, --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225'
imagenet='--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225'

# ---- inspect ----
run inspect "$own"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^tensor +name here +dtype +shape$'
expect_line '^layer1\.0\.conv1\.weight +same +F32 +16x16x3x3$'
expect_line '^format +safetensors$'
expect_line '^layout +resnet$'
expect_line '^model +resnet20, shortcut A, 10 classes$'
expect_line '^(metadata)? +resnet\.model = resnet20$'
if grep -q '^stride in' "$T/out"; then fail 'resnet20 has no choice of stride'; fi

run inspect "$foreign"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^module\.linear\.weight +fc\.weight +F32 +10x64$'
expect_line '^layout +cifar, names begin with module\.$'
expect_line '^model +resnet20, shortcut A, 10 classes$'
run inspect "$foreign" --json
[ "$code" = 0 ] || fail 'expected exit code 0'
for part in '"format":"safetensors"' '"layout":"cifar"' '"wrapper":"module."' '"model":"resnet20"' \
    '"shortcut":"A"' '"stride_in":null' '"classes":10' '"refused":null' '"metadata":\{\}' '"notes":\[' \
    '\{"name":"module.linear.weight","parameter":"fc.weight","dtype":"F32","shape":\[10,64\]\}'; do
    expect_line "$part"
done
[ "$(grep -o '"dtype"' "$T/out" | wc -l)" = "$tensors" ] || fail "expected $tensors tensors"
run inspect "$foreign" --model resnet20
[ "$code" = 0 ] || fail 'expected exit code 0'

# Refused: the table and the reason, exit code 1; as JSON also where nothing can be read.
rewrite_safetensors "$own" "$T/odd" 's/^layer2\.0\.conv1\./layer2.0.mixer./'
run inspect "$T/odd"
expect_like 1 '*layer2.0.mixer.weight*model *not recognised*' 'resnet: *layer2.0*'
run inspect "$T/odd" --json
expect_like 1 '*"model":null*"classes":null*"refused":"*layer2.0*' 'resnet: *layer2.0*'
run inspect "$foreign" --model resnet32
expect_like 1 '*not recognised*' 'resnet: *resnet32*'
echo 'no weights, though longer than the eight bytes of a length' >"$T/text"
run inspect "$T/text"
expect_sentence 1 "$T/text: *"
run inspect "$T/text" --json
expect_like 1 "{\"file\":\"$T/text\",\"format\":null,*\"model\":null,*\"refused\":\"$T/text: *\",*\"tensors\":[]}" \
    "resnet: $T/text: *"
run inspect "$T/none"
expect_sentence 1 "$T/none: *"

# A name that a terminal would obey is shown without its power.
rewrite_safetensors "$own" "$T/escape" 's/^fc\.bias$/\\u001b[31mred\\u0007/'
run inspect "$T/escape"
if grep -q "$(printf '[\033\007]')" "$T/out" "$T/err"; then fail 'a control character is shown'; fi

# ---- convert ----
run convert "$foreign" "$T/new.safetensors"
expect_like 0 "wrote $T/new.safetensors
format      safetensors
layout      resnet
model       resnet20, shortcut A, 10 classes
metadata *
classes have no names; --labels FILE gives them" \
    "resnet: warning: $foreign carries no normalisation; $default"
expect_line '^ +resnet\.mean = 0\.485'
seq -f 'kind %g' 0 9 >"$T/labels"
# shellcheck disable=SC2086 # options are words
run convert "$foreign" "$T/named.safetensors" --labels "$T/labels" $imagenet
expect_like 0 "wrote $T/named.safetensors*" ''
expect_line 'resnet\.classes = .*kind 0'
run convert "$foreign" "$T/json.safetensors" --preset cifar --json
expect_like 0 "{\"file\":\"$T/json.safetensors\",\"format\":\"safetensors\",\"layout\":\"resnet\",*" ''
# All that ours says stays.
run convert "$own" "$T/own.safetensors"
expect_like 0 "wrote $T/own.safetensors*airplane*" ''
[ "$(hash_of "$T/own.safetensors")" = "$(hash_of "$own")" ] || fail 'a copy of our own file differs'
head -n 9 "$T/labels" >"$T/nine"
run convert "$foreign" "$T/none.safetensors" --labels "$T/nine"
expect_sentence 1 "$T/nine: *"
run convert "$T/odd" "$T/none.safetensors"
expect_like 1 '' 'resnet: *layer2.0*'
run convert "$foreign" "$T/none.safetensors" --stride-in 1x1
expect_like 2 '' 'resnet: *resnet20*'
[ ! -e "$T/none.safetensors" ] || fail 'a file was written though nothing could be converted'
run convert "$foreign" "$T/no/such/folder" --preset cifar
expect_sentence 1 "$T/no/such/folder*"

# ---- eval: the same figures from the foreign file and from what was made of it ----
figures() { sed 's/,"seconds.*//' "$T/out"; }
run eval "$foreign" --data "$data" --json
expect_like 0 '{"model":"resnet20","samples":16,"failed":0,*' \
    "resnet: warning: $foreign carries no normalisation; $default"
expected=$(figures)
for options in '--preset cifar' "$imagenet" '--model resnet20 --preset torchvision'; do
    # shellcheck disable=SC2086 # options are words
    run eval "$foreign" --data "$data" --json $options
    expect_like 0 '*' ''
    [ "$(figures)" = "$expected" ] || fail "$options: other figures"
done
for file in new named json; do
    run eval "$T/$file.safetensors" --data "$data" --json
    expect_like 0 '*' ''
    [ "$(figures)" = "$expected" ] || fail "$file: other figures"
done
run eval "$foreign" --data "$data" --json --preset caffe
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(figures)" != "$expected" ] || fail '--preset changes nothing'

# ---- predict: labels by name where there are names ----
run predict "$own" --data "$data" --samples 1,2 --png "$T/png" --top 1
[ "$code" = 0 ] || fail 'expected exit code 0'
picture=$T/png/sample-1.png
run predict "$foreign" --preset cifar --top 1 "$picture"
expect_like 0 "$picture
*%  class [0-9]" ''
run predict "$foreign" --preset cifar --top 1 "$picture" --labels "$T/labels"
expect_like 0 "$picture
*%  kind [0-9]" ''
run predict "$foreign" --preset cifar --top 1 --data "$data" --samples 1
expect_like 0 'sample 1 is automobile: *
*%  [a-z]*' ''
if grep -q class "$T/out"; then fail 'the data set has names for its classes'; fi
run predict "$T/named.safetensors" --top 10 --json "$picture"
expect_like 0 '{*"label":"kind *' ''
answer=$(sed 's/.*"predictions"//' "$T/out")

run_with() { # STDIN ARGUMENT...
    input=$1
    shift
    command="resnet $* <$input"
    code=0
    "$PROGRAM" "$@" >"$T/out" 2>"$T/err" <"$input" || code=$?
}
run_with "$picture" predict "$T/named.safetensors" --top 10 --json -
expect_like 0 '{"file":"-",*' ''
[ "$(sed 's/.*"predictions"//' "$T/out")" = "$answer" ] || fail 'standard input: another answer'
run_with "$picture" predict "$T/named.safetensors" --top 1 -
expect_like 0 "standard input
*%  kind [0-9]" ''
run_with "$T/text" predict "$T/named.safetensors" "$picture" - "$T/png/sample-2.png"
expect_like 1 "$picture
*$T/png/sample-2.png
*" 'resnet: standard input: *
resnet: 1 of 3 images could not be classified'

# Twice: the first takes all of it, the second finds nothing.
run_with "$picture" predict "$T/named.safetensors" --top 1 - "$picture" -
expect_like 1 "standard input
*%  kind [0-9]
$picture
*%  kind [0-9]" 'resnet: standard input: *
resnet: 1 of 3 images could not be classified'

# A file's name that is no UTF-8 still gives JSON.
latin=$T/$(printf 'k\344fer.png')
cp "$picture" "$latin"
run predict "$T/named.safetensors" --json "$latin"
expect_like 0 '{"file":"*k'$'\xef\xbf\xbd''fer.png","predictions":*' ''

# ---- views and stages ----
for view in --exif --ten-crop; do
    run predict "$T/named.safetensors" "$view" --json "$picture"
    expect_like 0 '{"file":*"predictions":*' ''
done
run predict "$T/named.safetensors" --top 1 --explain-preprocess "$T/stages" "$picture"
expect_like 0 "$picture
*
the stages of its preprocessing are in $T/stages" ''
for kind in png npy; do
    [ -n "$(find "$T/stages" -name "*.$kind" -size +0)" ] || fail "no stage as $kind"
done
run predict "$T/named.safetensors" --explain-preprocess "$T/text/stages" "$picture"
expect_sentence 1 "$T/text: *"

# ---- photographs: folder: and list:, where one of them cannot be read ----
mkdir -p "$T/photos/val/a" "$T/photos/val/b"
cp "$picture" "$T/photos/val/a/1.png"
cp "$T/png/sample-2.png" "$T/photos/val/b/2.png"
cp "$T/text" "$T/photos/val/b/3.png"
for label in 0 1 2 3 4 5 6 7 8 9; do
    echo "photos/val/a/1.png $label further columns"
done >"$T/list.txt"
run eval "$T/named.safetensors" --data "list:$T/list.txt" --json
expect_like 0 '{"model":"resnet20","samples":10,"failed":0,"correct":1,"correct5":5,*' ''
echo 'photos/val/b/3.png 3' >>"$T/list.txt"
echo 'photos/val/b/2.png 4' >>"$T/list.txt"
run eval "$T/named.safetensors" --data "list:$T/list.txt" --json --logits "$T/logits.npy"
expect_like 1 '{"model":"resnet20","samples":11,"failed":1,*' \
    "resnet: $T/photos/val/b/3.png: *
resnet: 1 of 12 images could not be read"
[ "$(stat -c %s "$T/logits.npy")" = $((128 + 12 * 10 * 4)) ] || fail 'logits.npy has another size'
not_a_number=$(tail -c $((12 * 10 * 4)) "$T/logits.npy" | od -An -v -tf4 -w40 | grep -c nan)
[ "$not_a_number" = 1 ] || fail "$not_a_number rows of the logits are no numbers, expected 1"
run predict "$T/named.safetensors" --data "list:$T/list.txt" --samples 4,10,11 --top 1
expect_like 1 'sample 4 is kind 4: *
*sample 11 is kind 4: *' 'resnet: *3.png: *
resnet: 1 of 3 images could not be classified'
run eval "$T/named.safetensors" --data "folder:$T/photos" --json
expect_like 1 '*' "resnet: *"

# ---- several scales want a model that pools over the whole ----
# AlexNet with weights 0 in half precision, nearly all of which is a hole in the file.
perl -e '
    my @shapes = (["features.0", 64, 3, 11, 11], ["features.3", 192, 64, 5, 5],
        ["features.6", 384, 192, 3, 3], ["features.8", 256, 384, 3, 3],
        ["features.10", 256, 256, 3, 3], ["classifier.1", 4096, 9216],
        ["classifier.4", 4096, 4096], ["classifier.6", 10, 4096]);
    my ($end, @entries) = (0);
    for (@shapes) {
        my ($name, @dims) = @$_;
        for (["weight", @dims], ["bias", $dims[0]]) {
            my ($kind, @extents) = @$_;
            my ($begin, $size) = ($end, 2);
            $size *= $_ for @extents;
            $end += $size;
            push @entries, sprintf q("%s.%s":{"dtype":"F16","shape":[%s],"data_offsets":[%d,%d]}),
                $name, $kind, join(",", @extents), $begin, $end;
        }
    }
    my $header = "{" . join(",", @entries) . "}";
    $header .= " " x (-length($header) % 8);
    open my $file, ">:raw", $ARGV[0] or die;
    print $file pack("Q<", length $header), $header;
    close $file;
    truncate $ARGV[0], 8 + length($header) + $end;' "$T/alexnet.safetensors"
run predict "$T/alexnet.safetensors" --preset torchvision --top 1 "$picture"
expect_like 0 "$picture
*10.00 %  class 0" ''
one_size='alexnet takes pictures of 224x224 only (it has no global pooling)*'
run predict "$T/alexnet.safetensors" --preset torchvision --multi-scale "$picture" "$picture"
expect_sentence 2 "$one_size"
run eval "$T/alexnet.safetensors" --preset torchvision --multi-scale --data "list:$T/list.txt"
expect_sentence 2 "$one_size"

# ---- train: begins with a foreign file as with our own ----
for init in own foreign; do
    run train --model resnet20 --data "$data" --out "$T/init-$init" --batch 16 --iterations 1 \
        --lr 0.02 --init "${!init}"
    [ "$code" = 0 ] || fail 'expected exit code 0'
done
[ "$(hash_of "$T/init-own/model.safetensors")" = "$(hash_of "$T/init-foreign/model.safetensors")" ] ||
    fail '--init: a foreign file begins another training'

# ---- auxiliary heads: in the checkpoint of a training, and in nothing that is read as a model ----
run train --model googlenet --data "$data" --out "$T/heads" --batch 16 --iterations 1 --lr 0.01
[ "$code" = 0 ] || fail 'expected exit code 0'
run inspect "$T/heads/checkpoint.safetensors"
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^model +googlenet, shortcut none, 10 classes$'
expect_line '18 tensors of auxiliary classifiers, for training only, are left out'
run convert "$T/heads/checkpoint.safetensors" "$T/heads/converted.safetensors"
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(hash_of "$T/heads/converted.safetensors")" = "$(hash_of "$T/heads/model.safetensors")" ] ||
    fail 'convert: the checkpoint is another model'
if grep -qa 'aux[12]' "$T/heads/model.safetensors"; then fail 'the model has heads'; fi

# ---- summary ----
run summary "$foreign" --json
expect_like 0 '{"model":"resnet20","shortcut":"A","precision":"fp32","input":[[]3,32,32[]],"classes":10,*"parameters":269722,*' ''
run summary "$T/odd"
expect_like 1 '' 'resnet: *layer2.0*'
