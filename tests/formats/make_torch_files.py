#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files of torch/ with PyTorch: small checkpoints in every form that torch.save() has had.

    pip install torch numpy safetensors && python3 tests/formats/make_torch_files.py

NAME-*.pth are files of the same object in different forms; NAME.safetensors holds the tensors that
a reader must find in each of them, under the names that it must give them.
"""
import argparse
import collections
import io
import os
import pickle
import struct
import tarfile
import zipfile

import safetensors.torch
import torch
import torch.nn as nn

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch")


def save(name, value, **options):
    torch.save(value, os.path.join(FOLDER, name + ".pth"), **options)


def expect(name, tensors):
    plain = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    path = os.path.join(FOLDER, name + ".safetensors")
    safetensors.torch.save_file(plain, path)
    os.chmod(path, 0o644)


def every_dtype():
    names = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool uint16 uint32 uint64"
    return {
        name: (torch.arange(6).reshape(2, 3) - (2 if name[0] in "fi" else 0)).to(
            getattr(torch, name)
        )
        for name in names.split()
    }


def views():
    base = torch.arange(24.0).reshape(2, 3, 4)
    shared = torch.linspace(-1, 1, 10)
    return {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "sliced": base[:, 1:, ::2],
        "row": base[1, 2],
        "element": base[1, 2, 3],
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 5),
        "channels_last": torch.arange(2 * 3 * 2 * 2.0)
        .reshape(2, 3, 2, 2)
        .to(memory_format=torch.channels_last),
        "ones": torch.ones(1, 3, 1).transpose(0, 2),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 4),
        "empty_of_shared": shared[3:3],
        "shared": shared,
        "shared_again": shared,
        "shared_end": shared[7:],
        "parameter": nn.Parameter(torch.tensor([3.0, -4.0])),
        "half_view": torch.arange(6.0).reshape(2, 3).half().t(),
    }


def no_source(value):
    """In place of the classes' source code, which PyTorch would save with a module."""
    raise OSError("none")


def save_script(name, model):
    """TorchScript, without the records that say where each line of code came from."""
    whole = io.BytesIO()
    torch.jit.save(torch.jit.script(model), whole)
    with zipfile.ZipFile(whole) as old:
        with zipfile.ZipFile(os.path.join(FOLDER, name + ".pth"), "w") as new:
            for entry in old.infolist():
                if not entry.filename.endswith(".debug_pkl"):
                    new.writestr(entry, old.read(entry))


def save_zip64(name, old_name):
    """The same records with the fields of zip64, as in files above 4 GB."""
    zipfile.ZIP64_LIMIT = 0
    with zipfile.ZipFile(os.path.join(FOLDER, old_name + ".pth")) as old:
        with zipfile.ZipFile(os.path.join(FOLDER, name + ".pth"), "w") as new:
            for entry in old.infolist():
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))


def training():
    torch.manual_seed(1)
    model = nn.Sequential(
        collections.OrderedDict(
            conv1=nn.Conv2d(3, 2, 3, bias=False), bn1=nn.BatchNorm2d(2), fc=nn.Linear(2, 2)
        )
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return model, optimizer


def flat(prefix, tensors):
    return {prefix + key: value for key, value in tensors.items()}


def checkpoint(model, optimizer):
    state = collections.OrderedDict(("module." + k, v) for k, v in model.state_dict().items())
    value = {
        "epoch": 90,
        "arch": "resnet18",
        "best_acc1": 69.75,
        "amp": False,
        "classes": ["tench", "caf\u00e9"],
        "state_dict": state,
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1, data="/data", betas=(0.9, 0.999)),
        "unknown": collections.Counter("aab"),
        "none": None,
    }
    momentum = {
        f"optimizer.state.{index}.{key}": tensor
        for index, values in value["optimizer"]["state"].items()
        for key, tensor in values.items()
    }
    return value, flat("state_dict.", state) | momentum


class TarPickler(pickle.Pickler):
    def __init__(self, file, tensors):
        super().__init__(file, protocol=2)
        self.tensors = tensors

    def persistent_id(self, value):
        if isinstance(value, torch.Tensor):
            key = id(value)
            self.tensors[key] = value
            return str(key)
        return None


