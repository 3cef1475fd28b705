#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Includes point down only:
#   base <- {graph, data, formats} <- {models, backend} <- network <- weights <- train
#   <- api <- program
# and within program/: console <- picture <- paper <- the commands.
# Siblings do not include each other, backend/cpu/kernels sees base/ alone, the library below
# src/api does not see resnet.h, program/ sees of the library nothing else, and an include of the
# library always shows the folder.
set -euo pipefail

# floors ROOT: prints "FILE:LINE: why" for every include that breaks a rule.
floors() {
    (cd "$1" && find src program include -type f -name '*.[ch]' | LC_ALL=C sort | xargs awk '
        BEGIN {
            rank["base"] = 0
            rank["graph"] = rank["data"] = rank["formats"] = 1
            rank["models"] = rank["backend"] = 2
            rank["network"] = 3
            rank["weights"] = 4
            rank["train"] = 5
            rank["api"] = 6
            desk["console"] = 0
            desk["picture"] = 1
            desk["paper"] = 2
        }
        # The folder under src/, as the rules know it; backend is three of them.
        function room(path) {
            if (path ~ /^backend\/cpu\/kernels\//) return "backend/cpu/kernels"
            if (path ~ /^backend\/cpu\//) return "backend/cpu"
            if (path ~ /^backend\/reference\//) return "backend/reference"
            return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : ""
        }
        function floor_of(name) { return name ~ /^backend/ ? "backend" : name }
        function wrong(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }

        !/^[ \t]*#[ \t]*include[ \t]*"/ { next }
        {
            split($0, quoted, "\"")
            name = quoted[2]
        }
        FILENAME ~ /^include\// { wrong("the public header includes " name); next }
        FILENAME ~ /^program\// {
            if (name == "resnet.h") next
            if (system("test -f \"program/" name "\"") != 0)
                wrong("program sees resnet.h only, not " name)
            here = room(substr(FILENAME, 9))
            there = room(name)
            if (here != "" && (!(here in desk) || !(there in desk) || desk[there] > desk[here]))
                wrong("program/" here " must not include " name)
            next
        }
        {
            here = room(substr(FILENAME, 5))
            there = room(name)
            if (here == "" || !(floor_of(here) in rank)) {
                wrong("a file of src/ in no known folder")
            } else if (name == "resnet.h") {
                if (here != "api") wrong(here " must not see the public header")
            } else if (name !~ /\//) {
                wrong("an include shows its folder, unlike " name)
            } else if (there == here) {
            } else if (here == "backend/cpu/kernels") {
                if (there != "base") wrong("kernels see base/ alone, not " name)
            } else if (there == "backend/cpu/kernels") {
                if (here != "backend/cpu") wrong(here " must not include " name)
            } else if (floor_of(here) == "backend" && floor_of(there) == "backend") {
                if (there != "backend") wrong("siblings: " here " must not include " name)
            } else if (there == "backend/cpu" || there == "backend/reference") {
                wrong("backend.h is the door of the backends, not " name)
            } else if (!(there in rank)) {
                wrong("no folder of the library: " name)
            } else if (rank[there] >= rank[floor_of(here)]) {
                wrong(here " must not include " name)
            }
        }')
}

# The rules themselves: each line of a small tree that breaks one is found, and no other is.
probe() {
    mkdir -p "$tree/$(dirname "$1")"
    printf '#include "%s"\n' "$2" >"$tree/$1"
    found=$(floors "$tree")
    rm "$tree/$1"
    [ "${found:+wrong}" = "${3:-}" ] || {
        printf '%s including %s: expected %s, found %s\n' "$1" "$2" "${3:-nothing}" "${found:-nothing}"
        exit 1
    }
}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{src/api,program/{console,picture,paper},include}
echo '#include <stdio.h>' | tee "$tree/src/api/api.c" "$tree/program/main.c" \
    "$tree"/program/{train,console/output,picture/chart,paper/runs}.h >/dev/null
probe src/base/a.c base/b.h
probe src/base/a.c graph/graph.h wrong
probe src/graph/a.c data/image.h wrong
probe src/data/a.c formats/npy.h wrong
probe src/formats/a.c base/files.h
probe src/models/a.c graph/graph.h
probe src/models/a.c backend/backend.h wrong
probe src/backend/backend.h graph/graph.h
probe src/backend/backend.h backend/cpu/ops.h wrong
probe src/backend/backend.h models/models.h wrong
probe src/backend/cpu/a.c backend/backend.h
probe src/backend/cpu/a.c backend/cpu/kernels/kernels.h
probe src/backend/cpu/a.c backend/reference/real.h wrong
probe src/backend/reference/a.c backend/cpu/kernels/kernels.h wrong
probe src/backend/cpu/kernels/a.c base/cpu.h
probe src/backend/cpu/kernels/a.c graph/graph.h wrong
probe src/backend/cpu/kernels/a.c backend/cpu/ops.h wrong
probe src/network/a.c backend/backend.h
probe src/network/a.c backend/cpu/ops.h wrong
probe src/network/a.c train/trainer.h wrong
probe src/network/a.c network.h wrong
probe src/train/a.c network/network.h
probe src/train/a.c resnet.h wrong
probe src/train/a.c utils/list.h wrong
probe src/utils/a.c base/list.h wrong
probe program/a.c resnet.h
probe program/a.c train.h
probe program/a.c paper/runs.h
probe program/paper/a.c picture/chart.h
probe program/paper/a.c train.h wrong
probe program/picture/a.c console/output.h
probe program/picture/a.c paper/runs.h wrong
probe program/console/a.c console/output.h
probe program/console/a.c picture/chart.h wrong
probe program/a.c base/files.h wrong
probe include/resnet.h base/status.h wrong

found=$(floors .)
[ -z "$found" ] || { printf '%s\n' "$found" && exit 1; }
