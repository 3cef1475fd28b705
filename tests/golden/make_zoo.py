#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes zoo.safetensors, what PyTorch computes in float64 with every family of nets; test_zoo.c
compares it with ours.

    pip install torch torchvision timm numpy safetensors && python3 tests/golden/make_zoo.py

The nets are torchvision's and timm's own where they have them; shortcut options, pre-activation nets
and the paper's GoogLeNet are built here from PyTorch's layers. As in make_golden.py no weight is
stored: weights, running statistics, images and labels are a formula of (seed, name, index).

Of each net the logits in evaluation are stored, NET.logits [batch, 10]. Of those that are trained,
with batch statistics and without dropout, also NET.losses [batch], the weighted sum of all heads, and
NET.gradients [parameters, 2] of the batch's mean loss, in order of name: the largest magnitude and a
dot product with a vector made by the formula.
"""
import os

import numpy as np
import safetensors.numpy
import timm
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision.models as zoo

from make_golden import GOLDEN, PURPOSE, Net, hash_name, mix, samples, signed

SEED, CLASSES, CHUNK = 1, 10, 1 << 22
LRN_ALPHA, HEAD_WEIGHT = (float(np.float32(v)) for v in (1e-4, 0.3))


def formula(name, count):
    """make_golden's signed(SEED, name, count) as float32 pieces, for parameters of any size."""
    with np.errstate(over="ignore"):
        golden = np.uint64(GOLDEN)
        x = mix(np.array([SEED], dtype=np.uint64) + golden * np.uint64(PURPOSE))
        x = mix(x + golden * (hash_name(name) + np.uint64(1)))
        for begin in range(0, count, CHUNK):
            index = np.arange(begin, min(begin + CHUNK, count), dtype=np.uint64)
            bits = mix(x + golden * (index + np.uint64(1))) >> np.uint64(11)
            yield begin, 2 * (bits.astype(np.float64) * 2.0**-53) - 1


