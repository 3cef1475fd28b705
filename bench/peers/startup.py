#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From exec to the answer for one JPEG, against the least that a PyTorch program does for it
(startup_torch.py): the same random weights, the same photograph, the same threads, in turn. Weights
and programs are in the page cache; the answers are checked to agree first.

    bench/peers/setup.sh
    cmake --build build --target resnet
    build/peers-venv/bin/python bench/peers/startup.py
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from inference import Failure, call, cpu_name, quartiles

HERE = os.path.dirname(os.path.abspath(__file__))
BOUNDS = {"resnet18": 60, "resnet50": 150}  # milliseconds that ours is to stay within


def timed(command):
    """Milliseconds from exec to the end, and what it said."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    spent = (time.perf_counter() - start) * 1e3
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise Failure(f"{command[0]}: {said[-1]}")
    return spent, done.stdout


def prepare(options, model):
    """Paths of the weights as safetensors and as PyTorch's own file."""
    import safetensors.torch
    import torch
    work = os.path.abspath(options.work)
    os.makedirs(work, exist_ok=True)
    call([sys.executable, os.path.join(HERE, "nets.py"), work, model, "1"], f"{work}/{model}.log")
    ours = f"{work}/{model}/{model}.safetensors"
    theirs = f"{work}/{model}/{model}.pth"
    torch.save(safetensors.torch.load_file(ours), theirs)
    return ours, theirs


def make_photograph(options):
    """A JPEG as cameras and data sets have them: 500 x 375, quality 90."""
    import nets
    from PIL import Image
    path = os.path.join(options.work, "photograph.jpg")
    Image.fromarray(nets.photograph(0, 375, 500)).save(path, quality=90)
    return path


def check(ours, theirs):
    """Both name the same class with the same probability."""
    best = json.loads(ours)["predictions"][0]
    index, probability = theirs.split()
    if best["index"] != int(index) or abs(best["probability"] - float(probability)) > 1e-3:
        raise Failure(f"ours says class {best['index']} with {best['probability']:.4f}, PyTorch "
                      f"class {index} with {float(probability):.4f}")


def measure(options, model, photo):
    ours, theirs = prepare(options, model)
    threads = str(options.threads)
    commands = {
        "ours": [options.resnet, "predict", ours, photo, "--threads", threads, "--json"],
        "torch": [sys.executable, os.path.join(HERE, "startup_torch.py"), model, theirs, photo,
                  threads],
    }
    # The first ones bring everything into the page cache.
    check(timed(commands["ours"])[1], timed(commands["torch"])[1])
    figures = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            # Ours is so short that one start is no more than a glance.
            times = [timed(command)[0] for _ in range(5 if name == "ours" else 1)]
            figures[name].append(statistics.median(times))
    low, ratio, high = quartiles([b / a for a, b in zip(figures["ours"], figures["torch"])])
    return {"model": model, "threads": options.threads, "ours_ms": statistics.median(figures["ours"]),
            "torch_ms": statistics.median(figures["torch"]), "ratio": ratio, "low": low,
            "high": high, "bound_ms": BOUNDS.get(model), "rounds": figures}


def run(options):
    photo = options.photo or make_photograph(options)
    import torch
    report = {"cpu": cpu_name(), "torch": torch.__version__, "rows": []}
    lines = ["| model | threads | ours ms | bound | PyTorch ms | ratio |", "|---|---|---|---|---|---|"]
    for model in options.models.split(","):
        row = measure(options, model, photo)
        report["rows"].append(row)
        lines.append(f"| {model} | {row['threads']} | {row['ours_ms']:.1f} | {row['bound_ms'] or '–'} "
                     f"| {row['torch_ms']:.0f} | **{row['ratio']:.1f}** ({row['low']:.1f}–"
                     f"{row['high']:.1f}) |")
    print(f"{report['cpu']}, PyTorch {report['torch']}; from exec to the answer for one JPEG\n")
    print("\n".join(lines))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="resnet18,resnet50")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photo", help="a JPEG (default: one that is made)")
    parser.add_argument("--resnet", default="build/resnet")
    parser.add_argument("--work", default="build/peers", help="folder for networks and pictures")
    parser.add_argument("--json", help="all figures, there")
    try:
        run(parser.parse_args())
    except Failure as failure:
        print(f"startup: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
