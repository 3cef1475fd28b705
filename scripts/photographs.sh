#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches photographs of things that CIFAR-10 has classes for, out of Debian packages that are
# downloaded but not installed (17 MB), for the demo.
#   scripts/photographs.sh DIR
set -euo pipefail

to=${1:?photographs: which folder?}
# package, path in it below /usr/share, name here
table='labelme-examples doc/labelme-examples/examples/classification/data_annotated/0001.jpg cat.jpg
gnome-control-center-data pixmaps/faces/cat.jpg cat-above.jpg
labelme-examples doc/labelme-examples/examples/classification/data_annotated/0002.jpg dog.jpg
gnome-control-center-data pixmaps/faces/puppy.jpg puppy.jpg
darknet darknet/data/eagle.jpg eagle.jpg
gnome-control-center-data pixmaps/faces/hummingbird.jpg hummingbird.jpg
darknet darknet/data/horses.jpg horses.jpg
labelme-examples doc/labelme-examples/examples/bbox_detection/data_annotated/2011_000025.jpg bus.jpg'

missing=$(while read -r package _ name; do [ -e "$to/$name" ] || echo "$package"; done <<<"$table" |
    sort -u)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    printf 'photographs: no apt-get here to get them with\n' >&2
    exit 1
fi
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in $missing; do
    printf 'photographs: downloading %s\n' "$package" >&2
    if ! (cd "$work" && apt-get -qq download "$package") >"$work/log" 2>&1 ||
        ! dpkg-deb -x "$work/$package"_*.deb "$work/$package"; then
        printf 'photographs: cannot download %s (%s)\n' "$package" \
            "$(grep -E '^[EW]:' "$work/log" | tail -n 1)" >&2
        exit 1
    fi
done
while read -r package path name; do
    if [ -d "$work/$package" ]; then
        cp "$work/$package/usr/share/$path" "$to/$name.partial"
        mv "$to/$name.partial" "$to/$name"
    fi
done <<<"$table"
