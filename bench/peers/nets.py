#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the systems are compared on: one network with random weights, in the format of each, with
pictures and reference logits. bench/peers/inference.py runs it, once for each model:

    python3 bench/peers/nets.py FOLDER MODEL BATCH[,BATCH...] [int8]

FOLDER/MODEL then has
    MODEL.safetensors    the weights, PyTorch's names          (ours, PyTorch)
    MODEL.onnx           any batch                             (ONNX Runtime, OpenVINO)
    MODEL.ncnn.param/bin batch 1, 32-bit, converted by pnnx    (ncnn)
    images-B.nchw, .nhwc normalised pictures, raw 32-bit floats
    reference.npy        logits in double of CHECKED pictures, by PyTorch
and for int8
    MODEL.u8s8.onnx, MODEL.s8s8.onnx, MODEL.int8.xml           (ONNX Runtime twice, OpenVINO)
    calibration.txt      a list of PNG files with labels       (ours)
"""
import json
import os
import shutil
import sys

import numpy

SEED = 1
SIDE, CROP = 256, 224
CALIBRATION = 32  # pictures for int8
CHECKED = 4       # pictures of the reference
MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32)
STD = numpy.array([0.229, 0.224, 0.225], numpy.float32)


def photograph(index, height=SIDE, width=SIDE):
    """Bytes [height][width][3] with the spectrum of photographs: amplitude 1 / frequency."""
    generator = numpy.random.default_rng([SEED, index])
    frequency = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1
    noise = generator.standard_normal((4, height, width))
    planes = numpy.fft.irfft2(numpy.fft.rfft2(noise) / frequency, s=(height, width))
    planes -= planes.mean((1, 2), keepdims=True)
    planes /= planes.std((1, 2), keepdims=True)
    # Channels of photographs go together: three parts in common to two of their own.
    colours = 118 + 60 * (0.83 * planes[:1] + 0.55 * planes[1:]) + 20 * generator.standard_normal()
    return numpy.clip(colours.transpose(1, 2, 0), 0, 255).round().astype(numpy.uint8)


def normalised(photo):
    """The middle of a photograph as the network wants it: floats [CROP][CROP][3]."""
    edge = (SIDE - CROP) // 2
    middle = photo[edge:edge + CROP, edge:edge + CROP].astype(numpy.float32)
    return (middle / numpy.float32(255) - MEAN) / STD


def images(first, count):
    """[count][3][CROP][CROP]"""
    stack = numpy.stack([normalised(photograph(first + i)) for i in range(count)])
    return numpy.ascontiguousarray(stack.transpose(0, 3, 1, 2))


def build(name):
    """torchvision's network of that name, or timm's; in evaluation mode, as initialised there."""
    import torchvision
    if name in torchvision.models.list_models(module=torchvision.models):
        extra = {}
        if name == "googlenet":
            extra = {"aux_logits": False, "transform_input": False, "init_weights": False}
        return torchvision.models.get_model(name, weights=None, **extra).eval()
    import timm
    return timm.create_model(name, pretrained=False).eval()


def randomise(net):
    """He's initialisation; norms and biases away from 1 and 0; running statistics of pictures."""
    import torch
    from torch import nn
    torch.manual_seed(SEED)
    norms = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, (1 / module.in_features) ** 0.5)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            module.reset_running_stats()
            module.momentum = None  # a plain average
            norms.append(module)
        if isinstance(getattr(module, "bias", None), nn.Parameter):
            nn.init.normal_(module.bias, 0, 0.1)
    if norms:
        for module in norms:
            module.train()
        with torch.no_grad():
            net(torch.from_numpy(images(1000, 8)))
        net.eval()


def export(net, folder, name):
    """The network as ONNX and for ncnn."""
    import pnnx
    import torch
    example = torch.from_numpy(images(0, 2))
    torch.onnx.export(net, (example,), f"{folder}/{name}.onnx", input_names=["images"],
                      output_names=["logits"], dynamo=True, external_data=False, verbose=False,
                      dynamic_shapes=({0: torch.export.Dim("batch")},))
    scratch = f"{folder}/pnnx"
    os.makedirs(scratch, exist_ok=True)
    # pnnx folds norms into convolutions and joins activations, which is what ncnnoptimize does.
    pnnx.export(net, f"{scratch}/net.pt", example[:1], fp16=False)
    for end in "param", "bin":
        os.replace(f"{scratch}/net.ncnn.{end}", f"{folder}/{name}.ncnn.{end}")
    shutil.rmtree(scratch)


