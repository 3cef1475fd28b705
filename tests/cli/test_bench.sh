#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet bench`: its figures agree with each other, whatever the machine's speed.
. "$(dirname "$0")/common.sh"

# The number behind a key of the JSON line; the first one of that name.
number() { grep -oE "\"$1\":-?[0-9.e+-]+" "$T/out" | head -n 1 | cut -d: -f2; }
# holds EXPRESSION: an awk expression of numbers is true.
holds() { awk "BEGIN { exit !($1) }" || fail "does not hold: $1"; }

# ---- usage ----
run bench
expect_sentence 2 'bench wants a MODEL or a file of WEIGHTS; `resnet bench --help` shows an example'
run bench resnet20 resnet32
expect_sentence 2 "bench does not know what to do with 'resnet32'"
run bench resnet20 --precision int4
expect_sentence 2 "--precision wants one of *fp32*, not 'int4'"
run bench resnet20 --batch 0
expect_sentence 2 "--batch wants a whole number above zero, not '0'"
run bench resnet20 --seconds 0
expect_sentence 2 "--seconds wants a positive number, not '0'"
run bench resnet21
expect_sentence 2 "*resnet21*resnet20*"
run bench "$T/none.safetensors"
expect_sentence 1 "$T/none.safetensors: cannot be opened (No such file or directory)"
run bench resnet20 --model resnet20
expect_sentence 2 'resnet20 is no file: --model is for files of weights'
run bench resnet20 --image picture.jpg
expect_sentence 2 '--image is for the start with a file of weights, not for resnet20'
run bench resnet20 --svg "$T/none/picture.svg" --repeat 1 --seconds 0.01
expect_sentence 1 "$T/none/picture.svg: cannot write: No such file or directory"

# ---- inference ----
run bench resnet20 --batch 4 --threads 1 --seconds 0.5 --json
expect_like 0 '{"model":"resnet20","mode":"inference","batch":4,"threads":1,"precision":"fp32",*}' ''
expect_line '"isa":"(avx512bf16|avx512vnni|avx512|avx2|neon|portable)","cpu":"[^"]+","runs":[0-9]+,"latency_ms":\{"p50":'
expect_line '"startup_ms":null\}$'
p50=$(number p50)
holds "0 < $p50 && $p50 <= $(number p90) && $(number p90) <= $(number p99)"
# Runs took about the time that was asked for (mean latency = batch / images a second; other load
# may stop the program between them, or in the last one), and did what the model's multiply-adds say
# (40.55 million an image).
speed=$(number images_per_second)
seconds="$(number runs) * 4 / $speed"
holds "$seconds > 0.2 && $seconds < 2 + 2 * $(number p99) / 1000"
holds "$(number gflops) > 0.99 * $speed * 0.0811 && $(number gflops) < 1.01 * $speed * 0.0811"
holds "$(number peak_gflops) > 0.1 && $(number rss_bytes) > 1000000 && $(number load_ms) > 0"
if grep -q '"layers"' "$T/out"; then fail 'layers that nobody asked for'; fi

run bench resnet20 --repeat 7 --seconds 0.01
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^resnet20, batch 1, [0-9]+ threads?, fp32, '
expect_line '^latency p50 [0-9.]+ ms, p90 [0-9.]+ ms, p99 [0-9.]+ ms, of 7 runs$'
expect_line '^speed +[0-9.]+ images/s, [0-9.]+ GFLOP/s, [0-9]+ % of the peak of [0-9.]+$'
expect_line '^load +[0-9]+ ms from opening the model, with drawing its weights, to '

run bench resnet20 --precision bf16 --layers --repeat 3 --seconds 0.01 --json
expect_like 0 '{"model":"resnet20","mode":"inference",*"precision":"bf16",*}' ''
expect_line '\{"name":"conv1","op":"conv",[^}]*"path":"direct"'
expect_line '\{"name":"layer2\.0\.conv1","op":"conv",[^}]*"path":"bf16"'
expect_line '\{"name":"fc","op":"linear",[^}]*"path":"bf16"'

# ---- layers and the picture ----
run bench resnet20 --layers --svg "$T/roofline.svg" --threads 1 --batch 2 --repeat 20 --seconds 0.1 --json
expect_like 0 '{*"runs":20,*"memory_gbs":*,"layers":\[{*}\]}' ''
expect_line '\{"name":"conv1","op":"conv","parts":\["conv","norm","relu"\],"output":\[16,32,32\],"kernel":3,"stride":1,"path":"[a-z]+"'
expect_line '"name":"layer2.0.shortcut","op":"pad_shortcut","parts":\["pad_shortcut"\],.*"path":null'
layers() { grep -oE "\"$1\":[0-9.e+-]+" "$T/out" | cut -d: -f2; }
# The medians of the layers are about the median of all together: other load on the machine can
# make a run several times longer, but not its layers longer than the longest runs.
p50=$(number p50)
sum=$(layers ms | awk '{ s += $1 } END { print s }')
holds "$sum > 0.1 * $p50 && $sum < 2 * $(number p99)"
layers time_share | awk '{ s += $1 } END { exit !(s > 0.999 && s < 1.001) }' ||
    fail 'the shares of the time do not add up to 1'
