# SPDX-License-Identifier: Apache-2.0
"""A picture of bench/peers/inference.py's ratios: a group of bars for each case, a bar for each system
(the fastest of PyTorch's ways, of ONNX Runtime's, ...), as long as its time by ours; ours is 1. In
light or dark, as the reader has it."""
import math
from html import escape

FAMILIES = [("ours", "resnet"), ("torch", "PyTorch"), ("onnxruntime", "ONNX Runtime"),
            ("openvino", "OpenVINO"), ("ncnn", "ncnn")]
WIDTH, LEFT, RIGHT, TOP = 760, 170, 220, 78
BAR, GAP, GROUP_GAP = 15, 3, 20
STYLE = """
  svg { background: #ffffff; font: 13px system-ui, sans-serif; }
  text { fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .quiet { fill: #59636e; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 3; }
  .grid { stroke: #d1d9e0; }
  .one { stroke: #59636e; stroke-dasharray: 3 3; }
  .spread { stroke: #1f2328; stroke-width: 1.2; }
  .ours { fill: #0969da; } .torch { fill: #e5702a; } .onnxruntime { fill: #8a93a0; }
  .openvino { fill: #7b5cc4; } .ncnn { fill: #2f9e68; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; }
    text { fill: #e6edf3; }
    .quiet { fill: #9198a1; stroke: #0d1117; }
    .grid { stroke: #2d333b; }
    .one { stroke: #9198a1; }
    .spread { stroke: #e6edf3; }
    .ours { fill: #4493f8; } .torch { fill: #ef8a4c; } .onnxruntime { fill: #848d97; }
    .openvino { fill: #9f86e0; } .ncnn { fill: #46b97f; }
  }
"""


def bars_of(systems):
    """(family, shown name, system's name) of each family that took part: its fastest way."""
    chosen = []
    for family, shown in FAMILIES:
        names = [name for name in systems if name.split("-")[0] == family]
        if names:
            best = min(names, key=lambda name: systems[name]["ratio"])
            way = best.partition("-")[2]
            chosen.append((family, f"{shown} ({way})" if way else shown, best))
    return chosen


def step_of(most):
    """A round distance of grid lines: four to eight of them."""
    raw = most / 5
    base = 10 ** math.floor(math.log10(raw))
    return next(base * factor for factor in (1, 2, 5, 10) if base * factor >= raw)


def picture(report):
    rows = report["rows"]
    most = 1.04 * max(row["systems"][name]["high"] for row in rows
                      for _, _, name in bars_of(row["systems"]))
    scale = (WIDTH - LEFT - RIGHT) / most
    body, y = [], TOP
    for row in rows:
        bars = bars_of(row["systems"])
        top = y
        for family, shown, name in bars:
            one = row["systems"][name]
            end, middle = LEFT + one["ratio"] * scale, y + BAR / 2
            body.append(f'<rect class="{family}" x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" '
                        f'height="{BAR}" rx="2"><title>{escape(name)}: {one["ms"]:.4g} ms'
                        f'</title></rect>')
            label = end
            if name != "ours":
                low, label = LEFT + one["low"] * scale, LEFT + one["high"] * scale
                body.append(f'<path class="spread" d="M{low:.1f} {middle}H{label:.1f}"/>')
            text = f'{one["ratio"]:.2f}×' if name != "ours" else f'{one["ms"]:.3g} ms'
            body.append(f'<text class="quiet" x="{max(label, end) + 6:.1f}" y="{middle + 4}">'
                        f'{text} {escape(shown)}</text>')
            y += BAR + GAP
        centre = (top + y - GAP) / 2
        plural = "thread" if row["threads"] == 1 else "threads"
        body.append(f'<text x="{LEFT - 12}" y="{centre - 3}" text-anchor="end">'
                    f'{escape(row["model"])}</text>')
        body.append(f'<text class="quiet" x="{LEFT - 12}" y="{centre + 13}" text-anchor="end">'
                    f'batch {row["batch"]}, {row["threads"]} {plural}</text>')
        y += GROUP_GAP
    bottom = y - GROUP_GAP + 6
    lines, step = [], step_of(most)
    for i in range(int(most / step) + 1):
        x = LEFT + i * step * scale
        lines.append(f'<path class="grid" d="M{x:.1f} {TOP - 8}V{bottom}"/><text class="quiet" '
                     f'x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{i * step:g}</text>')
    lines.append(f'<path class="one" d="M{LEFT + scale:.1f} {TOP - 8}V{bottom}"/>')
    height = bottom + 30
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img">\n<style>{STYLE}</style>\n'
            f'<text class="title" x="20" y="30">Inference time, times that of resnet '
            f'({escape(report["precision"])})</text>\n'
            f'<text class="quiet" x="20" y="50">{escape(report["cpu"])}; shorter is faster; the line '
            f'in a bar is the middle half of the rounds</text>\n'
            + "\n".join(lines + body) + "\n</svg>\n")
