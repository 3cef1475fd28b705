#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looks at the object code of the convolution tiles, where a forgotten rule of vector.h costs a
# factor of 2 to 60 and no other test sees it: every tile multiplies and adds in one instruction of
# the set's own width, none of them keeps a vector on the stack, and each object exports the names
# of its own instruction set alone. Tiles on bytes multiply and add whole numbers (those named int8
# may keep sums on the stack: what ends them reads them there).
set -euo pipefail
[ -z "${RESNET_SANITIZE:-}" ] || { echo "a sanitizer changes the code" && exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "knows x86-64 code only" && exit 77; }
build=${RESNET_BUILD:?the build folder}

# Reads objdump's listing; prints a line for each tile that breaks a rule, or when there is none.
check_tiles() { # NAME-OF-THE-SET REGISTER
    awk -v set="$1" -v register="$2" '
        function finish() {
            if (tile != "" && fma == 0)
                printf "%s: %s has no %s on %s\n", set, tile, bytes ? "dot product" : "FMA", register
            if (tile != "" && spills > 0 && tile !~ /^int8/)
                printf "%s: %s moves %d vectors to the stack\n", set, tile, spills
            tile = ""
        }
        /^[0-9a-f]+ <.*>:$/ {
            finish()
            name = $2
            gsub(/[<>:]/, "", name)
            if (name ~ /^(conv|weight|bf16|int8|winograd)_tile_[0-9]+x[0-9]+/) { tile = name; tiles++ }
            bytes = tile ~ /^(int8|winograd)/
            product = set ~ /vnni/ ? "vpdp(busd|wssd).*%" : "vpmaddwd.*%"
            if (!bytes) product = "vfn?m(add|sub)[0-9]+ps.*%"
            if (set ~ /bf16/) product = "vdpbf16ps.*%"
            fma = spills = frame = 0
        }
        tile == "" { next }
        $0 ~ product register { fma++ }
        /mov +%rsp,%rbp/ { frame = 1 }
        /vmov[a-z0-9]+ +%[yz]mm[0-9]+,.*\(%rsp/ { spills++ }
        frame && /vmov[a-z0-9]+ +%[yz]mm[0-9]+,.*\(%rbp/ { spills++ }
        END {
            finish()
            if (tiles == 0) printf "%s: no tiles found\n", set
        }'
}

# The rules themselves, on a listing that keeps them and on some that break one.
listing() { printf '0000000000000000 <%s>:\n' "$1" && printf '  10:\t%s\n' "${@:2}"; }
expect() {
    found=$(check_tiles probe zmm | sed 's/^probe: //')
    [ "$found" = "$1" ] || { printf 'expected "%s", found "%s"\n' "$1" "$found" && exit 1; }
}
fma='vfmadd231ps (%rax){1to16},%zmm1,%zmm2'
listing conv_tile_6x2 "$fma" 'vmovups %zmm2,(%rbp)' | expect ''
listing conv_tile_6x2 'vmulps %zmm1,%zmm2,%zmm3' | expect 'conv_tile_6x2 has no FMA on zmm'
listing weight_tile_6x1 "${fma//zmm/ymm}" | expect 'weight_tile_6x1 has no FMA on zmm'
listing conv_tile_6x2 "$fma" 'vmovaps %zmm2,0x40(%rsp)' |
    expect 'conv_tile_6x2 moves 1 vectors to the stack'
listing conv_tile_6x2 "$fma" 'mov    %rsp,%rbp' 'vmovups %ymm2,-0x40(%rbp)' |
    expect 'conv_tile_6x2 moves 1 vectors to the stack'
listing int8_tile_14x2 'vpmaddwd %zmm1,%zmm2,%zmm3' 'vmovaps %zmm2,0x40(%rsp)' | expect ''
listing winograd_tile_6x1 "$fma" | expect 'winograd_tile_6x1 has no dot product on zmm'
found=$(listing bf16_tile_6x2 'vdpbf16ps (%rax){1to16},%zmm1,%zmm2' | check_tiles bf16 zmm)
[ -z "$found" ] || { printf 'expected nothing, found "%s"\n' "$found" && exit 1; }
found=$(listing bf16_tile_6x2 "$fma" | check_tiles bf16 zmm)
[ "$found" = 'bf16: bf16_tile_6x2 has no FMA on zmm' ] || { printf 'found "%s"\n' "$found" && exit 1; }
listing other 'vmovaps %zmm2,0x40(%rsp)' | expect 'no tiles found'

objects() { find "$build/CMakeFiles/kernels_$1.dir" -name '*.o' | LC_ALL=C sort; }
found=$(
    for object in $(objects avx512); do objdump -d "$object"; done | check_tiles avx512 zmm
    for object in $(objects avx2); do objdump -d "$object"; done | check_tiles avx2 ymm
    for object in $(objects avx512vnni); do objdump -d "$object"; done | check_tiles avx512vnni zmm
    for object in $(objects avx512bf16); do objdump -d "$object"; done | check_tiles avx512bf16 zmm
    for isa in portable avx2 avx512 avx512vnni avx512bf16; do
        [ -n "$(objects $isa)" ] || echo "$isa: no objects"
        for object in $(objects $isa); do
            nm --defined-only --extern-only "$object" |
                awk -v isa=$isa '$3 !~ "_" isa "(_[0-9]+)?$" { print isa ": exports " $3 }'
        done
    done
)
[ -z "$found" ] || { printf '%s\n' "$found" && exit 1; }
