#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian 12 packages of the groups that are named, those alone that are missing.
#   scripts/setup.sh [build] [test] [demo]      (default: build)
set -euo pipefail

build=(build-essential cmake pkg-config libjpeg-dev libpng-dev libwebp-dev zlib1g-dev libjansson-dev
       libcmocka-dev)
test=(clang clang-format libclang-rt-14-dev binutils xz-utils tidy libxml2-utils)
# The NEON kernels are cross-compiled and emulated, except where they run by themselves.
if [ "$(uname -m)" != aarch64 ]; then
    test+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
fi
static=(musl-tools binutils)
demo=(dataset-fashion-mnist)

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

wanted=()
for group in "${@:-build}"; do
    case $group in
    build) wanted+=("${build[@]}") ;;
    static) wanted+=("${static[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    demo) wanted+=("${demo[@]}") ;;
    *)
        printf 'setup: unknown group "%s", expected build, static, test or demo\n' "$group" >&2
        exit 2
        ;;
    esac
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    printf 'setup: no apt-get here, going on without: %s\n' "${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "only root can install: ${missing[*]} (and there is no sudo)"
    root=(sudo)
fi

printf 'setup: installing %s\n' "${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
# Without fresh lists a package may be asked for under a version that is gone; with old ones it may
# still be there, so that only the installation decides.
"${apt[@]}" update >"$log" 2>&1 || true
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    reason=$(grep -E '^(E|dpkg|W):' "$log" | tail -n 1)
    fail "cannot install ${missing[*]} (${reason:-see apt-get})"
fi
