"""The detector in ONNX Runtime or TFLite with XNNPACK, one thread, driven line by line.

python ssd.py onnxruntime|tflite

Prints its version as JSON, then answers every line of JSON on its input with one: an object prepares
the network and answers with how far its outputs are from the reference, a number runs the frame once
and answers with the seconds that took, "memory" answers with the most memory the process has had, in
bytes.
"""

import json
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np


def tensors(path):
    """All tensors of a safetensors file, as f32."""
    content = Path(path).read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    dtypes = {"F16": np.float16, "F32": np.float32}
    found = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[begin:end], dtypes[entry["dtype"]])
        found[name] = values.reshape(entry["shape"]).astype(np.float32)
    return found


class OnnxRuntime:
    """The layers as a graph of `Conv`, `Clip` and `Add`; heads end as the reference has them."""

    def __init__(self):
        import onnx
        import onnxruntime

        self.onnx, self.runtime = onnx, onnxruntime
        self.version = onnxruntime.__version__

    def prepare(self, work):
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = self.model(work["weights"], Path(work["layers"]))
        session = self.runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        reference = tensors(work["reference"])
        frame = np.ascontiguousarray(reference["input"][:1])
        run = lambda: session.run(None, {"input": frame})
        boxes, logits = run()
        return run, difference(reference, boxes, logits)

    def model(self, weights, layers):
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        described = json.loads(layers.read_text())
        nodes, constants = [], []

        def constant(name, value):
            constants.append(self.onnx.numpy_helper.from_array(value, name))
            return name

        for name, value in tensors(weights).items():
            constant(name, value)
        low, high = constant("low", np.float32(0)), constant("high", np.float32(6))
        for layer in described["layers"]:
            name, inputs = layer["name"], layer["inputs"]
            if layer["type"] == "add":
                nodes.append(helper.make_node("Add", inputs, [name]))
                continue
            pads = [layer["padding"][side] for side in ("top", "left", "bottom", "right")]
            clipped = layer["activation"] == "relu6"
            conv = name + ".conv" if clipped else name
            nodes.append(helper.make_node(
                "Conv", [inputs[0], layer["weight"], layer["bias"]], [conv], pads=pads,
                strides=layer["stride"], group=layer["groups"]))
            if clipped:
                nodes.append(helper.make_node("Clip", [conv, low, high], [name]))
        for kind, output, values in [("box_head", "boxes", 4), ("cls_head", "logits", 24)]:
            rows = []
            shape = constant(output + ".shape", np.array([1, -1, values], np.int64))
            for index, head in enumerate(described["feature_maps"]):
                flat, row = f"{output}.{index}.flat", f"{output}.{index}.rows"
                nodes.append(helper.make_node("Transpose", [head[kind]], [flat], perm=[0, 2, 3, 1]))
                nodes.append(helper.make_node("Reshape", [flat, shape], [row]))
                rows.append(row)
            nodes.append(helper.make_node("Concat", rows, [output], axis=1))
        value = lambda name, *shape: helper.make_tensor_value_info(name, proto.FLOAT, list(shape))
        graph = helper.make_graph(
            nodes, "ssd", [value("input", 1, 3, 300, 300)],
            [value("boxes", 1, 1917, 4), value("logits", 1, 1917, 24)], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        return model.SerializeToString()


class TFLite:
    """The interpreter, which hands the network to XNNPACK; timed without copying frame and outputs."""

    def __init__(self):
        import tflite_runtime
        from tflite_runtime.interpreter import Interpreter

        self.interpreter = Interpreter
        self.version = tflite_runtime.__version__

    def prepare(self, work):
        network = self.interpreter(work["tflite"], num_threads=1)
        network.allocate_tensors()
        reference = tensors(work["reference"])
        frame = reference["input"][:1].transpose(0, 2, 3, 1)
        network.set_tensor(network.get_input_details()[0]["index"], np.ascontiguousarray(frame))
        network.invoke()
        found = [network.get_tensor(output["index"]) for output in network.get_output_details()]
        found = {output.shape[-1]: output.reshape(1, 1917, -1) for output in found}
        return network.invoke, difference(reference, found[4], found[24])


def difference(reference, boxes, logits):
    pairs = [(reference["boxes"][:1], boxes), (reference["logits"][:1], logits)]
    return max(float(np.abs(expected - found).max()) for expected, found in pairs)


def main():
    answer = lambda value: print(json.dumps(value), flush=True)
    peer = {"onnxruntime": OnnxRuntime, "tflite": TFLite}[sys.argv[1]]()
    answer(peer.version)
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request == "memory":
                answer(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
            elif isinstance(request, int):
                begin = time.perf_counter()
                run()
                answer(time.perf_counter() - begin)
            else:
                run, apart = peer.prepare(request)
                answer(apart)
        except Exception as error:
            answer({"error": repr(error)})


main()
