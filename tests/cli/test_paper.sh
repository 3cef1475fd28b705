#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet paper`: four short trainings, a table, a report; interrupted and repeated.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
paper() { # DIR ARGUMENT...
    directory=$1
    shift
    run paper --data "cifar10:$T/data" --out "$T/$directory" --only degradation --iterations 6 \
        --batch 16 --lr 0.05 "$@"
}

paper one
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^model +layers +parameters +training error +test error +seconds$'
for row in 'plain-20 +20 +269,722' 'plain-56 +56 +853,018' 'resnet-20 +20 +269,722' \
    'resnet-56 +56 +853,018'; do
    expect_line "^$row +[0-9.]+ % +[0-9.]+ % +[0-9,]+\$"
done
expect_line '^The paper  The deep plain nets suffer'
expect_line "^- plain-56's training error (is [0-9.]+ points (above|below)|equals) plain-20's"
expect_line "^- resnet-56's training error (is [0-9.]+ points (above|below)|equals) plain-56's"
expect_line "^Report with curves: $T/one/report.html\$"
for model in plain20 plain56 resnet20 resnet56; do
    for file in run.json curve.jsonl metrics.jsonl model.safetensors; do
        [ -s "$T/one/runs/$model/$file" ] || fail "$model/$file is missing"
    done
    grep -q '"iteration":6,' "$T/one/runs/$model/curve.jsonl" || fail 'the curve has no end'
done

# The page: whole, self-contained, four curves twice (for screens and for phones).
page=$T/one/report.html
head -n 1 "$page" | grep -q '^<!doctype html>$' || fail 'the page has no beginning'
tail -n 1 "$page" | grep -q '^</html>$' || fail 'the page has no end'
[ "$(grep -cE 'class="chart (wide|narrow)"' "$page")" = 2 ] || fail 'expected two drawings'
for word in plain-20 plain-56 resnet-20 resnet-56 'resnet paper --data' prefers-color-scheme; do
    grep -qF -- "$word" "$page" || fail "the page does not show $word"
done
if grep -qE '<script|<link|src=|url\(|nan|inf[^o]' "$page"; then
    fail 'the page needs something else, or shows what is no number'
fi

# Each run with the SHA-256 of its weights and the command that makes the same weights again.
for model in plain20 resnet56; do
    grep -qF "sha256:$(hash_of "$T/one/runs/$model/model.safetensors")<" "$page" ||
        fail "the page does not show the hash of $model"
    again=$(grep -o "resnet train --model $model [^<]*" "$page") || fail "no command for $model"
    # shellcheck disable=SC2086 # words of the command
    run ${again#resnet } --out "$T/again-$model"
    [ "$code" = 0 ] || fail 'the command of the report does not run'
    cmp -s "$T/again-$model/model.safetensors" "$T/one/runs/$model/model.safetensors" ||
        fail "the command of the report gives other weights for $model"
done
command='report.html'

# The same as text, with pictures beside it.
text=$T/one/report.md
grep -q '^# Deep residual learning' "$text" || fail 'report.md has no title'
grep -q '^| plain-20 | 20 | 269,722 |' "$text" || fail 'report.md has no table'
pictures=$(grep -oE '\(figures/[a-z-]+\.svg\)' "$text" | tr -d '()')
[ "$(wc -w <<<"$pictures")" = 5 ] || fail "expected five pictures: $pictures"
for picture in $pictures; do
    grep -q '^<svg xmlns' "$T/one/$picture" || fail "$picture is no picture"
    grep -q prefers-color-scheme "$T/one/$picture" || fail "$picture has no dark colours"
done
[ "$(stat -c %s "$page")" -lt 2000000 ] || fail 'the page is above 2 MB'
if command -v tidy >/dev/null; then
    tidy -quiet -errors "$page" >"$T/out" 2>"$T/err" || fail 'the page is not valid HTML'
fi

# Repeated, nothing is trained again; asked for something else, nothing is mixed.
weights=$(hash_of "$T/one/runs/resnet56/model.safetensors")
paper one --json
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^\{"runs":\[(\{"model":"[a-z]+[0-9]+","seed":1,"train_top1":[0-9.]+,"test_top1":[0-9.]+,"train_loss":[0-9.e-]+,"test_loss":[0-9.e+-]+,"seconds":[0-9.]+,"parameters":[0-9]+\},?){4}\]\}$'
[ "$(grep -c 'finished earlier' "$T/err")" = 4 ] || fail 'expected four finished runs'
[ "$(hash_of "$T/one/runs/resnet56/model.safetensors")" = "$weights" ] || fail 'trained again'
results() { sed 's/"seconds":[0-9.]*,//g' "$T/out"; }
reference=$(results)
paper one --batch 8
expect_like 1 '' '*runs/plain20/run.json: this run was begun with batch 16, not 8; *'

# Interrupted in the middle of a run, it goes on to the same figures and the same curves.
"$PROGRAM" paper --data "cifar10:$T/data" --out "$T/two" --iterations 6 --batch 16 --lr 0.05 \
    --json >"$T/out" 2>"$T/err" </dev/null &
pid=$!
for _ in $(seq 1200); do
    [ -s "$T/two/runs/plain56/curve.jsonl" ] && break
    sleep 0.05
done
kill -INT "$pid"
code=0
wait "$pid" || code=$?
command='resnet paper, SIGINT'
expect_like 130 '' '*stopped at iteration * of 6 of *; the same command goes on'
paper two --json --threads 1
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(results)" = "$reference" ] || fail "expected the figures $reference"
for model in plain20 plain56 resnet20 resnet56; do
    cmp -s "$T/one/runs/$model/curve.jsonl" "$T/two/runs/$model/curve.jsonl" ||
        fail "the curve of $model differs"
done