def value_of(name, tensor, u):
    if tensor.dim() > 1:
        return u * np.sqrt(6 / (tensor.numel() // tensor.shape[0]))
    if name.endswith("bias") or name.endswith("running_mean"):
        return 0.2 * u
    return 2 + u if name.endswith("running_var") else 1 + 0.2 * u


def fill(net):
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            flat = tensor.view(-1)
            for begin, u in formula(name, flat.numel()):
                values = torch.from_numpy(value_of(name, tensor, u).astype(np.float32))
                flat[begin : begin + len(values)] = values.double()


def conv(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class Unit(nn.Module):
    """A pre-activation unit; `first` of its stage: the shortcut, too, reads what norm and relu gave.
    `active`: the input went through them already."""

    def __init__(self, inputs, width, stride, shortcut, bottleneck, first, active):
        super().__init__()
        outputs = width * 4 if bottleneck else width
        if bottleneck:
            shape = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            shape = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.depth, self.first, self.active, self.stride = len(shape), first, active, stride
        for i, args in enumerate(shape, 1):
            if i > 1 or not active:
                setattr(self, f"bn{i}", nn.BatchNorm2d(args[0]))
            setattr(self, f"conv{i}", conv(*args))
        self.extra = outputs - inputs
        if shortcut == "B" and (stride != 1 or self.extra):
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride))

    def forward(self, x):
        a = x if self.active else F.relu(self.bn1(x))
        y = self.conv1(a)
        for i in range(2, self.depth + 1):
            y = getattr(self, f"conv{i}")(F.relu(getattr(self, f"bn{i}")(y)))
        s = a if self.first else x
        if hasattr(self, "downsample"):
            return y + self.downsample(s)
        half = self.extra // 2
        return y + F.pad(s[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))


class PreResNet(nn.Module):
    def __init__(self, imagenet, counts, width, shortcut, bottleneck):
        super().__init__()
        self.imagenet, self.stages = imagenet, len(counts)
        self.conv1 = conv(3, width, 7, 2) if imagenet else conv(3, width, 3)
        if imagenet:
            self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for s, count in enumerate(counts):
            units = []
            for i in range(count):
                stride = 2 if s > 0 and i == 0 else 1
                active = imagenet and s == 0 and i == 0
                units.append(Unit(channels, width << s, stride, shortcut, bottleneck, i == 0, active))
                channels = (width << s) * (4 if bottleneck else 1)
            setattr(self, f"layer{s + 1}", nn.Sequential(*units))
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = self.conv1(x)
        if self.imagenet:
            x = F.max_pool2d(F.relu(self.bn1(x)), 3, 2, 1)
        for s in range(self.stages):
            x = getattr(self, f"layer{s + 1}")(x)
        return self.fc(F.relu(self.bn(x)).mean((2, 3)))


class Rectified(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, x):
        return F.relu(self.conv(x))


class Head(nn.Module):
    def __init__(self, inputs, extent):
        super().__init__()
        self.conv = Rectified(inputs, 128, 1)
        self.fc1 = nn.Linear(128 * extent * extent, 1024)
        self.fc2 = nn.Linear(1024, CLASSES)

    def forward(self, x):
        x = self.conv(F.avg_pool2d(x, 5, 3))
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class PaperInception(nn.Module):
    def __init__(self, inputs, first, second_reduce, second, third_reduce, third, fourth):
        super().__init__()
        self.branch1 = Rectified(inputs, first, 1)
        self.branch2 = nn.Sequential(
            Rectified(inputs, second_reduce, 1), Rectified(second_reduce, second, 3)
        )
        self.branch3 = nn.Sequential(
            Rectified(inputs, third_reduce, 1), Rectified(third_reduce, third, 5)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), Rectified(inputs, fourth, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class PaperGoogLeNet(nn.Module):
    """Table 1 of arXiv 1409.4842, with the auxiliary heads of its section 5, for images whose
    14x14 stage has extents for `extent` windows of the heads' pooling."""

    def __init__(self, extent):
        super().__init__()
        self.conv1 = Rectified(3, 64, 7, 2)
        self.conv2 = Rectified(64, 64, 1)
        self.conv3 = Rectified(64, 192, 3)
        self.inception3a = PaperInception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = PaperInception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = PaperInception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = PaperInception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = PaperInception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = PaperInception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = PaperInception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = PaperInception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = PaperInception(832, 384, 192, 384, 48, 128, 128)
        self.lrn = nn.LocalResponseNorm(5, LRN_ALPHA, 0.75, 1)
        self.aux1, self.aux2 = Head(512, extent), Head(528, extent)
        self.fc = nn.Linear(1024, CLASSES)

    def forward(self, x):
        pool = lambda y: F.max_pool2d(y, 3, 2, ceil_mode=True)
        x = self.conv2(self.lrn(pool(self.conv1(x))))
        x = pool(self.lrn(self.conv3(x)))
        x = self.inception4a(pool(self.inception3b(self.inception3a(x))))
        aux1 = self.aux1(x) if self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.training else None
        x = self.inception5b(self.inception5a(pool(self.inception4e(x))))
        x = self.fc(x.mean((2, 3)))
        return (x, aux2, aux1) if self.training else x


def resnet50_v1():
    net = zoo.resnet50(num_classes=CLASSES)
    for layer in (net.layer2, net.layer3, net.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    return net


def torchvision(name, **options):
    return lambda: getattr(zoo, name)(num_classes=CLASSES, **options)


def timms(name):
    return lambda: timm.create_model(name, num_classes=CLASSES)


def residual(*shape):
    return lambda: Net(True, *shape, CLASSES)


# Of each net: how it is made, the images' extents, and whether it is trained as well.
NETS = {
    "resnet18": (torchvision("resnet18"), 64, False),
    "resnet34": (torchvision("resnet34"), 32, False),
    "resnet50": (torchvision("resnet50"), 64, False),
    "resnet50_v1": (resnet50_v1, 64, False),
    "resnet101": (torchvision("resnet101"), 32, False),
    "resnet152": (torchvision("resnet152"), 32, False),
    "resnet18_A": (residual((2, 2, 2, 2), 64, "A", False), 64, False),
    "resnet18_C": (residual((2, 2, 2, 2), 64, "C", False), 64, False),
    "resnet50_A": (residual((3, 4, 6, 3), 64, "A", True), 64, False),
    "resnet50_C": (residual((3, 4, 6, 3), 64, "C", True), 64, False),
    "resnext50_32x4d": (torchvision("resnext50_32x4d"), 64, True),
    "wide_resnet50_2": (torchvision("wide_resnet50_2"), 64, False),
    "seresnet18": (timms("seresnet18"), 64, True),
    "seresnet34": (timms("seresnet34"), 32, False),
    "seresnet50": (timms("seresnet50"), 64, False),
    "seresnet101": (timms("seresnet101"), 32, False),
    "seresnet152": (timms("seresnet152"), 32, False),
    "preresnet20": (lambda: PreResNet(False, (3, 3, 3), 16, "A", False), 32, True),
    "preresnet110": (lambda: PreResNet(False, (18, 18, 18), 16, "A", False), 16, False),
    "preresnet164": (lambda: PreResNet(False, (18, 18, 18), 16, "B", True), 16, False),
    "preresnet18": (lambda: PreResNet(True, (2, 2, 2, 2), 64, "B", False), 64, True),
    "preresnet50": (lambda: PreResNet(True, (3, 4, 6, 3), 64, "B", True), 64, False),
    "googlenet": (torchvision("googlenet", aux_logits=True, init_weights=False), 100, True),
    "googlenet_paper": (lambda: PaperGoogLeNet(1), 90, True),
    "alexnet": (torchvision("alexnet"), 100, False),
    "alexnet_whole": (torchvision("alexnet"), 224, False),
    "vgg11": (torchvision("vgg11"), 224, False),
    "vgg16_bn": (torchvision("vgg16_bn"), 75, False),
}
BATCH = 2


def train(net, images, labels, name, tensors):
    net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
    outputs = net(images)
    outputs = tuple(outputs) if isinstance(outputs, tuple) else (outputs,)
    weights = (1, HEAD_WEIGHT, HEAD_WEIGHT)
    losses = sum(
        weight * F.cross_entropy(logits, labels, reduction="none")
        for weight, logits in zip(weights, outputs)
    )
    losses.mean().backward()
    gradients = {n: p.grad.numpy().ravel() for n, p in net.named_parameters()}
    tensors[f"{name}.losses"] = losses.detach().numpy()
    tensors[f"{name}.gradients"] = np.array(
        [[np.abs(g).max(), np.dot(g, signed(100, n, g.size))] for n, g in sorted(gradients.items())]
    )


def main():
    torch.set_num_threads(1)
    tensors = {}
    for name, (create, size, trained) in NETS.items():
        net = create().double().eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = float(np.float32(module.eps))
        fill(net)
        images, labels = samples(SEED, BATCH, size, CLASSES)
        with torch.no_grad():
            logits = net(images).numpy()
        tensors[f"{name}.logits"] = np.ascontiguousarray(logits)
        if trained:
            train(net, images, labels, name, tensors)
        count = sum(p.numel() for p in net.parameters())
        print(f"{name}: {count} parameters, largest logit {np.abs(logits).max():.3g}", flush=True)
    folder = os.path.dirname(os.path.abspath(__file__))
    version = torch.__version__.split("+")[0]
    metadata = {"seed": str(SEED), "made_with": f"PyTorch {version}"}
    safetensors.numpy.save_file(tensors, os.path.join(folder, "zoo.safetensors"), metadata)


if __name__ == "__main__":
    main()
