#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --help and --version, and what happens without a command.
. "$(dirname "$0")/common.sh"

run --version
expect_like 0 'resnet [0-9]*.[0-9]*.[0-9]*' ''

run --help
expect_like 0 'Usage: resnet COMMAND *Commands:*models*summary*train*eval*predict*inspect*convert*quantize*bench*paper*Example:*' ''
cp "$T/out" "$T/help"
run -h
expect 0 "$(cat "$T/help")" ''

for name in models summary train eval predict inspect convert quantize bench paper; do
    run "$name" --help
    expect_like 0 "Usage: resnet $name *--json*--help*Example:*resnet $name*" ''
    [ "$(awk 'length > 80' "$T/out")" = '' ] || fail 'a line of --help is wider than 80 columns'
done

run
expect 2 '' 'resnet: no command is given; `resnet --help` lists them'
run modles
expect 2 '' "resnet: there is no command 'modles'; did you mean 'models'?"
run --versoin
expect 2 '' "resnet: there is no option '--versoin'; did you mean '--version'?"
run inpsect
expect 2 '' "resnet: there is no command 'inpsect'; did you mean 'inspect'?"
run covnert
expect 2 '' "resnet: there is no command 'covnert'; did you mean 'convert'?"
run xyzzy
expect 2 '' "resnet: there is no command 'xyzzy'; \`resnet --help\` lists them"
