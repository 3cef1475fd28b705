#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A training leaves the same bytes whatever the number of threads, the instruction set and the moments
# at which it is killed or interrupted.
. "$(dirname "$0")/common.sh"

make_cifar "$T/data" 1
train() { # DIR ARGUMENT...
    directory=$1
    shift
    run train --model resnet20 --data "cifar10:$T/data" --out "$T/$directory" --batch 16 \
        --iterations 12 --lr 0.05 "$@"
}
checkpoint() { hash_of "$T/$1/checkpoint.safetensors"; }

train one --threads 1
expect_like 0 "test error *%, training error *%, *; weights in $T/one/model.safetensors" \
    '*resnet20 on cifar10:*: 12 iterations, 2.4 epochs*epoch 1/2.4  train loss *'
if grep -q "$(printf '\033')" "$T/out" "$T/err"; then
    fail 'escape codes though nothing is a terminal'
fi
for file in checkpoint.safetensors model.safetensors metrics.jsonl; do
    [ -s "$T/one/$file" ] || fail "$file is missing"
done
ls "$T"/one/events.* >"$T/out" 2>&1 || fail 'TensorBoard events are missing'
[ "$(find "$T/one" -name '*.partial*')" = '' ] || fail 'unfinished files were left'
reference=$(checkpoint one)

for threads in 2 5; do
    train "threads$threads" --threads "$threads" --json
    [ "$code" = 0 ] || fail 'expected exit code 0'
    [ "$(checkpoint "threads$threads")" = "$reference" ] || fail "$threads threads: other bytes"
    expect_line '^\{"epoch":1.0,"iteration":5,"train_loss":[0-9.e+-]+,"train_top1":[0-9.]+,"test_loss":[0-9.e+-]+,"test_top1":[0-9.]+,"lr":[0-9.e-]+,"seconds":[0-9.]+\}$'
    [ "$(wc -l <"$T/out")" = 3 ] || fail 'expected three lines of JSON: epochs 1, 2 and 2.4'
done

train other --seed 2
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(checkpoint other)" != "$reference" ] || fail 'another seed gives the same bytes'

for isa in avx512 avx2 neon; do
    export RESNET_ISA=$isa
    train "isa-$isa"
    unset RESNET_ISA
    case $(cat "$T/err") in
    *RESNET_ISA=*) continue ;; # not to be had here
    esac
    [ "$code" = 0 ] || fail 'expected exit code 0'
    [ "$(checkpoint "isa-$isa")" = "$reference" ] || fail "$isa: other bytes"
done
export RESNET_ISA=nonsense
train nonsense
unset RESNET_ISA
expect_sentence 2 '*RESNET_ISA=nonsense*'

# A folder with a checkpoint is not overwritten, and its settings are not changed under way.
train one
expect_sentence 2 "*$T/one/checkpoint.safetensors*--resume*"
[ "$(checkpoint one)" = "$reference" ] || fail 'the checkpoint has changed'
train one --resume --momentum 0.5
expect_sentence 2 '*momentum*'
train one --resume
[ "$code" = 0 ] || fail 'resuming what is finished: expected exit code 0'
[ "$(checkpoint one)" = "$reference" ] || fail 'resuming what is finished changes it'

# Step by step: stopped after every fifth iteration; recomputation may come and go.
train steps --stop-after 5
expect_like 130 '' '*resnet: stopped at iteration 5 of 12, saved in *; --resume goes on'
train steps --stop-after 5 --resume --threads 2
expect_like 130 '' '*going on from iteration 5*stopped at iteration 10 of 12*'
train steps --resume --recompute
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(checkpoint steps)" = "$reference" ] || fail 'stopping changes the result'
same_metrics() {
    sed 's/,"seconds":[^}]*//' "$T/one/metrics.jsonl" >"$T/a"
    sed 's/,"seconds":[^}]*//' "$T/$1/metrics.jsonl" >"$T/b"
    cmp -s "$T/a" "$T/b" || fail "$1: other lines in metrics.jsonl"
}
same_metrics steps

# kill -9 at random moments, then on until it is done.
background() {
    "$PROGRAM" train --model resnet20 --data "cifar10:$T/data" --out "$T/$1" --batch 16 \
        --iterations 12 --lr 0.05 --save-every 1 --resume >"$T/out" 2>"$T/err" </dev/null &
    pid=$!
}
for moment in 1 2 3; do
    background killed
    sleep "$((RANDOM % 2)).$((RANDOM % 900 + 100))"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
done
train killed --resume
[ "$code" = 0 ] || fail 'after kill -9: expected exit code 0'
[ "$(checkpoint killed)" = "$reference" ] || fail 'kill -9 changes the result'
[ "$(hash_of "$T/killed/model.safetensors")" = "$(hash_of "$T/one/model.safetensors")" ] ||
    fail 'kill -9 changes the model'
same_metrics killed

# SIGINT (Ctrl-C) and SIGTERM save and exit with 130.
for signal in INT TERM; do
    background "stop-$signal"
    for _ in $(seq 600); do
        [ -e "$T/stop-$signal/checkpoint.safetensors" ] && break
        sleep 0.05
    done
    kill -"$signal" "$pid"
    code=0
    wait "$pid" || code=$?
    command="resnet train, SIG$signal"
    expect_like 130 '' '*stopping: saving the checkpoint*stopped at iteration * of 12, saved in *'
    train "stop-$signal" --resume
    [ "$code" = 0 ] || fail 'expected exit code 0'
    [ "$(checkpoint "stop-$signal")" = "$reference" ] || fail "SIG$signal changes the result"
done
