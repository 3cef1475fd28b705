#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden files of this folder with PyTorch; test_pytorch.c compares them with ours.

    pip install torch numpy safetensors && python3 tests/golden/make_golden.py

The nets are built from PyTorch's own layers, not from this project. To keep the files small, no
weight is stored: weights, images and labels are a formula of (seed, name, index), the counter-based
hash of src/base/random.c, rounded to float32 so that both precisions start at the same point. Of
each tensor a digest is stored: [largest magnitude, four dot products with formula-made vectors, the
first 128 elements].

All is computed in float64. What single precision costs in a net is measured: WOBBLES runs in
float32, each from weights moved by about one unit in the last place. Their largest errors, relative
to the largest magnitude of each tensor, are stored as float_error.*, and the bounds of our float
backends are derived from them. The errors are far above 1e-7 only where relus flip: an input nearer
to 0 than its rounding error falls on either side, and the gradient jumps; training then amplifies
the jump. So a small net's seed is chosen: among the first SEEDS ones for which no relu's input in
the first step is within MARGIN of 0, the one whose ten steps diverge least.
"""
import os

import numpy as np
import safetensors.numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
PURPOSE = 7  # RANDOM_TEST
HEAD = 128
STEPS = 10
MARGIN = 2e-5
SEEDS = 6
WOBBLES = 6
# Our attributes are floats, so PyTorch gets the same values.
RATE, MOMENTUM, DECAY, EPSILON, NORM_MOMENTUM = (
    float(np.float32(v)) for v in (0.1, 0.9, 1e-4, 1e-5, 0.1)
)


def mix(x):
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hash_name(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return mix(np.array([value], dtype=np.uint64))[0]


def draws(seed, major, count):
    """random_uniform(seed, RANDOM_TEST, major, 0 ... count-1)."""
    with np.errstate(over="ignore"):
        golden = np.uint64(GOLDEN)
        x = mix(np.array([seed], dtype=np.uint64) + golden * np.uint64(PURPOSE))
        x = mix(x + golden * (major + np.uint64(1)))
        x = mix(x + golden * (np.arange(count, dtype=np.uint64) + np.uint64(1)))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform(seed, name, count):
    return draws(seed, hash_name(name), count)


def signed(seed, name, count):
    return 2 * uniform(seed, name, count) - 1


def digest(name, array):
    flat = np.asarray(array, dtype=np.float64).ravel()
    dots = [np.dot(flat, signed(100 + j, name, flat.size)) for j in range(4)]
    return np.concatenate([[np.abs(flat).max()], dots, flat[:HEAD]])


def conv(inputs, outputs, kernel, stride):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=NORM_MOMENTUM)


class Block(nn.Module):
    """A basic or bottleneck block with shortcut "none", "A", "B" or "C"."""

    def __init__(self, inputs, width, stride, shortcut, bottleneck):
        super().__init__()
        outputs = width * 4 if bottleneck else width
        if bottleneck:
            shape = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            shape = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.depth = len(shape)
        for i, args in enumerate(shape, 1):
            setattr(self, f"conv{i}", conv(*args))
            setattr(self, f"bn{i}", norm(args[1]))
        self.shortcut, self.stride, self.extra = shortcut, stride, outputs - inputs
        changes = stride != 1 or inputs != outputs
        if shortcut == "C" or (shortcut == "B" and changes):
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.depth:
                y = rectify(y)
        if hasattr(self, "downsample"):
            y = y + self.downsample(x)
        elif self.shortcut != "none":
            half = self.extra // 2
            s = x[:, :, :: self.stride, :: self.stride]
            y = y + (F.pad(s, (0, 0, 0, 0, half, half)) if self.extra else s)
        return rectify(y)


class Net(nn.Module):
    """The nets of the paper's sections 4.1 (imagenet) and 4.2 (three stages, widths 16/32/64)."""

    def __init__(self, imagenet, counts, width, shortcut, bottleneck, classes):
        super().__init__()
        self.imagenet = imagenet
        self.conv1 = conv(3, width, 7, 2) if imagenet else conv(3, width, 3, 1)
        self.bn1 = norm(width)
        channels = width
        self.stages = len(counts)
        for s, count in enumerate(counts):
            blocks = []
            for b in range(count):
                stride = 2 if s > 0 and b == 0 else 1
                blocks.append(Block(channels, width << s, stride, shortcut, bottleneck))
                channels = (width << s) * (4 if bottleneck else 1)
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = rectify(self.bn1(self.conv1(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for s in range(self.stages):
            x = getattr(self, f"layer{s + 1}")(x)
        return self.fc(x.mean((2, 3)))


nearest = [np.inf]  # how near to 0 the input of a relu came


def rectify(x):
    nearest[0] = min(nearest[0], x.detach().abs().min().item())
    return F.relu(x)


def fill(net, seed, wobble):
    with torch.no_grad():
        for name, p in net.named_parameters():
            u = signed(seed, name, p.numel())
            if p.dim() > 1:
                u = u * np.sqrt(6 / (p.numel() // p.shape[0]))
            elif name.endswith("bias"):
                u = 0.2 * u
            else:
                u = 1 + 0.2 * u
            values = u.astype(np.float32).astype(np.float64).reshape(p.shape)
            if wobble:
                values = values * (1 + 2.0**-23 * signed(wobble, name, p.numel()).reshape(p.shape))
            p.copy_(torch.from_numpy(values))


def samples(seed, batch, size, classes):
    images = (2 * signed(seed, "images", batch * 3 * size * size)).astype(np.float32)
    labels = np.floor(uniform(seed, "labels", batch) * classes).astype(np.int64)
    images = images.astype(np.float64).reshape(batch, 3, size, size)
    return torch.from_numpy(images), torch.from_numpy(labels)


def run(spec, seed, dtype, steps, wobble=0):
    """Everything of one net in one precision, by name."""
    nearest[0] = np.inf
    net = Net(*spec["net"]).to(torch.float64)
    fill(net, seed, wobble)
    net = net.to(dtype)
    images, labels = samples(seed, spec["batch"], spec["size"], spec["net"][-1])
    images = images.to(dtype)
    velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    result = {"steps": {name: [] for name, _ in net.named_parameters()}, "step_losses": []}
    for step in range(max(steps, 1)):
        net.zero_grad()
        logits = net(images)
        losses = F.cross_entropy(logits, labels, reduction="none")
        losses.mean().backward()
        if step == 0:
            result["logits"] = logits.detach().double().numpy()
            result["losses"] = losses.detach().double().numpy()
            result["gradients"] = {n: p.grad.double().numpy() for n, p in net.named_parameters()}
            result["running"] = {
                n: b.double().numpy().copy()
                for n, b in net.named_buffers()
                if not n.endswith("num_batches_tracked")
            }
            result["nearest"] = nearest[0]
        if steps == 0:
            break
        result["step_losses"].append(losses.detach().double().mean().item())
        with torch.no_grad():
            for name, p in net.named_parameters():
                velocity[name].mul_(MOMENTUM).add_(p.grad + DECAY * p)
                p.sub_(RATE * velocity[name])
                result["steps"][name].append(digest(name, p.double().numpy())[:5])
    return result


def relative_error(other, exact):
    return np.abs(other - exact).max() / np.abs(exact).max()


def errors(single, exact):
    """The largest relative errors of a float32 run, by kind."""
    result = {kind: [relative_error(single[kind], exact[kind])] for kind in ("logits", "losses")}
    for kind in ("gradients", "running"):
        result[kind] = [max(relative_error(single[kind][n], v) for n, v in exact[kind].items())]
    if exact["step_losses"]:
        other, losses = np.array(single["step_losses"]), np.array(exact["step_losses"])
        result["step_losses"] = np.abs(other / losses - 1)
        result["steps"] = np.zeros(len(losses))
        for n, value in exact["steps"].items():
            value, other = np.array(value), np.array(single["steps"][n])
            scale = value[:, 0] * np.sqrt(exact["gradients"][n].size)
            error = np.abs(other - value)[:, 1:].max(1) / scale
            result["steps"] = np.maximum(result["steps"], error)
    return result


def measure(spec, seed):
    exact = run(spec, seed, torch.float64, spec["steps"])
    worst = {}
    for wobble in range(1, WOBBLES + 1):
        single = run(spec, seed, torch.float32, spec["steps"], wobble)
        for kind, error in errors(single, exact).items():
            worst[kind] = np.maximum(worst.get(kind, 0), error)
    return exact, worst


def choose_seed(spec):
    candidates, seed = [], 0
    while len(candidates) < SEEDS:
        seed += 1
        if run(spec, seed, torch.float64, 0)["nearest"] > MARGIN:
            candidates.append((measure(spec, seed)[1]["step_losses"].max(), seed))
    return min(candidates)[1]


def make(name, spec):
    seed = choose_seed(spec) if spec["steps"] else 1
    exact, worst = measure(spec, seed)
    tensors = {"logits": exact["logits"], "losses": exact["losses"]}
    for kind, error in worst.items():
        tensors[f"float_error.{kind}"] = error
    for kind in ("gradients", "running"):
        for n, value in exact[kind].items():
            tensors[f"{kind}.{n}"] = digest(n, value)
    if spec["steps"]:
        tensors["step_losses"] = exact["step_losses"]
        for n, value in exact["steps"].items():
            tensors[f"steps.{n}"] = value
    for key in tensors:
        tensors[key] = np.ascontiguousarray(tensors[key], dtype=np.float64)
    metadata = {
        "seed": str(seed),
        "model": spec["model"],
        "shortcut": spec["net"][3],
        "batch": str(spec["batch"]),
        "size": str(spec["size"]),
        "classes": str(spec["net"][-1]),
        "steps": str(spec["steps"]),
        "made_with": f"PyTorch {torch.__version__.split('+')[0]}",
    }
    folder = os.path.dirname(os.path.abspath(__file__))
    safetensors.numpy.save_file(tensors, os.path.join(folder, name + ".safetensors"), metadata)
    print(f"{name}: seed {seed}, nearest relu input {exact['nearest']:.1e}", flush=True)
    for key in sorted(k for k in tensors if k.startswith("float_error")):
        print("   ", key, " ".join(f"{v:.1e}" for v in tensors[key]))


def main():
    torch.set_num_threads(1)
    cifar = {"batch": 4, "size": 16, "steps": STEPS}
    for shortcut, model in (("A", "resnet20"), ("B", "resnet20"), ("C", "resnet20"),
                            ("none", "plain20")):
        name = model + ("" if shortcut == "none" else "_" + shortcut)
        make(name, dict(cifar, model=model, net=(False, (3, 3, 3), 16, shortcut, False, 10)))
    make("resnet50", {"model": "resnet50", "net": (True, (3, 4, 6, 3), 64, "B", True, 10),
                      "batch": 2, "size": 64, "steps": 0})


if __name__ == "__main__":
    main()
