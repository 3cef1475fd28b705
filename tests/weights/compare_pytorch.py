#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the logits of weights that PyTorch saved with PyTorch's own.

    compare_pytorch.py RESNET [--all] [CASE]...

Of every family that torchvision, timm or bench/peers/cifar_models.py has, a net with random weights is
saved in PyTorch's zip and legacy formats and as safetensors, `resnet eval --logits` classifies a few
pictures with each file, and the largest difference must be within 1e-4 of the largest logit. A case is
a net; --all takes every net in all three formats, else a selection in which each family and each
format occurs. Exit code 77: Python's packages are not there.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import zlib

try:
    import numpy
    import safetensors.torch
    import timm
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    import torchvision.models as zoo
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/peers"))
from cifar_models import CifarNet

BOUND = 1e-4
PICTURES = 3
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

FORMATS = {
    "zip": torch.save,
    "legacy": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "safetensors": safetensors.torch.save_file,
}


class Pad(nn.Module):
    """Option A of the paper's section 3.3; torchvision's nets have option B."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.extra, self.stride = outputs - inputs, stride

    def forward(self, x):
        before = self.extra // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.extra - before))


def blocks(net):
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        yield from stage


def with_shortcut(net, shortcut):
    for block in blocks(net):
        convs = [module for name, module in block.named_children() if name.startswith("conv")]
        inputs, outputs = convs[0].in_channels, convs[-1].out_channels
        if shortcut == "A" and block.downsample is not None:
            block.downsample = Pad(inputs, outputs, block.stride)
        if shortcut == "C" and block.downsample is None:
            block.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False),
                                             nn.BatchNorm2d(outputs))
    return net


def with_stride_in_1x1(net):
    """v1, the paper's: torchvision and timm have the stride of a bottleneck in its 3x3 convolution."""
    for block in blocks(net):
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return net


def torchvision(name, **options):
    return lambda: getattr(zoo, name)(**options)


def timms(name):
    return lambda: timm.create_model(name)


class Case:
    """`create` makes the net; `options` are for the program; `format`: in which the short run has it."""

    def __init__(self, model, create, *options, format=None, crop=224):
        self.model, self.create, self.options, self.format, self.crop = model, create, options, format, crop
        self.center = IMAGENET


