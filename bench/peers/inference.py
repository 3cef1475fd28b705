#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inference against PyTorch, ONNX Runtime, OpenVINO and ncnn in one run: the same networks, random
weights, pictures, threads and CPUs, each system in a process of its own and at its best settings.

    bench/peers/setup.sh
    cmake --build build --target bench_inference resnet
    build/peers-venv/bin/python bench/peers/inference.py --models resnet18,resnet50 --threads 1,2

For each case (model, batch, threads) all processes are started, their logits are checked against
PyTorch's in double, and then they take turns: in each round each system runs for --seconds, in an
order that rotates, while all others are stopped (SIGSTOP), so that nobody's spinning threads disturb.
A round's figure is the median of its passes, and a ratio is the other's figure by ours in the same
round, so that what the machine does meanwhile drops out; shown are medians over rounds, with quartiles
of the ratios. README.md beside this file tells the settings and why so.
"""
import argparse
import ctypes
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

import numpy

import bars

HERE = os.path.dirname(os.path.abspath(__file__))
PRECISIONS = {
    "fp32": ["ours", "torch-eager", "torch-compiled", "torch-script", "onnxruntime", "openvino",
             "ncnn", "torch-compiled-passive", "ncnn-passive"],
    "int8": ["ours", "onnxruntime-u8s8", "onnxruntime-s8s8", "openvino-int8"],
}
# Largest difference from PyTorch in double, of the largest logit. Quantised networks only have to
# be the same network.
LIMITS = {"fp32": 1e-3, "int8": 0.25}
ENVIRONMENT = {
    # Freed memory is kept, and large blocks are huge pages: else every pass pays for fresh pages.
    "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:"
                      "glibc.malloc.top_pad=67108864:glibc.malloc.hugetlb=1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
}


# Two threads of OpenMP that wait spinning are faster on a quiet machine, much slower where somebody
# else takes one's CPU. Both ways take part, where there is more than one thread.
PASSIVE = "-passive"


class Failure(Exception):
    pass


class System:
    """A process that answers lines. Between its turns it is stopped."""

    def __init__(self, name, command, environment, cpus, log):
        def before_exec():
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never left over, stopped
            if cpus:
                os.sched_setaffinity(0, cpus)

        self.name, self.log = name, log
        with open(log, "w") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, text=True, env=environment,
                                            preexec_fn=before_exec)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            with open(self.log) as file:
                said = file.read().strip().splitlines() or ["no reason given"]
            raise Failure(f"{self.name} ended: {said[-1]} (see {self.log})")
        return line.strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def wait_ready(self):
        self.about = json.loads(self.answer().removeprefix("ready "))
        self.stop()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go(self):
        self.process.send_signal(signal.SIGCONT)

    def cpu_seconds(self):
        return time.clock_gettime((~self.process.pid << 3) | 2)  # clock_getcpuclockid()

    def run(self, count, clock):
        """Milliseconds of one pass: the median of wall times, or the mean of CPU times."""
        before = self.cpu_seconds()
        times = [int(text) * 1e-6 for text in self.ask(f"run {count}").split()]
        spent = self.cpu_seconds() - before
        return statistics.median(times) if clock == "wall" else spent * 1e3 / count

    def logits(self, path, batch):
        self.go()
        self.ask(f"logits {path}")
        self.stop()
        logits = numpy.fromfile(path, numpy.float32).reshape(batch, -1)
        os.remove(path)
        return logits

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def call(command, log):
    """A step of the preparation, its output put aside."""
    with open(log, "w") as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    if status != 0:
        with open(log) as file:
            said = file.read().strip().splitlines() or ["no reason given"]
        raise Failure(f"{os.path.basename(command[0])}: {said[-1]} (see {log})")


def prepare(options, model):
    """Networks and pictures in every format; ours quantised where int8 is asked for."""
    work = os.path.abspath(options.work)
    os.makedirs(work, exist_ok=True)
    int8 = options.precision == "int8"
    call([sys.executable, os.path.join(HERE, "nets.py"), work, model,
          ",".join(map(str, options.batches))] + ["int8"] * int8, f"{work}/{model}.log")
    weights = f"{work}/{model}/{model}.safetensors"
    if int8:
        quantised = f"{work}/{model}/ours-int8.safetensors"
        # Every layer in int8, as the others: random weights have no accuracy that could be kept.
        call([options.resnet, "quantize", weights, "--data",
              f"list:{work}/{model}/calibration.txt", "--max-drop", "100", "-o", quantised],
             f"{work}/{model}/quantize.log")
        weights = quantised
    return f"{work}/{model}", weights


def start(options, folder, weights, name, batch, threads):
    cpus = options.cpus[:threads]
    environment = dict(os.environ)
    environment.pop("OMP_WAIT_POLICY", None)
    way = name.removesuffix(PASSIVE)
    if name == "ours":
        command = [options.ours, weights, f"{folder}/images-{batch}.nhwc", str(batch), str(threads)]
    else:
        environment |= ENVIRONMENT | {
            "OMP_NUM_THREADS": str(threads),
            "TORCHINDUCTOR_CACHE_DIR": os.path.join(os.path.dirname(folder), "inductor"),
        }
        if way != name:
            environment["OMP_WAIT_POLICY"] = "PASSIVE"
        command = [sys.executable, os.path.join(HERE, "workers.py"), way, folder, str(batch),
                   str(threads), ",".join(map(str, cpus))]
        cpus = None  # it sees to that itself, when its compiler has finished
    return System(name, command, environment, cpus, f"{folder}/{name}.log")


def check(systems, folder, batch, limit):
    """Each system's largest difference, of the largest logit. Where the reference has no logits
    (it costs much), the first of the others stands in for it."""
    answers = {system.name: system.logits(f"{folder}/logits", batch) for system in systems}
    reference = numpy.load(f"{folder}/reference.npy")[:batch]
    other = next(name for name in answers if name != "ours")
    expected = numpy.concatenate([reference, answers[other][len(reference):]])
    errors = {}
    for name, logits in answers.items():
        errors[name] = float(abs(logits - expected).max() / abs(expected).max())
        if not errors[name] <= limit:
            raise Failure(f"{folder}: the logits of {name} differ by {errors[name]:.2g} of the "
                          f"largest, at most {limit:g} expected")
    return errors


def take_turns(systems, options):
    """Milliseconds of each system, a list over rounds."""
    counts, figures = {}, {system.name: [] for system in systems}
    for system in systems:
        system.go()
        counts[system] = max(1, round(options.seconds * 1e3 / system.run(1, "wall")))
        system.stop()
    for turn in range(options.rounds):
        shift = turn % len(systems)
        for system in systems[shift:] + systems[:shift]:
            system.go()
            if counts[system] > 1:
                system.run(1, "wall")  # its caches and threads come back
            figures[system.name].append(system.run(counts[system], options.clock))
            system.stop()
    return figures


def quartiles(values):
    return [float(value) for value in numpy.percentile(values, (25, 50, 75))]


def summary(figures, errors):
    """For each system: milliseconds, error and ratio; then who is fastest of whom."""
    result = {}
    for name, values in figures.items():
        low, ratio, high = quartiles([value / ours for value, ours in zip(values, figures["ours"])])
        result[name] = {"ms": statistics.median(values), "ratio": ratio, "low": low, "high": high,
                        "error": errors[name], "rounds": values}
    return result


def fastest(systems, family):
    """The name in it with the smallest ratio; None when none is in it."""
    names = [name for name in systems if name != "ours" and family(name)]
    return min(names, key=lambda name: systems[name]["ratio"], default=None)


def measure(options, names, model, batch, threads, folder, weights):
    systems = []
    try:
        for name in names:
            if threads == 1 and name.endswith(PASSIVE):
                continue
            systems.append(start(options, folder, weights, name, batch, threads))
        for system in systems:
            system.wait_ready()
        errors = check(systems, folder, batch, LIMITS[options.precision])
        result = summary(take_turns(systems, options), errors)
        about = {system.name: system.about for system in systems}
        for name in about:
            if name.endswith(PASSIVE):
                about[name]["settings"] += "; OpenMP's threads wait without spinning"
    finally:
        for system in systems:
            system.close()
    return {"model": model, "batch": batch, "threads": threads, "systems": result,
            "fastest": fastest(result, lambda name: not name.startswith("ncnn")),
            "fastest_ncnn": fastest(result, lambda name: name.startswith("ncnn")),
            "fastest_of_all": fastest(result, lambda name: True)}, about


def cell(systems, name):
    if name not in systems:
        return "–"
    return f"{systems[name]['ms']:.4g} ×{systems[name]['ratio']:.2f}"


def verdict(systems, name):
    if name not in systems:
        return "–"
    one = systems[name]
    return f"**{one['ratio']:.2f}** ({one['low']:.2f}–{one['high']:.2f}) {name}"


def table(rows, names):
    """Markdown: milliseconds of a pass and how many times ours."""
    others = [name for name in names
              if name != "ours" and any(name in row["systems"] for row in rows)]
    ncnn = any(row["fastest_ncnn"] for row in rows)
    head = ["model", "batch", "threads", "ours ms", *others, "fastest but ncnn"]
    head += ["faster ncnn"] if ncnn else []
    lines = [head, ["---"] * len(head)]
    for row in rows:
        systems = row["systems"]
        lines.append([row["model"], str(row["batch"]), str(row["threads"]),
                      f"{systems['ours']['ms']:.4g}", *(cell(systems, name) for name in others),
                      verdict(systems, row["fastest"])])
        if ncnn:
            lines[-1].append(verdict(systems, row["fastest_ncnn"]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cpu_name():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def choose_systems(options, parser):
    """Those asked for, else all of that precision and ONNX Runtime's further providers here."""
    if options.systems:
        names = options.systems.split(",")
    else:
        import onnxruntime
        names = list(PRECISIONS[options.precision])
        if options.precision == "fp32":
            names += [f"onnxruntime-{provider.lower()}" for provider in ("Dnnl", "OpenVINO")
                      if f"{provider}ExecutionProvider" in onnxruntime.get_available_providers()]
    if "ours" not in names or len(names) < 2:
        parser.error("--systems needs ours and one more at least")
    return names


