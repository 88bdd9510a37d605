"""The cell and ConvLSTM in ONNX Runtime or PyTorch, one thread, driven line by line.

python peers.py onnxruntime|torch

Prints its version as JSON, then answers every line of JSON on its input with one: an object prepares
the work that it describes and answers with its number, a number runs that work once and answers with
the seconds that took, "forget" forgets all works.
"""

import json
import math
import sys
import time

import numpy as np

RNG = np.random.default_rng(1)


def draw(*shape):
    return (RNG.standard_normal(shape) / math.sqrt(np.prod(shape[1:]))).astype(np.float32)


def inputs(work):
    ci, ch, side = work["shape"]
    normal = lambda *shape: RNG.standard_normal(shape).astype(np.float32)
    ring = 32 if work["steps"] == 1 else 2
    xs = [normal(work["batch"], work["steps"], ci, side, side) for _ in range(ring)]
    state = lambda: RNG.random((work["batch"], ch, side, side), dtype=np.float32)
    return xs, state(), state()


class OnnxRuntime:
    """A graph of all steps, whose input projection is hoisted out of the recurrence, or one of a
    single step, which is run step by step and given its state back."""

    def __init__(self):
        import onnx
        import onnxruntime

        self.onnx, self.runtime = onnx, onnxruntime
        self.version = onnxruntime.__version__

    def prepare(self, work):
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        steps = work["steps"] if work["unrolled"] else 1
        model = self.model(work, steps)
        session = self.runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        xs, h0, c0 = inputs(work)
        ring = [[x[0, t:t + steps] for t in range(0, work["steps"], steps)] for x in xs]
        turn = 0

        def run():
            nonlocal turn
            turn += 1
            h, c, hs = h0, c0, []
            for x in ring[turn % len(ring)]:
                h, c = session.run(None, {"x": x, "h0": h, "c0": c})
                hs.append(h)

        return run

    def model(self, work, steps):
        ci, ch, side = work["shape"]
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        nodes, weights = [], []

        def weight(name, value):
            weights.append(self.onnx.numpy_helper.from_array(value, name))
            return name

        def node(op, ins, outs, **attributes):
            outs = [outs] if isinstance(outs, str) else outs
            nodes.append(helper.make_node(op, ins, outs, **attributes))
            return outs[0]

        split = lambda x, outs, parts, axis: node("Split", [x, parts], outs, axis=axis)
        four = weight("four", np.array([ch] * 4, np.int64))
        bias = lambda name, n: weight(name, draw(n, 1)[:, 0])
        if work["cell"] == "conv_lstm":
            w = weight("wx", draw(4 * ch, ci, 3, 3))
            px = node("Conv", ["x", w, bias("b", 4 * ch)], "px", pads=[1] * 4)
            wh = weight("wh", draw(4 * ch, ch, 3, 3))
        else:
            xd = node("Conv", ["x", weight("dx", draw(ci, 1, 3, 3)), bias("bx", ci)], "xd",
                      pads=[1] * 4, group=ci)
            by = bias("by", ch)
            if steps == 1:
                wy = weight("wy", draw(ch, ci + ch, 1, 1))
            else:
                px = node("Conv", [xd, weight("wy", draw(ch, ci, 1, 1)), by], "px")
                wh = weight("wh", draw(ch, ch, 1, 1))
            db, wg = weight("db", draw(ch, 1, 3, 3)), weight("wg", draw(4 * ch, ch, 1, 1))
        if steps > 1:
            split(px, [f"px{t}" for t in range(steps)],
                  weight("ones", np.array([1] * steps, np.int64)), 0)

        h, c, hs = "h0", "c0", []
        for t in range(steps):
            s = lambda name: f"{name}_{t}"
            pxt = f"px{t}" if steps > 1 else "px"
            if work["cell"] == "conv_lstm":
                gates = node("Add", [node("Conv", [h, wh], s("r"), pads=[1] * 4), pxt], s("g"))
                act = "Tanh"
            else:
                if steps == 1:
                    joined = node("Concat", [xd, h], s("cat"), axis=1)
                    p = node("Conv", [joined, wy, by], s("p"))
                else:
                    p = node("Add", [node("Conv", [h, wh], s("r")), pxt], s("p"))
                b = node("Conv", [p, db], s("b"), pads=[1] * 4, group=ch)
                gates = node("Conv", [b, wg], s("g"))
                act = "Relu"
            i, f, j, o = [s(name) for name in "ifjo"]
            split(gates, [i, f, j, o], four, 1)
            i, f, o = [node("Sigmoid", [x], x + "s") for x in (i, f, o)]
            new = node("Mul", [i, node(act, [j], j + "a")], s("ij"))
            c = node("Add", [node("Mul", [f, c], s("fc")), new], s("c"))
            h = node("Mul", [o, node(act, [c], s("ca"))], s("h"))
            hs.append(h)
        if steps > 1:
            hs = [node("Concat", hs, "hs", axis=0)]
        value = lambda name, *shape: helper.make_tensor_value_info(name, proto.FLOAT, list(shape))
        state = (1, ch, side, side)
        graph = helper.make_graph(
            nodes, work["cell"],
            [value("x", steps, ci, side, side), value("h0", *state), value("c0", *state)],
            [value(hs[0], steps, ch, side, side), value(c, *state)], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        return model.SerializeToString()


class Torch:
    """Eager PyTorch, as people write it."""

    def __init__(self):
        import torch

        self.torch = torch
        self.version = torch.__version__
        torch.set_num_threads(1)

    def prepare(self, work):
        torch, (ci, ch, _) = self.torch, work["shape"]
        conv = torch.nn.Conv2d
        if work["cell"] == "conv_lstm":
            layers = torch.nn.ModuleList([conv(ci + ch, 4 * ch, 3, padding=1)])
            act = torch.tanh
            gates = lambda x, h: layers[0](torch.cat((x, h), 1))
        else:
            layers = torch.nn.ModuleList([
                conv(ci, ci, 3, padding=1, groups=ci), conv(ci + ch, ch, 1),
                conv(ch, ch, 3, padding=1, groups=ch, bias=False), conv(ch, 4 * ch, 1, bias=False),
            ])
            act = torch.relu
            over_x, into, over_p, out = layers
            gates = lambda x, h: out(over_p(into(torch.cat((over_x(x), h), 1))))
        xs, h0, c0 = inputs(work)
        xs = [torch.from_numpy(x.transpose(1, 0, 2, 3, 4).copy()) for x in xs]
        h0, c0 = torch.from_numpy(h0), torch.from_numpy(c0)
        leaves = [*xs, h0, c0] if work["all_gradients"] else []
        for leaf in leaves:
            leaf.requires_grad_()
        turn = 0

        def through(x):
            h, c, hs = h0, c0, []
            for frame in x:
                i, f, j, o = gates(frame, h).chunk(4, 1)
                c = f.sigmoid() * c + i.sigmoid() * act(j)
                h = o.sigmoid() * act(c)
                hs.append(h)
            return hs

        def run():
            nonlocal turn
            turn += 1
            x = xs[turn % len(xs)]
            if work["training"]:
                layers.zero_grad(set_to_none=True)
                for leaf in leaves:
                    leaf.grad = None
                sum(h.square().mean() for h in through(x)).backward()
            else:
                with torch.no_grad():
                    through(x)

        return run


def main():
    answer = lambda value: print(json.dumps(value), flush=True)
    peer = {"onnxruntime": OnnxRuntime, "torch": Torch}[sys.argv[1]]()
    answer(peer.version)
    works = []
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request == "forget":
                works.clear()
                answer("forgotten")
            elif isinstance(request, int):
                run = works[request]
                begin = time.perf_counter()
                run()
                answer(time.perf_counter() - begin)
            else:
                works.append(peer.prepare(request))
                answer(len(works) - 1)
        except Exception as error:
            answer({"error": repr(error)})


main()
