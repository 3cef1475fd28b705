#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a reader expects of every source file: its licence in one line, no more than 450 lines (600 of
# the public header, which is the library's manual), no marks of unfinished work, and clang-format's
# layout where that is installed.
set -euo pipefail

mapfile -t sources < <(find src program include tests bench -name '*.[ch]' | LC_ALL=C sort)
mapfile -t texts < <(find cmake scripts .ci docs tests -name '*.cmake' -o -name '*.sh' -o \
    -name '*.py' -o -name '*.md' -o -name CMakeLists.txt | LC_ALL=C sort)
texts+=(CMakeLists.txt Makefile .ci/run)
status=0
wrong() {
    printf '%s\n' "$1"
    status=1
}

for file in "${sources[@]}"; do
    [ "$(head -n 1 "$file")" = '// SPDX-License-Identifier: Apache-2.0' ] ||
        wrong "$file: its first line is no SPDX line"
    lines=$(wc -l <"$file")
    most=450
    [ "$file" != include/resnet.h ] || most=600
    [ "$lines" -le $most ] || wrong "$file: $lines lines, at most $most expected"
done
# Written apart, so that this file does not find itself.
marks=$(grep -nE 'TO''DO|FIX''ME|\bX''XX\b|HA''CK' "${sources[@]}" "${texts[@]}" || true)
[ -z "$marks" ] || wrong "$marks"
tabs=$(grep -nP '\t| +$' "${sources[@]}" || true)
[ -z "$tabs" ] || wrong "$tabs"

if command -v clang-format >/dev/null; then
    layout=$(clang-format --dry-run -Werror "${sources[@]}" 2>&1 | grep -E ': error: ' |
        cut -d: -f1 | uniq -c || true)
    [ -z "$layout" ] || wrong "clang-format would change (times, file):
$layout"
fi
exit $status