def parse():
    numbers = lambda text: [int(number) for number in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="resnet18,resnet50")
    parser.add_argument("--batches", type=numbers, default=[1])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--precision", choices=sorted(PRECISIONS), default="fp32")
    parser.add_argument("--systems", help="only these, ours among them")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="of a turn (default 0.4)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="cpu: processor time, for one thread on a machine that is busy")
    parser.add_argument("--cpus", type=numbers, default=sorted(os.sched_getaffinity(0)),
                        help="N threads run on the first N of these (default: all)")
    parser.add_argument("--ours", default="build/bench/bench_inference")
    parser.add_argument("--resnet", default="build/resnet", help="quantises, for int8")
    parser.add_argument("--work", default="build/peers", help="folder for networks and pictures")
    parser.add_argument("--json", help="all figures, there")
    parser.add_argument("--svg", help="a picture of the ratios, there")
    options = parser.parse_args()
    if max(options.threads) > len(options.cpus):
        parser.error(f"--threads {max(options.threads)}: only {len(options.cpus)} CPUs are free")
    if options.clock == "cpu" and max(options.threads) > 1:
        parser.error("--clock cpu counts spinning as work: one thread only")
    options.systems = choose_systems(options, parser)
    return options


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def run(options):
    report = {"cpu": cpu_name(), "precision": options.precision, "clock": options.clock,
              "rounds": options.rounds, "seconds": options.seconds, "systems": {}, "rows": []}
    for model in options.models.split(","):
        print(f"{model}: preparing", file=sys.stderr, flush=True)
        folder, weights = prepare(options, model)
        for batch in options.batches:
            for threads in options.threads:
                row, about = measure(options, options.systems, model, batch, threads, folder,
                                     weights)
                report["systems"] |= about
                report["rows"].append(row)
                worst = max(row["systems"].items(), key=lambda item: item[1]["error"])
                print(f"{model}, batch {batch}, {threads} thread(s): outputs agree (within "
                      f"{worst[1]['error']:.1g} of the largest: {worst[0]}); "
                      f"{row['fastest_of_all']} is the fastest other, "
                      f"{row['systems'][row['fastest_of_all']]['ratio']:.2f} times ours",
                      file=sys.stderr, flush=True)
                # What there is so far is kept, should a later case fail.
                if options.json:
                    write(options.json, json.dumps(report, indent=1) + "\n")
                if options.svg:
                    write(options.svg, bars.picture(report))
    print(f"{report['cpu']}, {options.precision}, {options.clock} time; milliseconds of a pass, "
          f"× how many times ours, quartiles over {options.rounds} rounds\n")
    print(table(report["rows"], options.systems))
    print()
    for name, about in report["systems"].items():
        print(f"- {name} {about['version']}: {about['settings']}")


def main():
    try:
        run(parse())
    except Failure as failure:
        print(f"inference: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
