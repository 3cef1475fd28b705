#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our preprocessing with Pillow's and torchvision's, byte by byte, on 200 pictures made here.

    compare_pillow.py SAMPLE_DUMP

Odd sizes, sides of one pixel, extreme aspects; grey, palette, bilevel, transparent, CMYK; JPEG of all
samplings and progressive, PNG, WebP, BMP, PPM. Exit code 77: Python,
Pillow or torchvision are not there.
"""
import gzip
import io
import os
import random
import subprocess
import sys
import tempfile

try:
    import numpy
    import PIL
    from PIL import Image, ImageOps
    from torchvision.transforms import functional
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

PICTURES = 200
CROP = 224
PRESETS = {
    "torchvision": (256, Image.BILINEAR),
    "torchvision-v2": (232, Image.BILINEAR),
    "timm": (235, Image.BICUBIC),
}


def make_pixels(draw, width, height):
    """Waves and noise in RGBA."""
    noise = numpy.random.default_rng(draw.getrandbits(32))
    y, x = numpy.mgrid[0:height, 0:width]
    waves = [127 + 100 * numpy.sin(x / draw.uniform(2, 40) + y / draw.uniform(2, 40) + c) for c in range(4)]
    pixels = numpy.stack(waves, axis=-1) + noise.normal(0, draw.choice([0, 10, 60]), (height, width, 4))
    return Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))


def make_size(draw, number):
    """Width and height: ordinary ones, then the odd kinds in turn."""
    kinds = [
        (draw.randint(200, 640), draw.randint(200, 640)),
        (draw.randint(1, 64), draw.randint(1, 64)),
        (1, draw.randint(1, 400)),
        (draw.randint(1, 400), 1),
        (draw.randint(3, 9), draw.randint(500, 2000)),
        (draw.randint(500, 2000), draw.randint(3, 9)),
        (draw.randint(200, 900) | 1, draw.randint(200, 900) | 1),
        (256, 256),
        (draw.randint(230, 260), draw.randint(230, 260)),
        (1600, 1100),
    ]
    return kinds[number % len(kinds)]


def save(draw, number, rgba, path):
    """Writes the picture in one of many ways; returns a description."""
    rgb = rgba.convert("RGB")
    way = number // 10 % 20
    jpeg = {"quality": draw.randint(30, 98)}
    exif = Image.Exif()
    exif[0x0112] = draw.randint(1, 8)
    ways = [
        lambda: rgb.save(path, "JPEG", subsampling=2, **jpeg),
        lambda: rgb.save(path, "JPEG", subsampling=1, **jpeg),
        lambda: rgb.save(path, "JPEG", subsampling=0, **jpeg),
        lambda: rgb.save(path, "JPEG", subsampling=2, progressive=True, **jpeg),
        lambda: rgb.convert("L").save(path, "JPEG", **jpeg),
        lambda: rgb.convert("CMYK").save(path, "JPEG", **jpeg),
        lambda: rgb.convert("CMYK").save(path, "JPEG", progressive=True, **jpeg),
        lambda: rgb.save(path, "JPEG", exif=exif, restart_marker_blocks=3, **jpeg),
        lambda: rgb.save(path, "PNG"),
        lambda: rgba.save(path, "PNG"),
        lambda: rgb.convert("L").save(path, "PNG"),
        lambda: rgba.convert("LA").save(path, "PNG"),
        lambda: rgb.quantize(draw.choice([2, 13, 200])).save(path, "PNG", transparency=0),
        lambda: rgb.convert("1").save(path, "PNG"),
        lambda: rgb.save(path, "WEBP", quality=draw.randint(20, 95)),
        lambda: rgba.save(path, "WEBP", quality=80),
        lambda: rgb.save(path, "WEBP", lossless=True, exif=exif),
        lambda: draw.choice([rgb, rgba, rgb.convert("L"), rgb.quantize(100), rgb.convert("1")]).save(path, "BMP"),
        lambda: draw.choice([rgb, rgb.convert("L")]).save(path, "PPM"),
        lambda: rgb.save(path, "PNG", exif=exif),
    ]
    ways[way]()
    if number % 23 == 0:
        with open(path, "rb") as file:
            packed = gzip.compress(file.read())
        with open(path, "wb") as file:
            file.write(packed)
    return f"number {number}, way {way}, {rgb.width}x{rgb.height}"


def open_picture(path, exif):
    with open(path, "rb") as file:
        content = file.read()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    picture = Image.open(io.BytesIO(content))
    picture.load()
    if exif:
        picture = ImageOps.exif_transpose(picture)
    return picture.convert("RGB")


def resize(picture, side, filter_):
    """torchvision's Resize(side), along rows first: Pillow 13 turned that round for tall pictures."""
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    long = int(side * long / short)
    width, height = (side, long) if width <= height else (long, side)
    if int(PIL.__version__.split(".")[0]) < 13:
        return functional.resize(picture, side, functional.InterpolationMode(
            "bicubic" if filter_ == Image.BICUBIC else "bilinear"))
    return picture.resize((width, picture.height), filter_).resize((width, height), filter_)


def expected(path, preset, views, exif):
    side, filter_ = PRESETS[preset]
    picture = resize(open_picture(path, exif), side, filter_)
    if views == "ten":
        return numpy.stack([numpy.asarray(crop) for crop in functional.ten_crop(picture, CROP)])
    return numpy.asarray(functional.center_crop(picture, CROP))[None]


def compare(program, folder, number):
    draw = random.Random(number)
    path = os.path.join(folder, "picture")
    name = save(draw, number, make_pixels(draw, *make_size(draw, number)), path)
    wrong = 0
    for preset in PRESETS:
        views = "ten" if number % 5 == 0 else "center"
        exif = number % 2
        wanted = expected(path, preset, views, exif)
        found = subprocess.run([program, preset, str(CROP), views, str(exif), path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if found.returncode != 0:
            print(f"{name}, {preset}: {found.stderr.decode().strip()}")
            wrong += wanted.size
            continue
        bytes_ = numpy.frombuffer(found.stdout, numpy.uint8)
        different = wanted.size if bytes_.size != wanted.size else int((bytes_ != wanted.ravel()).sum())
        if different:
            print(f"{name}, {preset}, {views}, exif {exif}: {different} of {wanted.size} bytes differ")
        wrong += different
    return wrong


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        wrong = sum(compare(sys.argv[1], folder, number) for number in range(PICTURES))
    print(f"{PICTURES} pictures, {len(PRESETS)} presets, Pillow {PIL.__version__}: {wrong} bytes differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
