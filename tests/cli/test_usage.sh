#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Wrong usage: one sentence that names the option, what was found and what was expected; exit 2.
. "$(dirname "$0")/common.sh"

check() { # SENTENCE ARGUMENT...
    sentence=$1
    shift
    run "$@"
    expect 2 '' "resnet: $sentence"
}

check "train has no option '--epocs'; did you mean --epochs?" train --epocs 3
check "train has no option '--modle=x'; did you mean --model?" train --modle=x
check "models has no option '--verbose'; \`resnet models --help\` lists them" models --verbose
check '--epochs wants a value' train --epochs
check "--epochs wants a positive number, not 'abc'" train --epochs abc
check "--epochs wants a positive number, not '0'" train --epochs 0
check "--epochs wants a positive number, not '-3'" train --epochs -3
check "--epochs wants a positive number, not '5x'" train --epochs 5x
check "--epochs wants a positive number, not 'nan'" train --epochs nan
check "--epochs wants a positive number, not '0x10'" train --epochs 0x10
check "--lr wants a number from zero up, not '1e999'" train --lr 1e999
check "--batch wants a whole number above zero, not '0'" train --batch 0
check "--batch wants a whole number above zero, not '1.5'" train --batch 1.5
check "--batch wants a whole number above zero, not '99999999999'" train --batch 99999999999
check "--batch wants a whole number above zero, not ''" train --batch ''
check "--iterations wants a whole number above zero, not ' 7'" train --iterations ' 7'
check "--seed wants a whole number from zero up, not '-1'" train --seed -1
check "--recipe wants one of paper|short|best, not 'long'" train --recipe long
check "--shortcut wants one of A|B|C, not 'D'" summary resnet20 --shortcut D
check "--shortcut wants one of A|B|C, not 'A|B'" summary resnet20 --shortcut 'A|B'
check "--decay-norm-bias wants yes or no, not 'maybe'" train --decay-norm-bias maybe
check "--input wants channels, height and width such as 3x32x32, not '32x32'" \
    summary resnet20 --input 32x32
check "--mean wants three numbers such as 0.49,0.48,0.45, not '1,2'" eval x --mean 1,2
check "--mean and --std belong together: --std is missing" eval x --data a:b --mean 1,2,3
check "--std wants numbers above zero, not 0" eval x --data a:b --mean 1,2,3 --std 0,1,1
check "train has no option '--json=1'; did you mean --json?" train --json=1
check "models does not know what to do with 'extra'" models extra
check 'summary wants a MODEL or a FILE; `resnet summary --help` shows an example' summary
check 'eval wants a file of WEIGHTS; `resnet eval --help` shows an example' eval
check '--data SPEC is missing' eval x
check '--model NAME is missing' train
check '--data SPEC is missing' train --model resnet20
check '--out DIR is missing' train --model resnet20 --data cifar10:x
check '--epochs and --iterations exclude each other' \
    train --model resnet20 --data cifar10:x --out x --epochs 1 --iterations 2
check 'predict wants at least one IMAGE, or --data SPEC' predict x
check '--samples belongs to --data SPEC, which is missing' predict x y --samples 1
check '--ten-crop and --multi-scale exclude each other' predict x y --ten-crop --multi-scale
check '--ten-crop and --multi-scale exclude each other' \
    eval x --data a:b --multi-scale --ten-crop
check '--explain-preprocess wants one picture, not several' predict x y z --explain-preprocess d
check '--explain-preprocess wants one picture, not several' \
    predict x y --data a:b --samples 1 --explain-preprocess d
check '--explain-preprocess wants one picture, not several' \
    predict x --data a:b --explain-preprocess d
check "--preset wants one of torchvision|torchvision-v2|timm|caffe|cifar|inception, not 'torch'" \
    predict x y --preset torch
check "--stride-in wants one of 1x1|3x3, not '7x7'" convert x y --stride-in 7x7
check '--mean and --std belong together: --mean is missing' convert x y --std 1
check 'inspect wants a FILE of weights; `resnet inspect --help` shows an example' inspect
check "inspect does not know what to do with 'y'" inspect x y
check 'convert wants a file IN and a file OUT; `resnet convert --help` shows an example' convert x
check '--data SPEC is missing' quantize x -o y
check '-o OUT is missing' quantize x --data a:b
check '-o wants a value' quantize x --data a:b -o
check "-o wants a value that is not empty, not ''" quantize x --data a:b -o ''
check "--method wants one of mse|percentile|max, not 'kl'" quantize x --method kl
check "--max-drop wants a number from zero up, not '-1'" quantize x --max-drop -1
check "--precision wants one of fp32|bf16|int8, not 'int4'" eval x --precision int4
check "quantize has no option '-p'; \`resnet quantize --help\` lists them" quantize x -p y
check '--train is in fp32, not in int8' bench resnet20 --train --precision int8
check "--only: 'all' is no experiment; there are degradation, gradients, depth, shortcuts, bottleneck, comparison, responses" \
    paper --only depth,all
check "--scale wants one of quick|class|full, not 'slow'" paper --scale slow
check '--weights and --images come together' paper --data a:b --out c --weights d
check 'x/y.safetensors is a file: --shortcut, --classes and --input are for architectures by name' \
    summary x/y.safetensors --classes 5

run summary resnet21
expect_sentence 2 '*resnet21*resnet20*'
run summary plain20 --shortcut B
expect_sentence 2 '*plain20*'
run summary resnet20 --stride-in 1x1
expect_sentence 2 '*resnet20*'
