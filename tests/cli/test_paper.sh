#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet paper`: all experiments from short trainings, each network once; a report that is made from
# the lines in the folder; interrupted, killed, repeated, changed.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
data=cifar10:$T/data
paper() { # DIR ARGUMENT...
    directory=$1
    shift
    run paper --data "$data" --out "$T/$directory" --scale quick --batch 16 --lr 0.05 --no-timing \
        "$@"
}
one() { paper one --iterations 2 "$@"; }

one
[ "$code" = 0 ] || fail 'expected exit code 0'
for title in 'Degradation: plain against' 'Gradients: the degradation is not' 'Depth: 18 against 34' \
    'Shortcuts: identity against' 'Bottleneck blocks: deeper' 'Comparison: residual nets' \
    'Responses: residual functions'; do
    expect_line "^$title"
done
expect_line '^network +layers +parameters +training error +test error +seconds +paper.s test error'
for row in 'plain-20 +20 +269,722' 'plain-56 +56 +853,018' 'resnet-20 B +20 +272,474' \
    'bottleneck-29 +29 +313,114' 'VGG-16 small +14 +923,130'; do
    expect_line "^$row +[0-9.]+ ± [0-9.]+ % +[0-9.]+ ± [0-9.]+ % +[0-9,]+ "
done
expect_line '^VGG-16 +138,357,544 +15.47 G +15.30 G .* 28.07 % +9.33 %'
expect_line '^The paper  The deep plain nets suffer'
expect_line "^- plain-56's training error (is [0-9.]+ points (above|below)|equals) plain-20's"
expect_line '^  Left out at the scale quick: plain-32, plain-44, resnet-32, resnet-44,'
expect_line "^Report with curves: $T/one/report.html\$"
[ "$(find "$T/one/runs" -mindepth 1 -maxdepth 1 | wc -l)" = 15 ] || fail 'expected 15 trainings'
for file in run.json curve.jsonl metrics.jsonl gradients.jsonl model.safetensors; do
    [ -s "$T/one/runs/resnet20-B/$file" ] || fail "$file is missing"
done
[ "$(wc -l <"$T/one/costs.jsonl")" = 28 ] || fail 'expected the costs of 15 and 13 networks'
grep -qE 'expected|about [0-9.]+ (s|min).* to go' "$T/err" || fail 'expected an estimate'

# The page: whole and self-contained.
page=$T/one/report.html
head -n 1 "$page" | grep -q '^<!doctype html>$' || fail 'the page has no beginning'
tail -n 1 "$page" | grep -q '^</html>$' || fail 'the page has no end'
for word in plain-20 bottleneck-29 '<span>paper</span> <span>--data</span>' prefers-color-scheme; do
    grep -qF -- "$word" "$page" || fail "the page does not show $word"
done
if grep -qE '<script|<link|src=|url\(|[ >-](nan|inf)[ <]' "$page"; then
    fail 'the page needs something else, or shows what is no number'
fi