def prepare(folder, name):
    import safetensors.torch
    import torch
    net = build(name)
    randomise(net)
    with torch.inference_mode():
        checked = torch.from_numpy(images(0, CHECKED)).double()
        reference = net.double()(checked).numpy()
    net.float()
    safetensors.torch.save_file({key: value.contiguous() for key, value in net.state_dict().items()},
                                f"{folder}/{name}.safetensors")
    export(net, folder, name)
    numpy.save(f"{folder}/reference.npy", reference)


def prepare_images(folder, batch):
    if not os.path.exists(f"{folder}/images-{batch}.nhwc"):
        stack = images(0, batch)
        stack.tofile(f"{folder}/images-{batch}.nchw")
        stack.transpose(0, 2, 3, 1).tofile(f"{folder}/images-{batch}.nhwc")


def calibration_pictures(folder):
    """The pictures as PNG files for our own quantisation; labels as the float network has them."""
    import onnxruntime
    from PIL import Image
    name = os.path.basename(folder)
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx")
    lines = []
    for i in range(CALIBRATION):
        path = f"{folder}/calibration-{i}.png"
        photo = photograph(2000 + i)
        Image.fromarray(photo).save(path)
        logits = session.run(None, {"images": normalised(photo).transpose(2, 0, 1)[None]})[0]
        lines.append(f"{os.path.basename(path)} {int(logits.argmax())}\n")
    with open(f"{folder}/calibration.txt", "w") as file:
        file.writelines(lines)


def quantise_onnx(folder, name):
    """ONNX Runtime's static quantisation: QDQ, weights per channel; activations in bytes without
    and with sign, since it depends on the machine which of them is faster."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.next = 0

        def get_next(self):
            if self.next == CALIBRATION:
                return None
            self.next += 1
            return {"images": images(2000 + self.next - 1, 1)}

    plain = f"{folder}/{name}.plain.onnx"
    # Folds norms into convolutions first, as it must be for one scale a channel.
    quant_pre_process(f"{folder}/{name}.onnx", plain, skip_symbolic_shape=True)
    for form, kind in (("u8s8", quantization.QuantType.QUInt8), ("s8s8", quantization.QuantType.QInt8)):
        quantization.quantize_static(
            plain, f"{folder}/{name}.{form}.onnx", Reader(),
            quant_format=quantization.QuantFormat.QDQ, per_channel=True, activation_type=kind,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax)
    os.remove(plain)


def quantise_openvino(folder, name):
    import nncf
    import openvino
    model = openvino.Core().read_model(f"{folder}/{name}.onnx")
    model.reshape([1, 3, CROP, CROP])
    data = nncf.Dataset([images(2000 + i, 1) for i in range(CALIBRATION)])
    model = nncf.quantize(model, data, preset=nncf.QuantizationPreset.PERFORMANCE,
                          subset_size=CALIBRATION)
    openvino.save_model(model, f"{folder}/{name}.int8.xml", compress_to_fp16=False)


def main():
    top, name, batches, int8 = (sys.argv[1], sys.argv[2], [int(b) for b in sys.argv[3].split(",")],
                                sys.argv[4:] == ["int8"])
    folder = f"{top}/{name}"
    # What was made by other versions or from another seed is made again.
    import importlib.metadata as metadata
    packages = "torch torchvision timm onnx onnxruntime openvino nncf ncnn pnnx".split()
    stamp = {"seed": SEED, **{package: metadata.version(package) for package in packages}}
    stamp_path = f"{folder}/made-by.json"
    try:
        with open(stamp_path) as file:
            fresh = json.load(file) == stamp
    except (OSError, ValueError):
        fresh = False
    if not fresh:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        prepare(folder, name)
        with open(stamp_path, "w") as file:
            json.dump(stamp, file)
    for batch in batches:
        prepare_images(folder, batch)
    if int8 and not os.path.exists(f"{folder}/calibration.txt"):
        quantise_onnx(folder, name)
        quantise_openvino(folder, name)
        calibration_pictures(folder)  # the last one: its list says that all is there


if __name__ == "__main__":
    main()
