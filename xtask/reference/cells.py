"""Writes the fixtures of `crates/parity`: every variant of the cells, computed in float64.

    python cells.py OUT_DIR

One safetensors file a case. Parameters and inputs are drawn at random, rounded to float32, and
everything else is computed from the rounded values in float64 by a direct reading of the maths,
then rounded. The same versions (requirements.txt) on the same machine write the same bytes.

Keys: `xs` [batch, time, channels, height, width]; `cell0`, `hidden0` (absent where the sequence
starts at the learned state); `param.NAME`; `outputs`, `cell`, `hidden`; `upstream.RESULT`, the
weights of the loss `sum(RESULT * upstream.RESULT)`; `grad.NAME` of every parameter, input and
start state; in some files `gates.NAME`, the gates of the first step. The metadata has `kind` and
`config`, as JSON.
"""

import json
import math
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

# Every value stays this far from the kinks of its activation, so that float32 is on the same side.
MARGIN = 1e-4
# Gates stay within these bounds, so that no gradient vanishes.
OPEN = (0.01, 0.99)


class Unsuitable(Exception):
    """A draw that a fixture should not use: too near a kink, saturated, or a bound not reached."""


@dataclass
class Trace:
    """What happened on the way: bounds reached, and the gates of the first step."""

    reached: set = field(default_factory=set)
    gates: dict = field(default_factory=dict)

    def kink(self, x, at, above=None, below=None):
        distance = (x.detach() - at).abs()
        # Only a value that is there by construction is this close: f . 0 + i . relu(j < 0) and a
        # clipped state are exactly on the kink in any arithmetic, and the largest element of a
        # scaled state is constant, so that its gradient vanishes on either side.
        distance = distance[distance > 1e-12]
        if distance.numel() and distance.min() < MARGIN:
            raise Unsuitable("a kink")
        if above and (x > at).any():
            self.reached.add(above)
        if below and (x < at).any():
            self.reached.add(below)

    def gate(self, x):
        x = torch.sigmoid(x)
        if x.min() < OPEN[0] or x.max() > OPEN[1]:
            raise Unsuitable("a saturated gate")
        return x


def activate(name, x, trace):
    if name == "Relu":
        trace.kink(x, 0)
        return F.relu(x)
    if name == "Relu6":
        trace.kink(x, 0)
        trace.kink(x, 6, above="relu6")
        return F.relu6(x)
    if name == "Tanh":
        return torch.tanh(x)
    assert name == "Identity"
    return x


def depthwise(x, weight, bias=None):
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=x.shape[1])


def convolution(x, weight, bias=None):
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def bottleneck_lstm_step(config, p, x, state, trace):
    """One step, group by group. Returns (output, state)."""
    groups = config["groups"]
    m = config["hidden_channels"] // groups
    joined = config["input_channels"] + m
    steps = []
    for k in range(groups):
        rows = slice(k * m, (k + 1) * m)
        own = {name: p[name][rows] for name in p if name.startswith("peephole")}
        own["bottleneck"] = p["bottleneck"][rows]
        own["bottleneck_bias"] = p["bottleneck_bias"][rows]
        own["bottleneck_depthwise"] = p["bottleneck_depthwise"][rows]
        own["gates"] = p["gates"][4 * k * m : 4 * (k + 1) * m]
        if "gates_bias" in p:
            own["gates_bias"] = p["gates_bias"][4 * k * m : 4 * (k + 1) * m]
        h = state["hidden"][:, rows]
        if config["depthwise"] == "Input":
            xh = torch.cat([depthwise(x, p["depthwise"], p["depthwise_bias"]), h], 1)
        else:
            kernels = p["depthwise"][k * joined : (k + 1) * joined]
            xh = depthwise(torch.cat([x, h], 1), kernels)
        steps.append(bottleneck_lstm_group(config, own, xh, state["cell"][:, rows], trace))
    step = {name: torch.cat([group[name] for group in steps], 1) for name in steps[0]}
    state = {"cell": step.pop("cell"), "hidden": step.pop("hidden")}
    output = state["hidden"]
    if config["output_bottleneck"]:
        output = torch.cat([output, step["bottleneck"]], 1)
    if not trace.gates:
        trace.gates = step
    return output, state