# Each run with the SHA-256 of its weights and the command that makes the same weights again.
for key in plain20 resnet20-B; do
    grep -qF "sha256:$(hash_of "$T/one/runs/$key/model.safetensors")<" "$page" ||
        fail "the page does not show the hash of $key"
    choice=${key/-B/ --shortcut B}
    again=$(grep -o "resnet train --model $choice --data [^\`]*" "$T/one/report.md" | head -n 1)
    [ -n "$again" ] || fail "no command for $key"
    # shellcheck disable=SC2086 # words of the command
    run ${again#resnet } --out "$T/again-$key"
    [ "$code" = 0 ] || fail 'the command of the report does not run'
    cmp -s "$T/again-$key/model.safetensors" "$T/one/runs/$key/model.safetensors" ||
        fail "the command of the report gives other weights for $key"
done
command='report.html'

# The same as text, with pictures beside it.
text=$T/one/report.md
grep -q '^# Deep residual learning' "$text" || fail 'report.md has no title'
grep -q '^| plain-20 | 20 | 269,722 |' "$text" || fail 'report.md has no table'
pictures=$(grep -oE '\(figures/[a-z-]+\.svg\)' "$text" | tr -d '()')
[ "$(wc -w <<<"$pictures")" -ge 15 ] || fail "expected fifteen pictures: $pictures"
for picture in $pictures; do
    grep -q '^<svg xmlns' "$T/one/$picture" || fail "$picture is no picture"
    grep -q prefers-color-scheme "$T/one/$picture" || fail "$picture has no dark colours"
done
[ "$(stat -c %s "$page")" -lt 2000000 ] || fail 'the page is above 2 MB'
if command -v tidy >/dev/null; then
    tidy -quiet -errors "$page" >"$T/out" 2>"$T/err" || fail 'the page is not valid HTML'
fi

# Repeated, nothing is trained again; asked for something else, nothing is mixed or lost.
weights=$(hash_of "$T/one/runs/resnet56/model.safetensors")
one --json
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^\{"experiments":\[\{"name":"degradation","agrees":(true|false),"headline":"[^"]+","sentences":\['
expect_line '"runs":\[(\{"net":"[a-zA-Z0-9-]+","model":"[a-z_0-9]+","seed":1,"train_top1":[0-9.]+,"test_top1":[0-9.]+,"train_loss":[0-9.e-]+,"test_loss":[0-9.e+-]+,"seconds":[0-9.]+,"parameters":[0-9]+,"macs":[0-9]+\},?){15}\]\}$'
[ "$(grep -c 'finished earlier' "$T/err")" = 15 ] || fail 'expected 15 finished runs'
[ "$(hash_of "$T/one/runs/resnet56/model.safetensors")" = "$weights" ] || fail 'trained again'
one --batch 8
expect_sentence 1 "$T/one/runs/plain20/run.json: this run was begun with batch 16, not 8; *"
paper one --iterations 3
expect_sentence 1 "$T/one/runs/plain20/run.json: this run was begun with iterations 2, not 3; *"
one --recipe short
expect_sentence 1 "$T/one/runs/plain20/run.json: this run was begun with recipe \"paper\", not \"short\"; *"
[ "$(hash_of "$T/one/runs/resnet56/model.safetensors")" = "$weights" ] || fail 'something is lost'

# Every number comes from a line of a file: one that is changed there is changed in the report.
changed() { # FILE SED TEXT
    cp "$T/one/$1" "$T/kept"
    sed -i "$2" "$T/one/$1"
    cmp -s "$T/kept" "$T/one/$1" && fail "nothing was changed in $1"
    grep -qF -- "$3" "$page" "$T/one/report.md" && fail "the report shows $3 already"
    one
    [ "$code" = 0 ] || fail 'expected exit code 0'
    grep -qF -- "$3" "$page" || fail "$1: the page does not show $3"
    grep -qF -- "$3" "$T/one/report.md" || fail "$1: report.md does not show $3"
    grep -qF -- "$3" "$T/out" || fail "$1: the terminal does not show $3"
    cp "$T/kept" "$T/one/$1"
}
changed runs/resnet20/metrics.jsonl 's/"test_top1":[0-9.]*/"test_top1":12.345678/' '87.65'
changed runs/plain56/curve.jsonl 's/"train_error":[0-9.]*/"train_error":12.341/' '12.34'
changed runs/plain56/gradients.jsonl 's/"gradient_norm":[0-9.]*/"gradient_norm":271828/' '2.72e+05'
changed runs/resnet56/gradients.jsonl 's/"response_std":[0-9.]*/"response_std":7.654/' '7.654'
changed costs.jsonl 's/"macs":19[0-9]*,/"macs":7654321,/' '7.7 M'

# Weights of others, on pictures.
run predict "$T/one/runs/resnet20/model.safetensors" --data "$data" --samples 0,1,2 --png "$T/png"
[ "$code" = 0 ] || fail 'expected exit code 0'
printf '%s\n' 'png/sample-0.png 0' 'png/sample-1.png 1' 'png/sample-2.png 2' >"$T/list.txt"
one --only comparison --weights "$T/one/runs/resnet20/model.safetensors" --images "list:$T/list.txt"
[ "$code" = 0 ] || fail 'expected exit code 0'
tr -s ' \n' ' ' <"$T/out" |
    grep -qE "resnet20/model.safetensors is resnet20: top-1 error [0-9.]+ %, top-5 error [0-9.]+ % on 3 images" ||
    fail 'expected the accuracy of these weights'
[ "$(wc -l <"$T/one/accuracies.jsonl")" = 1 ] || fail 'expected one accuracy'
one --only comparison --weights "$T/nowhere.pth" --images "list:$T/list.txt"
expect_like 1 '' "*resnet: $T/nowhere.pth: *"

# Bad data: one sentence, before anything is trained.
run paper --data "cifar10:$T/nowhere" --out "$T/none" --scale quick
expect_sentence 1 "*$T/nowhere*"
run paper --data "list:$T/list.txt" --out "$T/none" --scale quick
expect_sentence 2 "data 'list:$T/list.txt' are photographs in files, but the experiments train on *"
run paper --data "$data" --out "$T/none" --scale quick
expect_sentence 2 "data '$data' have 80 training images, fewer than a batch of 128; *"
[ -e "$T/none" ] && fail 'a folder was made for nothing'

# Seeds beside one another where they are asked for; those that are there count from then on.
two() { paper "$1" --only gradients --iterations 6 --json "${@:2}"; }
results() { sed 's/"seconds":[0-9.]*,//g' "$T/out"; }
two two
[ "$code" = 0 ] || fail 'expected exit code 0'
reference=$(results)
[ -e "$T/two/runs/resnet56-seed2" ] && fail 'a second seed, not asked for'
two two --seeds 2
[ "$code" = 0 ] || fail 'expected exit code 0'
[ -s "$T/two/runs/resnet56-seed2/model.safetensors" ] || fail 'the second seed is missing'
both=$(results)
two two
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(results)" = "$both" ] || fail 'the second seed is forgotten'
grep -q 'plain-56 over 2, resnet-56 over 2 seeds' "$T/two/report.md" || fail 'how many seeds?'

# Interrupted, or killed, in the middle of a run, it goes on to the same figures and curves. Under a
# sanitizer trainings take ten times as long, and cli.train stops and resumes one.
signals=(INT KILL)
[ -z "${RESNET_SANITIZE:-}" ] || signals=()
for signal in "${signals[@]}"; do
    "$PROGRAM" paper --data "$data" --out "$T/$signal" --scale quick --batch 16 --lr 0.05 \
        --no-timing --only gradients --iterations 6 --json >"$T/out" 2>"$T/err" </dev/null &
    pid=$!
    for _ in $(seq 1200); do
        [ -s "$T/$signal/runs/resnet56/curve.jsonl" ] && break
        sleep 0.02
    done
    kill -"$signal" "$pid"
    code=0
    wait "$pid" 2>"$T/wait" || code=$?
    command="resnet paper, SIG$signal"
    if [ "$signal" = INT ]; then
        expect_like 130 '' '*stopped at iteration * of 6 of *; the same command goes on'
    else
        [ "$code" = 137 ] || fail 'expected exit code 137'
    fi
    two "$signal" --threads 1
    [ "$code" = 0 ] || fail 'expected exit code 0'
    [ "$(results)" = "$reference" ] || fail "expected the figures $reference"
    for model in plain56 resnet56; do
        for file in curve.jsonl gradients.jsonl; do
            cmp -s "$T/two/runs/$model/$file" "$T/$signal/runs/$model/$file" ||
                fail "$file of $model differs"
        done
    done
done

# A disk that is full: files may grow to 64 KiB here. With room again, it goes on.
(
    trap '' XFSZ
    ulimit -f 64
    "$PROGRAM" paper --data "$data" --out "$T/full" --scale quick --batch 16 --lr 0.05 \
        --no-timing --only gradients --iterations 6 --json >"$T/out" 2>"$T/err"
    echo $? >"$T/code"
)
command='resnet paper, files limited to 64 KiB'
code=$(cat "$T/code")
expect_like 1 '' '*resnet: *checkpoint.safetensors*'
[ "$(find "$T/full" -name '*.partial*')" = '' ] || fail 'half a file was left'
two full
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(results)" = "$reference" ] || fail "expected the figures $reference"
exit 0
