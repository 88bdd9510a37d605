"""Writes the checkpoints that the tests of `bottleneck_lstm::weights` read, or checks one.

    python checkpoints.py OUT_DIR
    python checkpoints.py --check FILE

The first form writes small files in every form that PyTorch has or had, and `steps.safetensors`
with one step of each cell as PyTorch computes it, in float64 from the stored weights: `CASE.x`,
`CASE.cell0`, `CASE.hidden0`, `CASE.cell1`, `CASE.hidden1`. The same versions (requirements.txt)
write the same weights.

The second form loads a file that `to_pytorch` wrote into a module of the public code's names, runs
the step of `FILE`'s neighbour (`cell.safetensors` has `cell-step.safetensors`) and compares. The
tests leave such a pair: run `cargo test -p bottleneck-lstm --test weights`, then check
`target/tmp/to_pytorch.safetensors`.
"""

import collections
import os
import pickle
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

INPUT, HIDDEN, KERNEL = 3, 4, 3
HEIGHT, WIDTH = 4, 5
NETWORK = "pred_decoder.bottleneck_lstm1.cell."


class Cell(nn.Module):
    """The cell with the names of the public code: peepholes are absent, or parameters."""

    def __init__(self, inputs, hidden, kernel=3, peephole=None):
        super().__init__()
        pad = kernel // 2
        self.W = nn.Conv2d(inputs, inputs, kernel, padding=pad, groups=inputs)
        self.Wy = nn.Conv2d(inputs + hidden, hidden, 1)
        self.Wi = nn.Conv2d(hidden, hidden, kernel, padding=pad, groups=hidden, bias=False)
        for gate in ("Wbi", "Wbf", "Wbc", "Wbo"):
            setattr(self, gate, nn.Conv2d(hidden, hidden, 1, bias=False))
        for name in ("Wci", "Wcf", "Wco"):
            weights = None if peephole is None else nn.Parameter(torch.zeros(1, hidden, *peephole))
            self.register_parameter(name, weights)

    def forward(self, x, h, c):
        def look(gate, weights, state):
            return gate if weights is None else gate + weights * state

        b = self.Wi(self.Wy(torch.cat([self.W(x), h], 1)))
        i = torch.sigmoid(look(self.Wbi(b), self.Wci, c))
        f = torch.sigmoid(look(self.Wbf(b), self.Wcf, c))
        c = f * c + i * torch.relu(self.Wbc(b))
        o = torch.sigmoid(look(self.Wbo(b), self.Wco, c))
        return o * torch.relu(c), c


class Steps:
    """Inputs, states and what a cell makes of them."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors = {}

    def draw(self, *shape, dtype=torch.float32):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64).to(dtype)

    def add(self, name, step):
        x = self.draw(2, INPUT, HEIGHT, WIDTH).double()
        h = self.draw(2, HIDDEN, HEIGHT, WIDTH).double()
        c = self.draw(2, HIDDEN, HEIGHT, WIDTH).double()
        with torch.no_grad():
            h1, c1 = step(x, h, c)
        values = {"x": x, "cell0": c, "hidden0": h, "cell1": c1, "hidden1": h1}
        self.tensors |= {f"{name}.{key}": value.contiguous() for key, value in values.items()}


def state_dict(steps, peephole=None, dtype=torch.float32):
    weights = Cell(INPUT, HIDDEN, KERNEL, peephole).state_dict()
    for name, value in weights.items():
        weights[name] = (0.6 * steps.draw(*value.shape, dtype=torch.float64)).to(dtype)
    return weights


def pytorch_step(weights):
    peephole = tuple(weights["Wci"].shape[2:]) if "Wci" in weights else None
    cell = Cell(INPUT, HIDDEN, KERNEL, peephole).double()
    cell.load_state_dict({name: value.double() for name, value in weights.items()})
    return cell


def views(weights):
    """The same values through transposed, sliced, shared and repeated storages."""
    weights = dict(weights)
    for name in ("Wbi.weight", "Wy.weight"):
        weights[name] = weights[name].transpose(0, 1).contiguous().transpose(0, 1)
    parts = weights["Wi.weight"].flatten(), weights["W.weight"].flatten()
    block = torch.cat([torch.zeros(5), *parts])
    hidden = HIDDEN * KERNEL * KERNEL
    weights["Wi.weight"] = block[5 : 5 + hidden].view(HIDDEN, 1, KERNEL, KERNEL)
    weights["W.weight"] = block[5 + hidden :].view(INPUT, 1, KERNEL, KERNEL)
    wide = torch.stack([weights["Wbf.weight"], weights["Wbo.weight"]], -1)
    weights["Wbf.weight"], weights["Wbo.weight"] = wide[..., 0], wide[..., 1]
    return weights


class Executes:
    """A pickle of this runs a command where it is loaded by Python's own reader."""

    def __reduce__(self):
        return os.system, ("echo executed",)


