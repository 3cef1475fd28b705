#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `resnet summary --svg`: drawings made from the layers themselves. Counts are the paper's (Fig. 3),
# and every drawing is well-formed.
. "$(dirname "$0")/common.sh"

well_formed() { # FILE; also where no XML tool is there
    perl -0777 -ne '
        my @open;
        s/^<\?xml[^>]*\?>//;
        while (/<(\/?)([a-z]+)((?:\s[a-zA-Z:-]+="[^"<>]*")*)\s*(\/?)>|(<)/g) {
            die "stray <\n" if defined $5;
            if ($1) { (pop(@open) // "") eq $2 or die "</$2> closes nothing\n"; }
            elsif (!$4) { push @open, $2; }
        }
        die "open: @open\n" if @open;
        die "no picture\n" unless /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/;
        die "stray &\n" if /&(?!(amp|lt|gt|quot);)/;
    ' "$1" 2>"$T/err" || fail "$1 is not well-formed"
    if command -v xmllint >/dev/null; then
        xmllint --noout "$1" 2>"$T/err" || fail "$1 is not well-formed"
    fi
}

draw() { # OPERANDS AND OPTIONS
    run summary "$@" --svg "$T/net.svg"
    expect 0 '' ''
    well_formed "$T/net.svg"
    [ ! -e "$T/net.svg.partial" ] || fail 'the partial picture is still there'
}

# How often the picture has the pattern.
count() { grep -oE -e "$1" "$T/net.svg" | wc -l; }
expect_count() { # NUMBER PATTERN
    [ "$(count "$2")" = "$1" ] || fail "expected $1 of $2, found $(count "$2")"
}
# Shortcuts are those with a head, which the legend's have not.
expect_shortcuts() { # SOLID DOTTED
    expect_count "$1" '<path class="shortcut" [^>]*/><path class="head"'
    expect_count "$2" '<path class="shortcut dotted" [^>]*/><path class="head"'
}

# The paper's 34 layers: 33 convolutions in 16 blocks, of which three change dimensions.
draw resnet34
expect_shortcuts 13 3
expect_count 33 '>[0-9]×[0-9] conv, [0-9]+(, /2)?</text>'
expect_count 3 '>3×3 conv, [0-9]+, /2</text>'
expect_count 4 '>W<tspan[^>]*>s</tspan></text>' # three shortcuts and the legend
expect_count 16 '<circle class="sum"'
for size in 112 56 28 14 7 1; do
    expect_count 1 ">output size: $size</text>"
done

draw plain34
expect_shortcuts 0 0
expect_count 33 '>[0-9]×[0-9] conv, [0-9]+(, /2)?</text>'
expect_count 0 'class="sum"'

# Options: A pads, B projects where it must, C everywhere.
draw resnet20 --shortcut A
expect_shortcuts 7 2
expect_count 3 '>pad</text>' # two shortcuts and the legend
draw resnet20 --shortcut B
expect_shortcuts 7 2
expect_count 3 '>W<tspan'
draw resnet20 --shortcut C
expect_shortcuts 7 2
expect_count 10 '>W<tspan'

# Long runs are drawn once, or all.
draw resnet152
expect_count 1 '>× 7</text>'
expect_count 1 '>× 35</text>'
expect_shortcuts 6 4
draw resnet152 --unfold
expect_count 0 '>× [0-9]+</text>'
expect_shortcuts 46 4
expect_count 151 '>[0-9]×[0-9] conv, [0-9]+(, /2)?</text>'

# Branches, gates, groups, marks ahead of their boxes.
draw googlenet
expect_count 9 '>concat, [0-9]+</text>'
expect_count 57 '>[0-9]×[0-9] conv, [0-9]+(, /2)?</text>'
draw seresnet18
expect_count 16 '<circle class="sum"' # eight sums, eight products
expect_shortcuts 5 3
draw resnext50_32x4d
expect_count 16 '>3×3 conv, [0-9]+(, /2)?, 32 groups</text>'
draw preresnet20
expect_shortcuts 7 2
draw alexnet
expect_count 1 '>11×11 conv, 64, /4</text>'
expect_count 2 '>fc 4096</text>'

# Side by side: places where outputs have one size are level with each other.
draw vgg19 plain34 resnet34
expect_shortcuts 13 3
for size in 224 112 56 28 14 7 1; do
    expect_count 1 ">output size: $size</text>"
done
tops=$(grep -oE 'y="[0-9.]+" text-anchor="middle">3×3 conv, 512, /2' "$T/net.svg" | sort | uniq -c)
case $tops in *2\ y=*[0-9]*) ;; *) fail "stages of plain34 and resnet34 are not level: $tops" ;; esac

# One block, with words.
draw resnet50 --part layer1.1
expect_shortcuts 1 0
expect_count 1 '>256-d</text>'
expect_count 1 '>identity</text>'
expect_count 2 '>norm, relu</text>'
draw resnet34 --part layer2.0
expect_shortcuts 0 1
expect_count 1 '>1×1 conv, 128, /2</text>'

# Images that are not square, and weights from a file.
draw resnet20 --input 3x64x48
expect_count 1 '>output: 16×12</text>'
# Small ones, which VGG's last pooling widens again: the last box stands above the legend.
draw vgg16_bn --input 3x64x96
expect_count 1 '>output: 2×3</text>'
expect_count 1 '>output size: 7</text>'
height_of() { grep -oE "y=\"[0-9]+[^>]*>$1</text>" "$T/net.svg" | tail -n 1 | tr -dc '0-9.\n' | cut -d. -f1; }
[ "$(height_of 'fc 1000')" -lt "$(height_of dropout)" ] || fail 'the net runs into the legend'
draw alexnet resnet18
for size in 112 56 55 28 27 14 13 7 6 1; do
    expect_count 1 ">output size: $size</text>"
done
make_cifar "$T/data" 1
run train --model resnet20 --data "cifar10:$T/data" --iterations 1 --batch 2 --out "$T/run"
[ "$code" = 0 ] || fail 'expected exit code 0'
draw resnet20
cp "$T/net.svg" "$T/name.svg"
draw "$T/run/model.safetensors"
cmp -s "$T/net.svg" "$T/name.svg" || fail 'a file of resnet20 is drawn in another way than resnet20'

# With --json the figures come too, one line a model.
run summary resnet20 plain20 --json --svg "$T/net.svg"
[ "$code" = 0 ] || fail 'expected exit code 0'
[ "$(wc -l <"$T/out")" = 2 ] || fail 'expected two lines'
expect_line '^\{"model":"plain20",.*"name":"layer1.0.conv1","op":"conv",.*"groups":1,"inputs":\[[0-9]+\]'

run summary resnet20 --svg "$T/none/net.svg"
expect_sentence 1 "$T/none/net.svg: cannot write: No such file or directory"
run summary resnet34 --svg "$T/part.svg" --part layer9
expect_sentence 2 'resnet34 has no layers named "layer9" or "layer9.*"'
[ ! -e "$T/part.svg" ] && [ ! -e "$T/part.svg.partial" ] || fail 'a picture of nothing was written'
run summary resnet34 --part layer1.0
expect_sentence 2 '--part is for drawings: --svg FILE'
run summary resnet34 --unfold
expect_sentence 2 '--unfold is for drawings: --svg FILE'
run summary a b c d e f g h i --svg "$T/many.svg"
expect_sentence 2 '*'