def bottleneck_lstm_group(config, p, xh, c, trace):
    act = config["activation"]
    bottleneck = convolution(xh, p["bottleneck"], p["bottleneck_bias"])
    bottleneck = activate(config["bottleneck_activation"], bottleneck, trace)
    b = depthwise(bottleneck, p["bottleneck_depthwise"])
    i, f, j, o = convolution(b, p["gates"], p.get("gates_bias")).chunk(4, 1)
    if config["peephole"]:
        i = i + p["peephole_input"] * c
        f = f + p["peephole_forget"] * c
    i = trace.gate(i)
    f = trace.gate(f + config["forget_bias"])
    j = activate(act, j, trace)
    c = f * c + i * j
    if config["clip_state"] is not None:
        bound = config["clip_state"]
        trace.kink(c, bound, above="clip above")
        trace.kink(c, -bound, below="clip below")
        c = torch.clamp(c, -bound, bound)
    if config["scale_state"]:
        c = scaled(c, trace)
    if config["peephole"]:
        o = o + p["peephole_output"] * c
    o = trace.gate(o)
    y = activate(act, c, trace)
    carry = config["carry_activated"]
    carry = config["groups"] > 1 if carry is None else carry
    return {
        "cell": y if carry else c,
        "hidden": o * y,
        "input": i,
        "forget": f,
        "candidate": j,
        "output": o,
        "bottleneck": bottleneck,
    }


def scaled(c, trace):
    """Each sample divided by max(1, max(c) / 6)."""
    largest = c.amax((1, 2, 3), keepdim=True)
    trace.kink(largest, 6, above="scaled", below="not scaled")
    runner_up = c.detach().flatten(1).topk(2).values
    if (runner_up[:, 0] - runner_up[:, 1]).min() < MARGIN:
        raise Unsuitable("a tie of the maximum")
    return c / torch.clamp(largest / 6, min=1)


def conv_lstm_step(config, p, x, state, trace):
    c = state["cell"]
    xh = torch.cat([x, state["hidden"]], 1)
    if "depthwise" in p:
        xh = depthwise(xh, p["depthwise"])
    i, f, j, o = convolution(xh, p["gates"], p["gates_bias"]).chunk(4, 1)
    if config["peephole"]:
        i = i + p["peephole_input"] * c
        f = f + p["peephole_forget"] * c
    c = trace.gate(f) * c + trace.gate(i) * torch.tanh(j)
    if config["peephole"]:
        o = o + p["peephole_output"] * c
    h = trace.gate(o) * torch.tanh(c)
    return h, {"cell": c, "hidden": h}


def conv_gru_step(config, p, x, state, trace):
    h = state["hidden"]
    z, r = convolution(torch.cat([x, h], 1), p["gates"], p["gates_bias"]).chunk(2, 1)
    z, r = trace.gate(z), trace.gate(r)
    xrh = torch.cat([x, r * h], 1)
    n = torch.tanh(convolution(xrh, p["candidate"], p["candidate_bias"]))
    h = (1 - z) * n + z * h
    return h, {"hidden": h}


STEPS = {
    "bottleneck_lstm": bottleneck_lstm_step,
    "conv_lstm": conv_lstm_step,
    "conv_gru": conv_gru_step,
}


def positions(option):
    """[height, width] of a weight that is per channel or per position."""
    return [1, 1] if option == "PerChannel" else option["PerPosition"]


