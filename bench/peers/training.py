#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training speed against PyTorch, in one paired run: the same networks, batch and threads, whole
steps (forward, loss, backward, SGD with momentum), synthetic data, rounds interleaved.

    python3 bench/peers/training.py --ours build/resnet [--models resnet20,resnet56]

PyTorch runs at its best settings: channels_last, eager and compiled (inductor), the faster counts.
Prints a table of medians and ratios (ours / PyTorch in images a second), and JSON with --json FILE.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cifar_models


class Peer:
    """A training step of PyTorch on one fixed batch."""

    def __init__(self, name, batch, compiled):
        torch.manual_seed(1)
        self.net = cifar_models.build(name).train().to(memory_format=torch.channels_last)
        self.run = torch.compile(self.net) if compiled else self.net
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1, momentum=0.9,
                                         weight_decay=1e-4, foreach=True)
        self.images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(10, (batch,))
        self.batch = batch

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.run(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def images_per_second(self, steps):
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return steps * self.batch / (time.perf_counter() - start)


def ours_images_per_second(program, name, batch, threads, steps):
    output = subprocess.run([program, "bench", name, "--train", "--batch", str(batch), "--threads",
                             str(threads), "--repeat", str(steps), "--json"], check=True,
                            capture_output=True, text=True).stdout
    return float(json.loads(output)["images_per_second"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True, help="the program resnet")
    parser.add_argument("--models", default="resnet20,resnet56")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for name in options.models.split(","):
        peers = {"eager": Peer(name, options.batch, False),
                 "compiled": Peer(name, options.batch, True)}
        for peer in peers.values():
            for _ in range(3):
                peer.step()
        figures = {"ours": [], "eager": [], "compiled": []}
        for _ in range(options.rounds):
            figures["ours"].append(ours_images_per_second(
                options.ours, name, options.batch, options.threads, options.steps))
            for kind, peer in peers.items():
                figures[kind].append(peer.images_per_second(options.steps))
        medians = {kind: statistics.median(values) for kind, values in figures.items()}
        best = max(medians["eager"], medians["compiled"])
        rows.append({"model": name, "batch": options.batch, "threads": options.threads,
                     "torch": torch.__version__, **medians, "ratio": medians["ours"] / best})
        print(f"{name:10} ours {medians['ours']:7.1f}  eager {medians['eager']:7.1f}  compiled "
              f"{medians['compiled']:7.1f} images/s  ratio {rows[-1]['ratio']:.2f}", flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