def training(weights):
    """What a training loop saves: a whole network among other things."""
    network = collections.OrderedDict()
    network["pred_encoder.conv.weight"] = torch.ones(2, 3, 1, 1)
    network["pred_encoder.norm.num_batches_tracked"] = torch.tensor(7)
    for name, value in weights.items():
        network[NETWORK + name] = value
    parameter = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    return {
        "epoch": 3,
        "best": 0.25,
        "name": "mobile",
        "history": [1, 2.5, None, "x", {"loss": 1.0}, (1, 2)],
        "shape": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "large": 1 << 70,
        "negative": -(1 << 40),
        "bytes": b"abc",
        "state_dict": network,
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }


def kinds():
    """Tensors that are no weights of a cell: every element type, and every odd shape."""
    tensors = {
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
        "repeated": torch.tensor([1.5]).expand(2, 3),
        "parameter": nn.Parameter(torch.tensor([1.0, 2.0])),
        "complex": torch.zeros(2, dtype=torch.complex64),
        "float8": torch.zeros(2, dtype=torch.float8_e4m3fn),
        "bool": torch.tensor([True, False]),
        "int8": torch.tensor([1], dtype=torch.int8),
        "uint16": torch.tensor([1], dtype=torch.uint16),
        "step": torch.tensor([2.0, 4.0, 6.0, 8.0])[::2],
    }
    tensors["stateful"] = nn.Parameter(torch.tensor([3.0]))
    tensors["stateful"].note = "kept in __dict__"
    return tensors


