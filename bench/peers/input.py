#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speed of the input against Pillow: JPEG files decoded, short side resized to 256 (bilinear, with
antialias), centre crop of 224, in images a second of one core's CPU time, rounds interleaved.
Ours also normalises to floats.

    python3 bench/peers/input.py --ours build/bench/bench_input [--pillow DIR]... PICTURE...

--pillow DIR: a folder that holds another Pillow, such as one made by
`pip install --target DIR pillow-simd`; repeatable. Without it: the installed one.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time


def decode(path):
    from PIL import Image
    with open(path, "rb") as file:
        image = Image.open(file).convert("RGB")
    width, height = image.size
    short, long = sorted(image.size)
    longer = int(256 * long / short)
    image = image.resize((256, longer) if width <= height else (longer, 256), Image.BILINEAR)
    width, height = image.size
    left, top = int(round((width - 224) / 2.0)), int(round((height - 224) / 2.0))
    image = image.crop((left, top, left + 224, top + 224))
    image.load()


def measure_pillow(folder, rounds, paths):
    """In this process: one Pillow's version and images a second."""
    if folder:
        sys.path.insert(0, folder)
    import PIL
    for path in paths:
        decode(path)
    start = time.process_time()
    for _ in range(rounds):
        for path in paths:
            decode(path)
    return {"version": PIL.__version__,
            "images_per_second": rounds * len(paths) / (time.process_time() - start)}


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="the bench_input program")
    parser.add_argument("--pillow", action="append", default=[], metavar="DIR")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("pictures", nargs="+")
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure_pillow(options.one, 2, options.pictures)))
        return
    if options.ours is None:
        parser.error("--ours is missing")
    commands = {"ours": [options.ours, "2", *options.pictures]}
    for folder in options.pillow or [""]:
        commands[folder or "Pillow"] = [sys.executable, __file__, "--one", folder, *options.pictures]
    figures = {name: [] for name in commands}
    label = {"ours": "ours"}
    for _ in range(options.rounds):
        for name, command in commands.items():
            result = run(command)
            figures[name].append(result["images_per_second"])
            if "version" in result:
                label[name] = f"Pillow {result['version']}"
    ours = statistics.median(figures["ours"])
    for name, values in figures.items():
        middle = statistics.median(values)
        print(f"{label[name]:24} {middle:7.1f} images/s ({min(values):.1f} - {max(values):.1f})"
              f"   ours / this {ours / middle:.2f}")


if __name__ == "__main__":
    main()