def shapes(kind, config):
    """The parameters: name -> (shape, standard deviation)."""
    ci, ch, k = config["input_channels"], config["hidden_channels"], config["kernel_size"]
    kernels, pointwise = 1 / k, lambda channels: math.sqrt(2 / channels)
    full = 1 / (k * math.sqrt(ci + ch))
    if kind == "conv_gru":
        return {
            "gates": ([2 * ch, ci + ch, k, k], full),
            "gates_bias": ([2 * ch], 0.3),
            "candidate": ([ch, ci + ch, k, k], full),
            "candidate_bias": ([ch], 0.3),
        }
    if kind == "conv_lstm":
        if config["separable"]:
            p = {
                "depthwise": ([ci + ch, 1, k, k], kernels),
                "gates": ([4 * ch, ci + ch, 1, 1], 1 / math.sqrt(ci + ch)),
            }
        else:
            p = {"gates": ([4 * ch, ci + ch, k, k], full)}
        p["gates_bias"] = ([4 * ch], 0.3)
    else:
        groups = config["groups"]
        m = ch // groups
        if config["depthwise"] == "Input":
            p = {"depthwise": ([ci, 1, k, k], kernels), "depthwise_bias": ([ci], 0.3)}
        else:
            p = {"depthwise": ([groups * (ci + m), 1, k, k], kernels)}
        p["bottleneck"] = ([ch, ci + m, 1, 1], pointwise(ci + m))
        p["bottleneck_bias"] = ([ch], 0.3)
        p["bottleneck_depthwise"] = ([ch, 1, k, k], kernels)
        p["gates"] = ([4 * ch, m, 1, 1], 1 / math.sqrt(m))
        if config["gate_bias"]:
            p["gates_bias"] = ([4 * ch], 0.3)
        if config["learned_state"] != "None":
            size = positions(config["learned_state"])
            p["initial_cell"] = ([ch, *size], 1.0)
            p["initial_hidden"] = ([ch, *size], 1.0)
    if config["peephole"]:
        size = positions(config["peephole"])
        for gate in ["input", "forget", "output"]:
            p[f"peephole_{gate}"] = ([ch, *size], 0.3)
    return p


@dataclass
class Case:
    name: str
    kind: str
    config: dict
    sizes: list  # batch, time, height, width
    reach: set = field(default_factory=set)  # what the draw must reach, names of Trace.reached
    state: float = 1.0  # deviation of the start state
    traced: bool = False

    def draw(self, attempt):
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), attempt])

        def normal(shape, deviation=1.0):
            values = (rng.standard_normal(shape) * deviation).astype(np.float32)
            return torch.from_numpy(values).double().requires_grad_()

        batch, time, height, width = self.sizes
        params = {}
        for name, (shape, deviation) in shapes(self.kind, self.config).items():
            params[name] = normal(shape, self.state if name == "initial_cell" else deviation)
        xs = normal([batch, time, self.config["input_channels"], height, width])
        start = {}
        if "initial_cell" not in params:
            shape = [batch, self.config["hidden_channels"], height, width]
            if self.kind != "conv_gru":
                start["cell"] = normal(shape, self.state)
            start["hidden"] = normal(shape)
        return params, xs, start, normal

    def compute(self, attempt):
        params, xs, start, normal = self.draw(attempt)
        trace = Trace()
        batch, _, height, width = self.sizes
        state = start
        if not start:
            shape = [batch, -1, height, width]
            state = {n: params[f"initial_{n}"].expand(shape) for n in ["cell", "hidden"]}
        outputs = []
        for x in xs.unbind(1):
            output, state = STEPS[self.kind](self.config, params, x, state, trace)
            outputs.append(output)
        results = {"outputs": torch.stack(outputs, 1), **state}
        if missed := self.reach - trace.reached:
            raise Unsuitable(f"not reached: {missed}")

        upstream = {name: normal(value.shape) for name, value in results.items()}
        loss = sum((results[name] * upstream[name]).sum() for name in results)
        leaves = {"xs": xs, **{f"{name}0": value for name, value in start.items()}}
        inputs = leaves | {f"param.{name}": value for name, value in params.items()}
        gradients = torch.autograd.grad(loss, [*leaves.values(), *params.values()])
        gradients = dict(zip([*leaves, *params], gradients, strict=True))
        gates = trace.gates if self.traced else {}
        return (
            inputs
            | results
            | {f"upstream.{name}": value for name, value in upstream.items()}
            | {f"grad.{name}": value for name, value in gradients.items()}
            | {f"gates.{name}": value for name, value in gates.items()}
        )

    def search(self):
        for attempt in range(1000):
            try:
                return self.compute(attempt), attempt
            except Unsuitable as reason:
                last = reason
        sys.exit(f"{self.name}: no suitable draw, last: {last}")