def tensorflow_step(weights, groups, grouped):
    """A step from TensorFlow's variables: kernels [height, width, in, out], gates i, j, f, o."""

    def separable(x, scope):
        kernels = weights[f"{scope}/depthwise_weights"].double().permute(2, 3, 0, 1)
        x = F.conv2d(x, kernels, padding=kernels.shape[-1] // 2, groups=x.shape[1])
        pointwise = weights[f"{scope}/pointwise_weights"].double().permute(3, 2, 0, 1)
        return F.conv2d(x, pointwise, weights[f"{scope}/biases"].double())

    def step(x, h, c):
        hs, cs = [], []
        for k, (h, c) in enumerate(zip(h.chunk(groups, 1), c.chunk(groups, 1))):
            scopes = (f"bottleneck_{k}", f"concat_conv_{k}") if grouped else ("bottleneck", "gates")
            bottleneck = F.relu6(separable(torch.cat([x, h], 1), scopes[0]))
            i, j, f, o = separable(bottleneck, scopes[1]).chunk(4, 1)
            c = c * torch.sigmoid(f + 1) + torch.sigmoid(i) * F.relu6(j)
            hs.append(F.relu6(c) * torch.sigmoid(o))
            cs.append(F.relu6(c) if grouped else c)
        return torch.cat(hs, 1), torch.cat(cs, 1)

    return step


def tensorflow_weights(steps, groups, grouped):
    m = HIDDEN // groups
    weights = {}
    for k in range(groups):
        scopes = (f"bottleneck_{k}", f"concat_conv_{k}") if grouped else ("bottleneck", "gates")
        for scope, inputs, outputs in [(scopes[0], INPUT + m, m), (scopes[1], m, 4 * m)]:
            weights[f"{scope}/depthwise_weights"] = 0.6 * steps.draw(KERNEL, KERNEL, inputs, 1)
            weights[f"{scope}/pointwise_weights"] = 0.6 * steps.draw(1, 1, inputs, outputs)
            weights[f"{scope}/biases"] = 0.6 * steps.draw(outputs)
    return weights


def write(out):
    out.mkdir(parents=True, exist_ok=True)
    steps = Steps(seed=3)
    plain = state_dict(steps)
    steps.add("plain", pytorch_step(plain))
    old = {"_use_new_zipfile_serialization": False}
    save_file(plain, out / "plain.safetensors")
    torch.save(plain, out / "plain.pt")
    torch.save(plain, out / "plain.pth", **old)
    torch.save(plain, out / "protocol4.pt", pickle_protocol=4)
    torch.save(plain, out / "protocol5.pth", pickle_protocol=5, **old)
    torch.save(views(plain), out / "views.pt")
    torch.save(views(plain), out / "views.pth", **old)
    torch.save(training(plain), out / "training.pt")
    torch.save(training(plain), out / "training.pth", **old)

    for name, alias in [("half", "float16"), ("bfloat16", "bfloat16"), ("double", "float64")]:
        dtype = getattr(torch, alias)
        weights = state_dict(steps, dtype=dtype)
        steps.add(name, pytorch_step(weights))
        torch.save(weights, out / f"{name}.pt")
        save_file(weights, out / f"{name}.safetensors")
    for name, peephole in [("channel", (1, 1)), ("position", (HEIGHT, WIDTH))]:
        weights = state_dict(steps, peephole)
        steps.add(name, pytorch_step(weights))
        torch.save(weights, out / f"{name}.pt")
    zeros = {name: torch.zeros(1, HIDDEN, HEIGHT, WIDTH) for name in ("Wci", "Wcf", "Wco")}
    torch.save({**plain, **zeros}, out / "zero_peephole.pt")
    torch.save({**plain, "Wy.bias": torch.ones(HIDDEN, dtype=torch.int64)}, out / "integer.pt")
    torch.save(kinds(), out / "kinds.pt")
    torch.save(kinds(), out / "kinds.pth", **old)

    torch.save({"state_dict": Executes()}, out / "executes.pt")
    torch.save({"state_dict": Executes()}, out / "executes.pth", **old)
    torch.save(Cell(INPUT, HIDDEN), out / "module.pt")
    (out / "executes.pkl").write_bytes(pickle.dumps(Executes(), protocol=2))

    for name, groups, grouped in [("tensorflow", 1, False), ("grouped", 2, True)]:
        weights = tensorflow_weights(steps, groups, grouped)
        steps.add(name, tensorflow_step(weights, groups, grouped))
        save_file(weights, out / f"{name}.safetensors")
    save_file(steps.tensors, out / "steps.safetensors")
    total = sum(path.stat().st_size for path in out.iterdir())
    print(f"{len(list(out.iterdir()))} files, {total} bytes")


def check(path):
    weights = load_file(path)
    step = load_file(path.with_name(f"{path.stem}-step.safetensors"))
    hidden, inputs = weights["Wi.weight"].shape[0], weights["W.weight"].shape[0]
    kernel = weights["W.weight"].shape[-1]
    peephole = tuple(weights["Wci"].shape[2:]) if "Wci" in weights else None
    cell = Cell(inputs, hidden, kernel, peephole).double()
    cell.load_state_dict({name: value.double() for name, value in weights.items()}, strict=True)
    with torch.no_grad():
        h, c = cell(*(step[key].double() for key in ("x", "hidden0", "cell0")))
    for name, value in [("hidden1", h), ("cell1", c)]:
        error = (step[name].double() - value).abs().max() / value.abs().max()
        print(f"{name}: largest difference over largest magnitude {error:.2e}")
        if not error < 1e-5:
            sys.exit(f"{path}: {name} is not what PyTorch computes")


def main():
    match sys.argv[1:]:
        case ["--check", path]:
            check(Path(path))
        case [out] if not out.startswith("-"):
            write(Path(out))
        case _:
            sys.exit("usage: python checkpoints.py OUT_DIR | --check FILE")


if __name__ == "__main__":
    main()
