#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training speed against PyTorch, in one paired run: the same networks, batch and threads, whole
steps (forward, loss, backward, SGD with momentum), synthetic data, rounds interleaved.

    python3 bench/peers/training.py --ours build/resnet [--models resnet20,resnet56:64,resnet18]

CIFAR's networks (resnet20, resnet56, ...) are the paper's with 32x32 pixels, the others
torchvision's with 224x224. A batch may follow the name; it is 128 for CIFAR's networks and 32 for
the others. PyTorch runs at its best settings: channels_last, eager and compiled (inductor), the
faster counts. Prints a table of medians and ratios (ours / PyTorch in images a second), and JSON
with --json FILE.

The machine should have nothing else to do. Where it has, `--threads 1 --clock cpu` counts processor
time in place of time.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cifar_models


CIFAR_DEPTHS = {20, 32, 44, 56, 110, 1202}


def is_cifar(name):
    depth = name.removeprefix("resnet").removeprefix("plain")
    return depth.isdigit() and int(depth) in CIFAR_DEPTHS


def build(name):
    """The network, its input's side and its classes."""
    if is_cifar(name):
        return cifar_models.build(name), 32, 10
    import torchvision
    return torchvision.models.get_model(name, weights=None), 224, 1000


class Peer:
    """A training step of PyTorch on one fixed batch."""

    def __init__(self, name, batch, compiled, clock):
        torch.manual_seed(1)
        net, side, classes = build(name)
        self.net = net.train().to(memory_format=torch.channels_last)
        self.run = torch.compile(self.net) if compiled else self.net
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1, momentum=0.9,
                                         weight_decay=1e-4, foreach=True)
        images = torch.randn(batch, 3, side, side)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(classes, (batch,))
        self.batch, self.clock = batch, clock

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.run(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def images_per_second(self, steps):
        clock = time.process_time if self.clock == "cpu" else time.perf_counter
        start = clock()
        for _ in range(steps):
            self.step()
        return steps * self.batch / (clock() - start)


class Ours:
    """Steps of `resnet bench --train`."""

    def __init__(self, program, name, batch, threads, clock):
        self.command = [program, "bench", name, "--train", "--batch", str(batch), "--threads",
                        str(threads), "--json"]
        if clock == "cpu":  # no warming up for a while, which takes more or fewer steps
            self.command += ["--seconds", "0.001"]
        self.batch, self.clock = batch, clock

    def bench(self, steps):
        """Images a second, and the processor time of the whole process."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = subprocess.run(self.command + ["--repeat", str(steps)], check=True, capture_output=True,
                                text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        return float(json.loads(output)["images_per_second"]), spent

    def images_per_second(self, steps):
        if self.clock == "wall":
            return self.bench(steps)[0]
        # What steps cost beyond a first one, which has the start and the end of the process too.
        return steps * self.batch / (self.bench(steps + 1)[1] - self.bench(1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True, help="the program resnet")
    parser.add_argument("--models", default="resnet20,resnet56")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="cpu: processor time, for machines that are not quiet")
    parser.add_argument("--json")
    options = parser.parse_args()
    if options.clock == "cpu" and options.threads > 1:
        parser.error("--clock cpu counts spinning as work: one thread only")
    torch.set_num_threads(options.threads)
    rows = []
    for entry in options.models.split(","):
        name, _, batch = entry.partition(":")
        batch = int(batch or (128 if is_cifar(name) else 32))
        systems = {"ours": Ours(options.ours, name, batch, options.threads, options.clock),
                   "eager": Peer(name, batch, False, options.clock),
                   "compiled": Peer(name, batch, True, options.clock)}
        for kind in ("eager", "compiled"):
            for _ in range(3):
                systems[kind].step()
        figures = {kind: [] for kind in systems}
        for _ in range(options.rounds):
            for kind, system in systems.items():
                figures[kind].append(system.images_per_second(options.steps))
        medians = {kind: statistics.median(values) for kind, values in figures.items()}
        best = max(medians["eager"], medians["compiled"])
        rows.append({"model": name, "batch": batch, "threads": options.threads,
                     "clock": options.clock, "torch": torch.__version__, **medians,
                     "ratio": medians["ours"] / best})
        print(f"{name:10} ours {medians['ours']:7.1f}  eager {medians['eager']:7.1f}  compiled "
              f"{medians['compiled']:7.1f} images/s  ratio {rows[-1]['ratio']:.2f}", flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
