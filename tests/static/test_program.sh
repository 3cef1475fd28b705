#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The static program (cmake/static.cmake): it needs no library, is small, starts at once, and does
# what the ordinary one does. RESNET_ORDINARY names the ordinary program, whose results must be the
# same to the bit; without it they are not compared.
. "$(dirname "$0")/../cli/common.sh"

most=2000000 # bytes, stripped
soon=5       # milliseconds for --help

strip -o "$T/resnet" "$PROGRAM" || fail 'the program cannot be stripped'
size=$(stat -c %s "$T/resnet")
echo "$size bytes, of $most"
[ "$size" -le "$most" ] || fail "the stripped program has $size bytes, more than $most"
readelf -lW "$T/resnet" >"$T/segments" || fail 'the program cannot be read'
grep -q LOAD "$T/segments" || fail 'the program has no segments'
! grep -qE 'INTERP|DYNAMIC' "$T/segments" || fail 'the program needs shared libraries'
PROGRAM=$T/resnet

run --version
expect_like 0 'resnet [0-9]*.[0-9]*.[0-9]*' ''

# The middle one of 21 starts, and of five tries the best: other programs run here too.
median=$(perl -MTime::HiRes=time -e '
    my $best = 1e9;
    for (1 .. 5) {
        my @times;
        for (1 .. 21) {
            my $begin = time;
            system("$ARGV[0] --help >/dev/null") == 0 or die "--help fails\n";
            push @times, 1e3 * (time() - $begin);
        }
        my $median = (sort { $a <=> $b } @times)[10];
        $best = $median if $median < $best;
    }
    printf "%.2f", $best;' "$PROGRAM") || fail 'cannot time --help'
echo "--help takes $median ms, of $soon"
awk "BEGIN { exit !($median <= $soon) }" || fail "--help takes $median ms, more than $soon"

# ---- what it computes, on each instruction set, and what the ordinary program does ----
make_cifar "$T/data" 1
base64 -d >"$T/baseline.jpg" <<'END'
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd
7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fH
x8fHx8fHx8fHz/wAARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAZEAEAAgMAAAAAAAAAAAAAAAAAA
QQFESL/xAAVAQEBAAAAAAAAAAAAAAAAAAADBP/EABoRAAEFAQAAAAAAAAAAAAAAAAABAgMEEyH/2gAMAwEAAhEDEQA/AIUsRGo5
AQPmcglSxJmnT//Z
END
base64 -d >"$T/progressive.jpg" <<'END'
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd
7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fH
x8fHx8fHx8fHz/wgARCAAYABgDASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAAAAMEBf/EABgBAAIDAAAAAAAAAAAAAAAAA
AIEAAMF/9oADAMBAAIQAxAAAAHmVrYZFqC6qV49QLv/xAAXEAEBAQEAAAAAAAAAAAAAAAAAAQIR/9oACAEBAAEFAplMplMplImX
HH//xAAYEQADAQEAAAAAAAAAAAAAAAAAAQIDIf/aAAgBAwEBPwGNCbIZL4f/xAAYEQADAQEAAAAAAAAAAAAAAAAAAREhIv/aAAg
BAgEBPwFaVF5G3T//xAAUEAEAAAAAAAAAAAAAAAAAAAAw/9oACAEBAAY/Ah//xAAWEAEBAQAAAAAAAAAAAAAAAAAAASD/2gAIAQ
EAAT8h2DBRj//aAAwDAQACAAMAAAAQV+e8/8QAFhEBAQEAAAAAAAAAAAAAAAAAAAER/9oACAEDAQE/EFXF9VP/xAAYEQADAQEAA
AAAAAAAAAAAAAAAARFRQf/aAAgBAgEBPxDcfFUqFowysh//xAAaEAADAQEBAQAAAAAAAAAAAAAAARFhITGx/9oACAEBAAE/EMDE
wMBSVY1+KI8uFXJxE4ku/D//2Q==
END
base64 -d >"$T/lossy.webp" <<'END'
UklGRrIAAABXRUJQVlA4IKYAAAAwBQCdASoYABgAPv10rlArKCSisAwBYB+JbACdMoRwMNgGR3OTUxzPe+cKiePLZkTOAAD+95d
vevtnIHyfJXY/qlGO7OodTqBU1wmmJAFf6TIKKsL3MkXCbaf6IjzFKF8/liMm+pvfJsHfhJgEf/+fx9axZjsN8EnhfQn5aMuev6
yD6wW/v2XtUuzNLb2+y1rfUhofUo6//BxtO3p9PsrrqaRXYAAA
END
base64 -d >"$T/lossless.webp" <<'END'
UklGRnAAAABXRUJQVlA4TGQAAAAvF8AFAB8gECBTmhyIIBAgNKmz6EpMQ8Y+U0EQ8x9a2isANpFtO7nSkBB/oqJGBVJ+yRycoSH
noCCi/xMgKTVGUnnL3Elu1SedPdAYoxasUYTGqIPKCOCsag9Ehh7isrAs4/JH
END

# results PROGRAM: in $T/results, a run of each command that computes.
results() {
    PROGRAM=$1
    rm -rf "$T/run" "$T/png" "$T/results" "$T/int8.safetensors"
    run train --model resnet20 --data "cifar10:$T/data" --out "$T/run" --batch 16 --iterations 2 \
        --lr 0.02 --threads 2
    [ "$code" = 0 ] || fail 'expected exit code 0'
    weights=$T/run/model.safetensors
    hash_of "$weights" >"$T/results"
    run quantize "$weights" --data "cifar10:$T/data" --calibrate 16 --max-drop 100 \
        -o "$T/int8.safetensors"
    [ "$code" = 0 ] || fail 'expected exit code 0'
    for file in "$weights" "$T/int8.safetensors"; do
        run eval "$file" --data "cifar10:$T/data" --json
        expect_line '"samples":16,"failed":0'
        sed 's/,"seconds.*//' "$T/out" >>"$T/results"
        run predict "$file" --data "cifar10:$T/data" --samples 3 --png "$T/png"
        [ "$code" = 0 ] || fail 'expected exit code 0'
        run predict "$file" --json "$T"/*.jpg "$T"/*.webp "$T/png/sample-3.png"
        [ "$code" = 0 ] || fail 'expected exit code 0'
        [ "$(grep -c '"predictions":\[' "$T/out")" = 5 ] || fail 'expected five pictures'
        cat "$T/out" >>"$T/results"
    done
}

for isa in portable avx2 avx512 avx512vnni neon; do
    export RESNET_ISA=$isa
    run summary resnet20
    [ "$code" != 2 ] || continue # not to be had here
    results "$T/resnet"
    echo "$isa: $(head -n 1 "$T/results")"
    if [ -n "${RESNET_ORDINARY:-}" ]; then
        mv "$T/results" "$T/small"
        results "$RESNET_ORDINARY"
        diff "$T/small" "$T/results" >"$T/out" || fail "$isa: < small, > ordinary program"
        compared=yes
    fi
done
[ -n "${RESNET_ORDINARY:-}" ] && [ -z "${compared:-}" ] && fail 'no instruction set was tried'
exit 0