def cell(ci, ch, **changes):
    config = {
        "input_channels": ci,
        "hidden_channels": ch,
        "kernel_size": 3,
        "groups": 1,
        "depthwise": "Input",
        "activation": "Relu",
        "bottleneck_activation": "Identity",
        "gate_bias": False,
        "forget_bias": 0.0,
        "peephole": None,
        "clip_state": None,
        "scale_state": False,
        "carry_activated": None,
        "output_bottleneck": False,
        "learned_state": "None",
        "initialization": "FanIn",
    }
    assert changes.keys() <= config.keys()
    return config | changes


def paper(ci, ch, **changes):
    config = {"depthwise": "InputAndHidden", "bottleneck_activation": "Relu"}
    return cell(ci, ch, **(config | changes))


def tensorflow(ci, ch, **changes):
    config = {
        "depthwise": "InputAndHidden",
        "activation": "Relu6",
        "bottleneck_activation": "Relu6",
        "gate_bias": True,
        "forget_bias": 1.0,
    }
    return cell(ci, ch, **(config | changes))


def grouped(ci, ch, groups, **changes):
    return tensorflow(ci, ch, groups=groups, **changes)


def baseline(ci, ch, **changes):
    config = {"input_channels": ci, "hidden_channels": ch, "kernel_size": 3}
    return config | changes


