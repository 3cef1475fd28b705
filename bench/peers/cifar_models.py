# SPDX-License-Identifier: Apache-2.0
"""The CIFAR networks of the paper (section 4.2) in PyTorch, for comparisons and golden files."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    """Two 3x3 convolutions; shortcut 'A' pads, 'B' projects where dimensions change, 'C' always, None
    is plain."""

    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.extra, self.shortcut = stride, outputs - inputs, shortcut
        if shortcut == "C" or (shortcut == "B" and (stride != 1 or self.extra)):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                            nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.shortcut is None:
            return F.relu(y)
        if hasattr(self, "downsample"):
            x = self.downsample(x)
        elif self.stride != 1 or self.extra:
            x = F.pad(x[:, :, ::self.stride, ::self.stride],
                      (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))
        return F.relu(y + x)


class CifarNet(nn.Module):
    def __init__(self, depth, shortcut="A", classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, width in enumerate((16, 32, 64)):
            blocks = []
            for i in range((depth - 2) // 6):
                blocks.append(Block(inputs, width, 2 if stage and i == 0 else 1, shortcut))
                inputs = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def build(name):
    """'resnet20', 'plain56', ..."""
    if name.startswith("plain"):
        return CifarNet(int(name[5:]), None)
    return CifarNet(int(name[6:]))
