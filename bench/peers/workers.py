#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One of the other systems as a process of its own, at its best settings: each class below is one
way to run one network, and its `settings` say how. bench/peers/inference.py drives it line by line,
as it does bench/bench_inference.c:

    python3 bench/peers/workers.py SYSTEM FOLDER BATCH THREADS CPU[,CPU...]

It prints "ready {json}" and answers "run N" by the times of N passes in nanoseconds and
"logits FILE" by "written" (raw 32-bit floats [batch][classes]).

For all: 32-bit arithmetic is asked for by name (CPUs with bf16 would otherwise be given it), as many
threads as THREADS, which may run on the CPUs named alone; spinning is left on, since whoever
is not in turn is stopped. Its input is where and how the system likes it best; a pass ends when the
logits can be read.
"""
import json
import os
import sys
import time

import numpy


class Case:
    def __init__(self, folder, batch, threads):
        self.folder, self.batch, self.threads = folder, batch, threads
        self.name = os.path.basename(folder)
        self.images = numpy.fromfile(f"{folder}/images-{batch}.nchw", numpy.float32).reshape(
            batch, 3, 224, 224)

    def path(self, end):
        return f"{self.folder}/{self.name}.{end}"


class Torch:
    """What the three ways have in common: the network, the images channels-last, mkldnn exact."""

    def __init__(self, case):
        import nets
        import safetensors.torch
        import torch
        torch.set_num_threads(case.threads)
        torch.set_float32_matmul_precision("highest")
        torch.set_flush_denormal(True)
        self.version = torch.__version__
        net = nets.build(case.name)
        net.load_state_dict(safetensors.torch.load_file(case.path("safetensors")))
        net = net.requires_grad_(False).to(memory_format=torch.channels_last)
        self.images = torch.from_numpy(case.images).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            self.net = self.made(net, case)

    def run(self):
        import torch
        with torch.inference_mode():
            self.logits = self.net(self.images)

    def result(self):
        return self.logits.numpy()


class TorchEager(Torch):
    settings = "eager, channels_last, inference_mode"

    def made(self, net, case):
        return net


class TorchCompiled(Torch):
    settings = ("torch.compile, inductor with freezing (norms folded, weights packed for mkldnn) "
                "and C++ wrapper, channels_last, static shapes, inference_mode")

    def made(self, net, case):
        import torch
        import torch._inductor.config as config
        config.freezing = True
        config.cpp_wrapper = True  # calls without Python between them
        config.cpp.threads = case.threads
        config.compile_threads = 1  # else it keeps a pool of processes
        return torch.compile(net, dynamic=False)


class TorchScript(Torch):
    settings = ("torch.jit.trace, freeze, optimize_for_inference (norms folded, mkldnn's blocked "
                "layouts), inference_mode")

    def made(self, net, case):
        import torch
        traced = torch.jit.trace(net, self.images)
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


class OnnxRuntime:
    file, provider = "onnx", "CPUExecutionProvider"
    settings = ("CPU provider, all graph optimisations, sequential, bound input and output, spinning, "
                "denormals as zero, static batch")

    def __init__(self, case):
        import onnxruntime
        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = case.threads
        options.inter_op_num_threads = 1
        options.add_free_dimension_override_by_name("batch", case.batch)
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        self.session = onnxruntime.InferenceSession(case.path(self.file), options,
                                                    providers=[self.provider])
        self.logits = numpy.empty((case.batch, 1000), numpy.float32)
        self.images = onnxruntime.OrtValue.ortvalue_from_numpy(case.images)
        output = onnxruntime.OrtValue.ortvalue_from_numpy(self.logits)
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input(self.session.get_inputs()[0].name, self.images)
        self.binding.bind_ortvalue_output(self.session.get_outputs()[0].name, output)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def result(self):
        return self.binding.copy_outputs_to_cpu()[0]


class OnnxRuntimeU8S8(OnnxRuntime):
    file = "u8s8.onnx"
    settings = ("static quantisation QDQ, weights s8 per channel, activations u8, min-max; "
                + OnnxRuntime.settings)


class OnnxRuntimeS8S8(OnnxRuntime):
    file = "s8s8.onnx"
    settings = ("static quantisation QDQ, weights s8 per channel, activations s8, min-max; "
                + OnnxRuntime.settings)


class OpenVino:
    file = "onnx"
    settings = ("LATENCY hint, one stream, f32 inference precision, static shape, one request with "
                "its own input and output")

    def __init__(self, case):
        import openvino
        self.version = openvino.__version__.split("-")[0]
        core = openvino.Core()
        model = core.read_model(case.path(self.file))
        model.reshape([case.batch, 3, 224, 224])
        compiled = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": case.threads,
            "INFERENCE_PRECISION_HINT": "f32",
        })
        taken = compiled.get_property("INFERENCE_NUM_THREADS")
        if taken != case.threads:
            raise RuntimeError(f"OpenVINO took {taken} threads, expected {case.threads}")
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(openvino.Tensor(case.images, shared_memory=True))

    def run(self):
        self.request.infer()

    def result(self):
        return self.request.get_output_tensor().data


class OpenVinoInt8(OpenVino):
    file = "int8.xml"
    settings = ("NNCF post-training quantisation, preset PERFORMANCE, fast bias correction; "
                + OpenVino.settings)


class Ncnn:
    settings = ("converted by pnnx (norms folded, activations joined), Winograd, sgemm, packed "
                "layout, fp16 and bf16 off, pool allocators; no batch axis: a batch is a loop")

    def __init__(self, case):
        import ncnn
        self.version = ncnn.__version__
        self.ncnn = ncnn
        self.net = ncnn.Net()
        self.allocators = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        option = self.net.opt
        option.num_threads = case.threads
        option.lightmode = True
        option.blob_allocator, option.workspace_allocator = self.allocators
        option.use_winograd_convolution = option.use_sgemm_convolution = True
        option.use_winograd23_convolution = option.use_winograd43_convolution = True
        option.use_winograd63_convolution = option.use_packing_layout = True
        option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = False
        option.use_bf16_packed = option.use_bf16_storage = False
        option.use_vulkan_compute = False
        if self.net.load_param(case.path("ncnn.param")) or self.net.load_model(
                case.path("ncnn.bin")):
            raise RuntimeError(f"ncnn cannot load {case.path('ncnn.param')}")
        self.images = [ncnn.Mat(image) for image in case.images]
        self.logits = [None] * case.batch

    def run(self):
        for i, image in enumerate(self.images):
            extractor = self.net.create_extractor()
            extractor.input("in0", image)
            status, self.logits[i] = extractor.extract("out0")
            if status != 0:
                raise RuntimeError(f"ncnn: extract gave {status}")

    def result(self):
        return numpy.stack([numpy.array(logits) for logits in self.logits])


SYSTEMS = {
    "torch-eager": TorchEager,
    "torch-compiled": TorchCompiled,
    "torch-script": TorchScript,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "ncnn": Ncnn,
    "onnxruntime-u8s8": OnnxRuntimeU8S8,
    "onnxruntime-s8s8": OnnxRuntimeS8S8,
    "openvino-int8": OpenVinoInt8,
}
for name in "Dnnl", "OpenVINO":  # not in the usual wheel; tried where they are
    SYSTEMS[f"onnxruntime-{name.lower()}"] = type(name, (OnnxRuntime,), {
        "provider": f"{name}ExecutionProvider",
        "settings": OnnxRuntime.settings.replace("CPU provider", f"{name} provider")})


def pin(cpus):
    """All threads of this process."""
    for task in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(task), cpus)


def main():
    name, folder, batch, threads, cpus = sys.argv[1:]
    cpus = [int(cpu) for cpu in cpus.split(",")]
    # Lines go to the driver alone, whatever a library prints.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if name != "torch-compiled":  # its compiler may use all CPUs
        pin(cpus)
    case = Case(folder, int(batch), int(threads))  # its images live as long as the system
    system = SYSTEMS[name](case)
    system.run()
    pin(cpus)
    about = {"version": system.version, "settings": system.settings}
    print("ready", json.dumps(about), file=lines, flush=True)
    for line in sys.stdin:
        word, argument = line.split(maxsplit=1)
        if word == "run":
            times = []
            for _ in range(int(argument)):
                start = time.perf_counter_ns()
                system.run()
                times.append(time.perf_counter_ns() - start)
            print(*times, file=lines, flush=True)
        else:
            system.run()
            numpy.ascontiguousarray(system.result(), numpy.float32).tofile(argument.strip())
            print("written", file=lines, flush=True)


if __name__ == "__main__":
    main()
