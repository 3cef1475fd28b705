#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: a folder of their own, running the program, and comparing
# stdout, stderr and exit code with what is expected. A script fails at the first difference.
#
#     run models --json            # stdout in $T/out, stderr in $T/err, exit code in $code
#     expect 0 'exact stdout' 'exact stderr'
#     expect_like 1 '' 'resnet: *: cannot open*'   # shell patterns instead
set -u
export LC_ALL=C
unset RESNET_ISA NO_COLOR
PROGRAM=${RESNET_PROGRAM:?is the program to test}
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    printf 'command: %s (exit code %s)\nstdout:\n' "${command-}" "${code-}" >&2
    head -c 3000 "$T/out" >&2
    printf 'stderr:\n' >&2
    head -c 3000 "$T/err" >&2
    exit 1
}

run() {
    command="resnet $*"
    code=0
    "$PROGRAM" "$@" >"$T/out" 2>"$T/err" </dev/null || code=$?
}

expect() {
    [ "$code" = "$1" ] || fail "expected exit code $1"
    [ "$(cat "$T/out")" = "$2" ] || fail "expected stdout: $2"
    [ "$(cat "$T/err")" = "$3" ] || fail "expected stderr: $3"
}

expect_like() {
    [ "$code" = "$1" ] || fail "expected exit code $1"
    # shellcheck disable=SC2254 # patterns are meant, twice
    case $(cat "$T/out") in $2) ;; *) fail "expected stdout like: $2" ;; esac
    case $(cat "$T/err") in $3) ;; *) fail "expected stderr like: $3" ;; esac
}

# A failure: that exit code, nothing on stdout, and one sentence on stderr that matches.
expect_sentence() {
    expect_like "$1" '' "resnet: $2"
    [ "$(wc -l <"$T/err")" = 1 ] || fail "expected one line on stderr"
}

# A line of stdout that matches the extended regular expression.
expect_line() {
    grep -qE -e "$1" "$T/out" || fail "expected a line of stdout like: $1"
}

hash_of() { sha256sum "$1" | cut -d' ' -f1; }

# make_cifar DIR SEED: made-up CIFAR-10 files, 16 images each. Class c is a grey of its own, noise
# apart, from a fixed generator (Numerical Recipes' linear congruence).
make_cifar() {
    mkdir -p "$1"
    for name in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch; do
        perl -e '
            my ($state, $rows) = @ARGV;
            binmode STDOUT;
            for my $row (0 .. $rows - 1) {
                my $label = $row % 10;
                print pack("C", $label);
                for (1 .. 3072) {
                    $state = ($state * 1664525 + 1013904223) % 4294967296;
                    print pack("C", $label * 20 + int($state / 67108864));
                }
            }' "$(($2 + $(printf %s "$name" | cksum | cut -d' ' -f1) % 1000))" 16 >"$1/$name.bin"
    done
    printf '%s\n' airplane automobile bird cat deer dog frog horse ship truck \
        >"$1/batches.meta.txt"
}

# rewrite_safetensors IN OUT [PERL]: IN without its metadata and with PERL's changes to the name $_
# of each tensor: what others publish.
rewrite_safetensors() {
    perl -e '
        my ($in, $out, $change) = @ARGV;
        open my $file, "<:raw", $in or die;
        read $file, my $length, 8;
        read $file, my $header, unpack("Q<", $length);
        my @entries;
        while ($header =~ /"([^"]+)":(\{"dtype":[^}]*\})/g) {
            local $_ = $1;
            my $entry = $2;
            eval($change // "");
            die $@ if $@;
            push @entries, "\"$_\":$entry";
        }
        $header = "{" . join(",", @entries) . "}";
        $header .= " " x (-length($header) % 8);
        open my $new, ">:raw", $out or die;
        local $/;
        print $new pack("Q<", length $header), $header, <$file>;' "$@"
}