def cases():
    channel = "PerChannel"

    def position(height, width):
        return {"PerPosition": [height, width]}

    def case(name, config, sizes, **options):
        return Case(name, "bottleneck_lstm", config, sizes, **options)

    clip = {"clip above", "clip below"}
    scale = {"scaled", "not scaled"}
    tanh = {"activation": "Tanh", "bottleneck_activation": "Tanh"}
    identity = {"activation": "Identity", "bottleneck_activation": "Relu6"}
    everything = {"peephole": channel, "output_bottleneck": True, "learned_state": channel}
    pinned = {"peephole": position(3, 4), "learned_state": position(3, 4)}
    yield case("default", cell(5, 6), [2, 5, 5, 4], traced=True)
    yield case("default_one_input", cell(1, 2), [3, 6, 6, 7])
    yield case("default_wide", cell(17, 16), [1, 5, 3, 2])
    yield case("default_one_row", cell(3, 4), [2, 5, 1, 6])
    yield case("default_one_position", cell(4, 8), [3, 5, 1, 1])
    yield case("default_kernel_1", cell(3, 6, kernel_size=1), [2, 5, 4, 3])
    yield case("default_kernel_5", cell(3, 4, kernel_size=5), [2, 5, 6, 4])
    yield case("default_gate_bias", cell(4, 4, gate_bias=True, forget_bias=0.5), [2, 5, 4, 5])
    yield case("default_clip", cell(3, 4, clip_state=1.5), [2, 5, 3, 4], reach=clip, state=3.0)
    yield case("default_scale", cell(3, 4, scale_state=True), [3, 5, 4, 3], reach=scale, state=4.0)
    yield case("default_carry_activated", cell(3, 6, carry_activated=True), [2, 5, 5, 3])
    yield case("default_output_bottleneck", cell(3, 4, output_bottleneck=True), [2, 5, 3, 5])
    yield case("default_learned", cell(5, 4, learned_state=channel), [2, 5, 4, 3])
    yield case("default_tanh", cell(3, 4, **tanh), [2, 5, 4, 4])
    yield case("default_identity", cell(3, 4, **identity), [2, 5, 3, 3], state=4.0)
    relu6 = cell(3, 4, activation="Relu6")
    yield case("default_relu6", relu6, [2, 5, 3, 3], reach={"relu6"}, state=5.0)
    yield case("peephole_channel", cell(5, 6, peephole=channel), [2, 5, 4, 5], traced=True)
    yield case("peephole_position", cell(4, 6, peephole=position(5, 3)), [2, 5, 5, 3])
    yield case("paper", paper(5, 6), [2, 5, 4, 5])
    yield case("paper_odd_input", paper(1, 4), [3, 7, 3, 3])
    yield case("paper_kernel_5", paper(3, 4, kernel_size=5), [2, 5, 5, 7])
    yield case("tensorflow", tensorflow(5, 6), [2, 5, 4, 3], reach={"relu6"}, state=5.0)
    yield case("tensorflow_tanh", tensorflow(4, 6, **tanh), [2, 5, 3, 5])
    clipped = tensorflow(3, 6, clip_state=6.0)
    yield case("tensorflow_clip", clipped, [2, 6, 4, 3], reach=clip, state=6.0)
    bottleneck = tensorflow(4, 4, output_bottleneck=True)
    yield case("tensorflow_output_bottleneck", bottleneck, [2, 5, 4, 3])
    learned = tensorflow(4, 6, learned_state=channel)
    yield case("tensorflow_learned_channel", learned, [2, 5, 3, 4])
    learned = tensorflow(3, 4, learned_state=position(4, 3))
    yield case("tensorflow_learned_position", learned, [2, 5, 4, 3])
    yield case("grouped_4", grouped(5, 8, 4), [2, 5, 4, 3])
    yield case("grouped_3", grouped(3, 6, 3), [2, 5, 3, 4], traced=True)
    yield case("grouped_one_channel_each", grouped(1, 4, 4), [2, 5, 3, 3])
    scaling = grouped(4, 8, 4, scale_state=True)
    yield case("grouped_scale", scaling, [3, 6, 3, 4], reach=scale, state=4.0)
    clipped = grouped(3, 6, 2, clip_state=6.0)
    yield case("grouped_clip", clipped, [2, 6, 3, 4], reach=clip, state=6.0)
    yield case("grouped_output_bottleneck", grouped(3, 6, 3, output_bottleneck=True), [2, 5, 4, 3])
    yield case("grouped_carry_state", grouped(4, 4, 2, carry_activated=False), [2, 5, 3, 5])
    yield case("tensorflow_carry_activated", tensorflow(3, 4, carry_activated=True), [2, 5, 4, 3])
    yield case("combined_channel", grouped(3, 8, 4, **everything), [2, 5, 3, 4])
    combined = grouped(5, 6, 2, **(everything | pinned), scale_state=True)
    yield case("combined_position", combined, [2, 5, 3, 4], reach=scale, state=4.0)
    combined = paper(3, 6, groups=3, gate_bias=True, kernel_size=5, **everything, clip_state=2.0)
    yield case("combined_paper", combined, [2, 5, 5, 4], reach=clip, state=4.0)

    for form in ["full", "separable"]:
        for suffix, peephole in [("", None), ("_peephole", channel)]:
            config = baseline(3, 4, separable=form == "separable", peephole=peephole)
            yield Case(f"conv_lstm_{form}{suffix}", "conv_lstm", config, [2, 5, 4, 5])
    config = baseline(2, 3, separable=True, peephole=position(3, 6))
    yield Case("conv_lstm_separable_peephole_position", "conv_lstm", config, [2, 5, 3, 6])
    config = baseline(1, 3, separable=False, peephole=position(5, 2), kernel_size=5)
    yield Case("conv_lstm_full_peephole_position", "conv_lstm", config, [2, 5, 5, 2])
    yield Case("conv_gru", "conv_gru", baseline(3, 4), [2, 5, 4, 5])
    yield Case("conv_gru_kernel_1", "conv_gru", baseline(1, 3, kernel_size=1), [3, 6, 1, 4])


def write(path, tensors, metadata):
    """A safetensors file. The `safetensors` package orders the metadata anew on every run."""
    header, data = {"__metadata__": metadata}, []
    end = 0
    for name in sorted(tensors):
        values = tensors[name].detach().contiguous().numpy().astype("<f4").tobytes()
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + len(values)]}
        data.append(values)
        end += len(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_suffix(".partial")
    partial.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data))
    partial.replace(path)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python cells.py OUT_DIR")
    # One thread sums in one order.
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for case in cases():
        tensors, attempt = case.search()
        metadata = {"kind": case.kind, "config": json.dumps(case.config)}
        path = out / f"{case.name}.safetensors"
        write(path, tensors, metadata)
        print(f"{case.name}: draw {attempt}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