def make_cases():
    cases = {}
    for depth in (20, 32, 44, 56, 110):
        for shortcut, format in (("A", "zip"), ("B", "legacy"), ("C", "safetensors")):
            cases[f"resnet{depth}, {shortcut}"] = Case(
                f"resnet{depth}", lambda depth=depth, shortcut=shortcut: CifarNet(depth, shortcut),
                format=format if depth in (20, 110) else None, crop=32)
        cases[f"plain{depth}"] = Case(
            f"plain{depth}", lambda depth=depth: CifarNet(depth, None), "--model", f"plain{depth}",
            format="legacy" if depth == 20 else None, crop=32)
    for name in ("resnet18", "resnet34", "resnet50"):
        for shortcut, format in (("A", "legacy"), ("C", "zip")):
            cases[f"{name}, {shortcut}"] = Case(
                name, lambda name=name, shortcut=shortcut: with_shortcut(getattr(zoo, name)(), shortcut),
                format=format if name == "resnet18" else None)
    formats = {"resnet18": "safetensors", "resnet152": "zip", "wide_resnet50_2": "legacy", "alexnet": "legacy",
               "vgg11": "safetensors", "vgg16_bn": "zip"}
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2",
                 "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn",
                 "vgg19_bn"):
        cases[name] = Case(name, torchvision(name), format=formats.get(name))
    cases["resnext50_32x4d"] = Case("resnext50_32x4d", torchvision("resnext50_32x4d"), format="safetensors")
    for transform in (True, False):
        options = () if transform else ("--preset", "torchvision")
        cases[f"googlenet, transform_input {transform}"] = Case(
            "googlenet", torchvision("googlenet", init_weights=False, transform_input=transform), *options,
            format="zip" if transform else "legacy")
    formats = {"seresnet18": "legacy", "seresnet50": "zip"}
    for name in ("seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152"):
        cases[name] = Case(name, timms(name), format=formats.get(name))
    for name in ("resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "vgg11", "vgg16_bn"):
        cases[f"timm's {name}"] = Case(name, timms(name), format="safetensors" if name == "vgg11" else None)
    for name, create in (("resnet50", torchvision("resnet50")), ("resnet101", torchvision("resnet101")),
                         ("resnet152", torchvision("resnet152")), ("seresnet50", timms("seresnet50")),
                         ("resnext50_32x4d", torchvision("resnext50_32x4d")),
                         ("wide_resnet50_2", torchvision("wide_resnet50_2"))):
        cases[f"{name}, v1"] = Case(
            name, lambda create=create: with_stride_in_1x1(create()), "--stride-in", "1x1",
            format="safetensors" if name == "resnet50" else None)
    return cases


def randomise(net, pictures):
    """He's weights; running statistics near those of the pictures, so that no depth lets activations
    vanish or explode, but none of a norm's four vectors is without effect. A norm's bias is positive on
    average: a deep chain of ReLUs that cut half of everything is chaotic, and PyTorch itself is then
    1e-2 off its results in double in resnet110 with option C."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.bias, 0.5, 0.2)
            module.momentum = 1
    with torch.no_grad():
        net.train()(pictures)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean += 0.2 * torch.randn_like(module.running_mean) * module.running_var.sqrt()
                module.running_var *= torch.empty_like(module.running_var).uniform_(0.5, 2)
    return net.eval()


def make_pictures(folder, crop):
    """Pictures that resizing leaves as they are (256 for a crop of 224), in files and as the network
    gets them with ImageNet's normalisation."""
    side = crop if crop == 32 else crop + 32
    draw = numpy.random.default_rng(side)
    y, x = numpy.mgrid[0:side, 0:side] / side
    inputs = []
    with open(os.path.join(folder, f"pictures{crop}"), "w", encoding="utf-8") as listing:
        for number in range(PICTURES):
            waves = [numpy.sin(draw.uniform(3, 30) * x + draw.uniform(3, 30) * y + draw.uniform(0, 6))
                     for _ in range(3)]
            pixels = 127 + 70 * numpy.stack(waves, axis=-1) + draw.normal(0, 25, (side, side, 3))
            pixels = pixels.clip(0, 255).astype(numpy.uint8)
            Image.fromarray(pixels).save(os.path.join(folder, f"{crop}-{number}.png"))
            print(f"{crop}-{number}.png 0", file=listing)
            margin = (side - crop) // 2
            seen = pixels[margin : margin + crop, margin : margin + crop] / 255
            inputs.append(((seen - IMAGENET[0]) / IMAGENET[1]).transpose(2, 0, 1))
    return torch.from_numpy(numpy.stack(inputs).astype(numpy.float32))


def evaluate(program, case, weights, folder):
    """What the program takes the weights for, and its logits."""
    logits = os.path.join(folder, "logits.npy")
    command = [program, "eval", weights, "--data", "list:" + os.path.join(folder, f"pictures{case.crop}"),
               "--json", "--logits", logits, *case.options]
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if found.returncode != 0:
        return found.stderr.decode().strip(), None
    return json.loads(found.stdout)["model"], numpy.load(logits)


def compare(program, name, case, formats, inputs, folder):
    """The largest error of each format, relative to the largest logit; infinite where the weights were
    not read."""
    torch.manual_seed(zlib.crc32(name.encode()))
    net = randomise(case.create(), inputs)
    with torch.no_grad():
        wanted = net(inputs).numpy()
    scale = numpy.abs(wanted).max()
    # Logits that hardly depend on the picture would compare biases only.
    assert numpy.isfinite(scale) and numpy.ptp(wanted, axis=0).max() > 0.01 * scale, name
    for format in formats:
        path = os.path.join(folder, "weights")
        FORMATS[format](net.state_dict(), path)
        model, found = evaluate(program, case, path, folder)
        os.remove(path)
        right = model == case.model and found.shape == wanted.shape
        error = float(numpy.abs(found - wanted).max() / scale) if right else numpy.inf
        print(f"{name:32}{format:12} {error:.1e}" + ("" if right else f"  {model}"), flush=True)
        yield error


def main():
    cases = make_cases()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="RESNET")
    parser.add_argument("--all", action="store_true", help="every net in every format")
    parser.add_argument("cases", metavar="CASE", nargs="*", choices=[[], *cases], help="default: all")
    arguments = parser.parse_args()
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        inputs = {crop: make_pictures(folder, crop) for crop in (32, 224)}
        for name, case in cases.items():
            formats = list(FORMATS) if arguments.all or arguments.cases else [case.format] if case.format else []
            if formats and (name in arguments.cases or not arguments.cases):
                errors += compare(arguments.program, name, case, formats, inputs[case.crop], folder)
    wrong = sum(error > BOUND for error in errors)
    print(f"{len(errors)} files, PyTorch {torch.__version__}: largest error {max(errors):.1e}, {wrong} above {BOUND}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
