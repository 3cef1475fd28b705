# SPDX-License-Identifier: Apache-2.0
"""The least that a PyTorch program does to name what a photograph shows; bench/peers/startup.py
measures it from its start to its end. Nothing is done that could be left out: the network is made
without initialising it, and its weights are mapped, not copied.

    python3 bench/peers/startup_torch.py MODEL WEIGHTS.pth PHOTO THREADS
"""
import sys

import numpy
import torch
import torchvision
from PIL import Image

name, weights, photo, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
with torch.device("meta"):
    net = torchvision.models.get_model(name, weights=None)
net.load_state_dict(torch.load(weights, mmap=True, weights_only=True), assign=True)
net.eval()

image = Image.open(photo).convert("RGB")
width, height = image.size
short = min(width, height)
image = image.resize((int(256 * width / short), int(256 * height / short)), Image.BILINEAR)
left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), numpy.float32) / 255
pixels = (pixels - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
with torch.inference_mode():
    images = torch.from_numpy(pixels.astype(numpy.float32).transpose(2, 0, 1)[None])
    probabilities = torch.softmax(net(images)[0], 0)
print(int(probabilities.argmax()), float(probabilities.max()))