layers flops | awk '{ s += $1 } END { exit !(s == 2 * 2 * 40551040) }' ||
    fail "the layers' operations are not twice the model's multiply-adds"
# A direct sum cannot be faster than the peak, but the clock's speed changes.
grep -oE '"path":"direct"[^}]*' "$T/out" | grep -oE '"peak_share":[0-9.e-]+' | cut -d: -f2 |
    awk '{ n++ } $1 > 1.25 { over++ } END { exit !(n > 0 && !over) }' ||
    fail 'a direct sum is faster than the peak'
perl -0777 -ne '
    # Well-formed: every element closes in order, and nothing is left.
    s/^\s*//;
    my @open;
    while (/\G(?:[^<]+|<(\/?)([a-z]+)((?:\s+[A-Za-z0-9:-]+="[^"<]*")*)\s*(\/?)>)/gc) {
        next unless defined $2;
        if ($1) { die "</$2> closes @open\n" unless @open && pop(@open) eq $2 }
        elsif (!$4) { push @open, $2 }
    }
    die "not XML at byte " . (pos // 0) . "\n" if (pos // 0) < length || @open;
    die "no picture\n" unless /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/;
    die "an ampersand stands alone\n" if /&(?!(?:amp|lt|gt|quot);)/;
' "$T/roofline.svg" 2>"$T/err" || fail 'the roofline is no valid SVG'
dots=$(grep -c '<circle class="dot c[0-9]" .*<title>' "$T/roofline.svg")
[ "$dots" = "$(layers flops | grep -cv '^0\.0$')" ] || fail "$dots dots in the picture"
[ ! -e "$T/roofline.svg.partial" ] || fail 'the partial picture is still there'

run bench resnet20 --layers --repeat 2 --seconds 0.01
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^layer +op +output +path +ms, median +of the time +GFLOP/s +of the peak$'
expect_line '^layer2\.0\.conv1 +conv 3x3/2\+norm\+relu +32x16x16 +direct +[0-9.]+ +[0-9.]+ % +[0-9.]+ +[0-9]+ %$'

# ---- training ----
run bench resnet20 --train --batch 8 --repeat 3 --seconds 0.01 --layers --json
expect_like 0 '{"model":"resnet20","mode":"training","batch":8,*"runs":3,*"startup_ms":null,*}' ''
holds "$(number images_per_second) > 0"
layers flops | awk '{ s += $1 } END { exit !(s == 3 * 2 * 8 * 40551040) }' ||
    fail 'a step is not three times the multiply-adds'
forward=$(layers forward_ms | awk '{ s += $1 } END { print s }')
backward=$(layers backward_ms | awk '{ s += $1 } END { print s }')
sum=$(layers ms | awk '{ s += $1 } END { print s }')
holds "$forward > 0 && $backward > 0 && ($forward + $backward) / $sum > 0.999 && ($forward + $backward) / $sum < 1.001"
run bench resnet1202 --train --batch 100000
expect_sentence 1 'training resnet1202 with batch 100000 takes * GB, but * GB are free*'

# ---- weights from a file, and the start of a fresh process ----
make_cifar "$T/data" 1
run train --model resnet20 --data "cifar10:$T/data" --out "$T/run" --batch 16 --iterations 1
[ "$code" = 0 ] || fail 'expected exit code 0'
weights=$T/run/model.safetensors
run bench "$weights" --repeat 3 --seconds 0.01 --json
expect_like 0 '{"model":"resnet20",*}' ''
# A process is started, loads and answers: more than a millisecond, and not as long as this test.
holds "$(number startup_ms) > 1 && $(number startup_ms) < 60000"
printf 'P6 2 2 255\n%012d' 0 >"$T/picture.ppm"
run bench "$weights" --image "$T/picture.ppm" --repeat 3 --seconds 0.01
[ "$code" = 0 ] || fail 'expected exit code 0'
expect_line '^startup [0-9]+ ms from the start of a fresh `resnet predict` to its end, one picture$'
run bench "$weights" --image "$T/none.jpg"
expect_sentence 1 "$T/none.jpg: cannot be opened (No such file or directory)"
printf 'no picture' >"$T/none.jpg"
run bench "$weights" --image "$T/none.jpg" --repeat 1 --seconds 0.01
expect_like 0 '*latency*' "resnet: warning: \`resnet predict $weights\` fails; no start-up is measured"
