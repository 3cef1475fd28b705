#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a virtual environment with the systems that bench/peers compares with.
#   bench/peers/setup.sh [FOLDER]      (default: build/peers-venv)
# What pip brings decides: `pip config` or PIP_EXTRA_INDEX_URL can name a source of PyTorch's smaller
# build for CPUs alone. The compiler that torch.compile needs (g++) is Debian's build-essential.
set -euo pipefail

folder=${1:-build/peers-venv}
packages=(torch torchvision timm safetensors numpy pillow
          onnx onnxscript onnxruntime
          openvino nncf
          ncnn pnnx)

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    printf 'setup: python3 cannot make virtual environments here: install python3-venv\n' >&2
    exit 1
fi
[ -x "$folder/bin/python" ] || python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
"$folder/bin/python" - <<'END'
import importlib.metadata as metadata
names = "torch torchvision timm onnx onnxruntime openvino nncf ncnn pnnx".split()
print("  ".join(f"{name} {metadata.version(name)}" for name in names))
END