def save_tar(name, value):
    """What torch.save() wrote before 0.1.12, and torch.load() still reads."""
    classes = {torch.float32: torch.FloatStorage, torch.int64: torch.LongStorage}
    tensors, members = {}, {"pickle": io.BytesIO(), "tensors": io.BytesIO(), "storages": io.BytesIO()}
    TarPickler(members["pickle"], tensors).dump(value)
    storages = {}
    file = members["tensors"]
    pickle.dump(len(tensors), file, protocol=2)
    for key, tensor in tensors.items():
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = tensor
        pickle.dump((key, storage.data_ptr(), type(tensor)), file, protocol=2)
        file.write(struct.pack("<ii", tensor.dim(), 0))
        file.write(struct.pack(f"<{tensor.dim()}q", *tensor.size()))
        file.write(struct.pack(f"<{tensor.dim()}q", *tensor.stride()))
        file.write(struct.pack("<q", tensor.storage_offset()))
    file = members["storages"]
    pickle.dump(len(storages), file, protocol=2)
    for key, tensor in storages.items():
        data = bytes(tensor.untyped_storage())
        pickle.dump((key, "cpu", classes[tensor.dtype]), file, protocol=2)
        file.write(struct.pack("<q", len(data) // tensor.element_size()) + data)
    pickle.dump([], file, protocol=2)
    path = os.path.join(FOLDER, name + ".pth")
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for member in ("storages", "tensors", "pickle"):
            info = tarfile.TarInfo(member)
            info.size = len(members[member].getvalue())
            members[member].seek(0)
            tar.addfile(info, members[member])
    again = torch.load(path, weights_only=False)
    for key, tensor in value["weights"].items():
        assert torch.equal(again["weights"][key], tensor), key


def main():
    os.makedirs(FOLDER, exist_ok=True)

    expect("dtypes", every_dtype())
    save("dtypes-zip", every_dtype())
    save("dtypes-zip4", every_dtype(), pickle_protocol=4)
    save("dtypes-legacy", every_dtype(), _use_new_zipfile_serialization=False)

    expect("views", views())
    save("views-zip", views())
    save("views-zip5", views(), pickle_protocol=5)
    save("views-legacy", views(), _use_new_zipfile_serialization=False)
    save("views-legacy4", views(), _use_new_zipfile_serialization=False, pickle_protocol=4)
    torch.serialization.set_crc32_options(False)
    save("views-unchecked", views())
    torch.serialization.set_crc32_options(True)

    model, optimizer = training()
    value, tensors = checkpoint(model, optimizer)
    expect("checkpoint", tensors)
    save("checkpoint-zip", value)
    save("checkpoint-legacy", value, _use_new_zipfile_serialization=False)

    # The whole module rather than its state_dict, in a wrapper, and as TorchScript.
    expect("module", model.state_dict())
    save("module-zip", model)
    torch.serialization.get_source_lines_and_file = no_source
    save("module-legacy", model, _use_new_zipfile_serialization=False)
    save_script("module-script", model)

    weights = collections.OrderedDict(a=torch.arange(12.0).reshape(3, 4).t(), n=torch.tensor(7))
    weights["part"] = weights["a"][1:3, 1]
    expect("tar", flat("weights.", weights))
    save_tar("tar-first", {"weights": weights, "epoch": 3})

    save("tensor-zip", torch.arange(4.0))
    expect("tensor", {"tensor": torch.arange(4.0)})
    # Nothing that can be read.
    save("opaque", torch.nn.Module())
    save("empty", {})
    # Left out: dtypes without a counterpart, and a tensor that is to be negated when it is read.
    odd = {
        "complex": torch.ones(2, dtype=torch.complex64),
        "eight": torch.ones(2).to(torch.float8_e4m3fn),
        "sparse": torch.eye(2).to_sparse(),
        "negated": torch.ones(2, dtype=torch.complex64).conj().imag,
        "kept": torch.tensor([1.0, 2.0]),
    }
    save("odd-zip", odd)
    expect("odd", {"kept": odd["kept"]})
    save_zip64("checkpoint-zip64", "checkpoint-zip")


if __name__ == "__main__":
    main()
