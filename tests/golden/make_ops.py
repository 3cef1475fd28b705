#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes ops.safetensors with PyTorch: the ops whose conventions a gradient check cannot see.

    python3 tests/golden/make_ops.py

test_ops.c runs the same cases: inputs, parameters and the gradient of the output are formula-made
as in tests/gradients/op_case.h, activations in the order (sample, row, column, channel). Stored in
float64, by case: NAME.output and NAME.gradient (of input 0).
"""
import os

import numpy as np
import safetensors.numpy
import torch
import torch.nn.functional as F

from make_golden import draws


def block(major, *shape):
    count = int(np.prod(shape))
    return torch.from_numpy((2 * draws(1, np.uint64(major), count) - 1).reshape(shape))


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


def f32(value):
    return float(np.float32(value))


def labels(count, classes):
    """random_below(classes, 1, RANDOM_TEST, 92, n)."""
    high = np.floor(draws(1, np.uint64(92), count) * 2.0**32)
    return torch.from_numpy(np.floor(high * classes / 2.0**32).astype(np.int64))


def conv_groups(x):
    return F.conv2d(x, block(40, 6, 2, 3, 2), block(41, 6), stride=2, padding=1, groups=2)


def norm(x):
    return F.batch_norm(x, None, None, block(40, 3), block(41, 3), training=True, eps=f32(1e-3))


def lrn(size):
    return lambda x: F.local_response_norm(x, size, f32(0.7), f32(0.75), f32(1.5))


def linear(x):
    return F.linear(x.flatten(1), block(40, 4, 24), block(41, 4))


def loss(x):
    return f32(0.3) * F.cross_entropy(
        x.flatten(1), labels(3, 5), reduction="none", label_smoothing=f32(0.1)
    )


# name, input (samples, height, width, channels), function of the input as (n, c, h, w)
CASES = [
    ("conv", (2, 5, 6, 4), conv_groups),
    ("norm", (2, 4, 5, 3), norm),
    ("sigmoid", (3, 1, 1, 7), torch.sigmoid),
    ("max_pool", (2, 6, 7, 3), lambda x: F.max_pool2d(x, 3, 2, 1)),
    ("max_pool_ceil", (2, 6, 8, 3), lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    ("avg_pool", (2, 5, 7, 2), lambda x: F.avg_pool2d(x, 3, 2, 1)),
    ("avg_pool_inside", (2, 5, 7, 2), lambda x: F.avg_pool2d(x, 3, 2, 1, False, False)),
    ("avg_pool_ceil", (2, 6, 5, 2), lambda x: F.avg_pool2d(x, 3, 2, 1, True, True)),
    ("avg_pool_ceil_inside", (2, 6, 6, 2), lambda x: F.avg_pool2d(x, 3, 2, 1, True, False)),
    ("linear", (2, 2, 4, 3), linear),
    ("lrn_5", (2, 2, 3, 9), lrn(5)),
    ("lrn_4", (2, 2, 3, 6), lrn(4)),
    ("softmax_loss", (3, 1, 1, 5), loss),
]


def main():
    tensors = {}
    for name, shape, function in CASES:
        x = block(0, *shape).requires_grad_()
        y = nhwc(function(nchw(x)))
        # The gradient of the output, for a loss loss_scale.
        dy = torch.full(y.shape, 0.25) if name == "softmax_loss" else block(91, *y.shape)
        y.backward(dy.to(torch.float64))
        tensors[name + ".output"] = y.detach().contiguous().numpy()
        tensors[name + ".gradient"] = x.grad.contiguous().numpy()
    folder = os.path.dirname(os.path.abspath(__file__))
    metadata = {"made_with": f"PyTorch {torch.__version__.split('+')[0]}"}
    safetensors.numpy.save_file(tensors, os.path.join(folder, "ops.safetensors"), metadata)


if __name__ == "__main__":
    main()
