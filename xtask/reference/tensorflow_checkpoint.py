"""Turns a TensorFlow checkpoint into a safetensors file that `weights::from_tensorflow` reads.

    python tensorflow_checkpoint.py CHECKPOINT OUT.safetensors [--averages]
                                    [--state NAME --cell PREFIX]
    python tensorflow_checkpoint.py --check FIXTURES

CHECKPOINT is what TensorFlow calls one: `model.ckpt-12345`, without `.index`. Names and layouts
stay as they are. The slots of optimisers, moving averages and whatever is no floating-point number
are left out; `--averages` takes the moving average of each variable that has one for its value.

A learned initial state lies outside the scope of the cell, under a name that the network chose:
`--state FeatureExtractor/LSTM/lstm_state --cell FeatureExtractor/LSTM/conv_lstm_cell/` puts
`..lstm_state0` and `..lstm_state1` where `from_tensorflow` looks for them with that prefix.

The second form computes the steps of `FIXTURES/steps.safetensors` (see checkpoints.py) with
TensorFlow, and turns a checkpoint of the same variables back into the files there.

Versions: requirements-tensorflow.txt.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file, save_file

AVERAGE = "/ExponentialMovingAverage"
# What optimisers of TensorFlow 1 and 2 append to the name of a variable.
SLOTS = (
    AVERAGE,
    "/Adagrad",
    "/Adam",
    "/Adam_1",
    "/Ftrl",
    "/Ftrl_1",
    "/Momentum",
    "/RMSProp",
    "/RMSProp_1",
)
OPTIMIZER = ("beta1_power", "beta2_power", "global_step")


def read(checkpoint, averages=False, state=None, cell=None):
    """The tensors of a checkpoint, by name."""
    reader = tf.train.load_checkpoint(checkpoint)
    tensors = {}
    for name, dtype in reader.get_variable_to_dtype_map().items():
        last = name.rsplit("/", 1)[-1]
        if not dtype.is_floating or name.endswith(SLOTS) or last in OPTIMIZER:
            continue
        averaged = averages and reader.has_tensor(name + AVERAGE)
        tensors[name] = reader.get_tensor(name + AVERAGE if averaged else name)
    for number in (0, 1) if state else ():
        value = tensors.pop(f"{state}{number}", None)
        if value is None or value.ndim != 3:
            found = "nothing" if value is None else f"shape {value.shape}"
            sys.exit(f"{state}{number}: expected shape [height, width, channels], found {found}")
        tensors[f"{cell}lstm_state{number}"] = value
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def step(weights, prefix, groups, grouped, x, h, c):
    """A step of lstm_object_detection's cells in TensorFlow's own operations and layouts."""

    def separable(x, scope):
        part = {name: tf.constant(weights[f"{prefix}{scope}/{name}"], tf.float64)
                for name in ("depthwise_weights", "pointwise_weights", "biases")}
        x = tf.nn.separable_conv2d(
            x, part["depthwise_weights"], part["pointwise_weights"], [1, 1, 1, 1], "SAME"
        )
        return tf.nn.bias_add(x, part["biases"])

    hs, cs = [], []
    for k, (h, c) in enumerate(zip(tf.split(h, groups, 3), tf.split(c, groups, 3))):
        scopes = (f"bottleneck_{k}", f"concat_conv_{k}") if grouped else ("bottleneck", "gates")
        bottleneck = tf.nn.relu6(separable(tf.concat([x, h], 3), scopes[0]))
        i, j, f, o = tf.split(separable(bottleneck, scopes[1]), 4, 3)
        c = c * tf.sigmoid(f + 1) + tf.sigmoid(i) * tf.nn.relu6(j)
        hs.append(tf.nn.relu6(c) * tf.sigmoid(o))
        cs.append(tf.nn.relu6(c) if grouped else c)
    return tf.concat(hs, 3), tf.concat(cs, 3)


def write_checkpoint(weights, path):
    """A checkpoint of TensorFlow 1 with an optimiser, moving averages and a learned state."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(name, initializer=tf.constant(value))
            for name, value in weights.items()
        ]
        count = tf.compat.v1.train.get_or_create_global_step()
        average = tf.train.ExponentialMovingAverage(0.5)
        loss = tf.add_n([tf.reduce_sum(variable**2) for variable in variables])
        optimizer = tf.compat.v1.train.AdamOptimizer()
        optimizer.minimize(loss, count)
        average.apply(variables)
        session.run(tf.compat.v1.global_variables_initializer())
        return tf.compat.v1.train.Saver().save(session, str(path))


def check(fixtures):
    steps = load_file(fixtures / "steps.safetensors")
    cell = "net/LSTM/conv_lstm_cell/"
    for case, groups, grouped in [("tensorflow", 1, False), ("grouped", 2, True)]:
        weights = load_file(fixtures / f"{case}.safetensors")
        named = {cell + name: value for name, value in weights.items()}
        states = [np.full((2, 3, 4), number, np.float32) for number in (0.5, 1.5)]
        named |= {f"net/LSTM/lstm_state{number}": value for number, value in enumerate(states)}
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = write_checkpoint(named, Path(folder) / "model.ckpt")
            count = len(tf.train.list_variables(checkpoint))
            found = read(checkpoint, averages=True, state="net/LSTM/lstm_state", cell=cell)
        expected = {cell + name: value for name, value in weights.items()}
        expected |= {f"{cell}lstm_state{number}": value for number, value in enumerate(states)}
        assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
        print(f"{case}: {len(found)} of {count} tensors of the checkpoint kept, bit for bit")

        inputs = [steps[f"{case}.{key}"] for key in ("x", "hidden0", "cell0")]
        x, h, c = (value.transpose(0, 2, 3, 1) for value in inputs)
        for name, value in zip(("hidden1", "cell1"), step(found, cell, groups, grouped, x, h, c)):
            expected = steps[f"{case}.{name}"]
            error = abs(value.numpy().transpose(0, 3, 1, 2) - expected).max() / abs(expected).max()
            print(f"{case}: {name}: largest difference over largest magnitude {error:.2e}")
            if not error < 1e-12:
                sys.exit(f"{case}: {name} is not what TensorFlow computes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--averages", action="store_true")
    parser.add_argument("--state")
    parser.add_argument("--cell")
    parser.add_argument("--check", type=Path)
    arguments = parser.parse_args()
    if arguments.check:
        check(arguments.check)
        return
    if arguments.out is None or (arguments.state is None) != (arguments.cell is None):
        parser.error("CHECKPOINT and OUT are needed, and --state and --cell go together")
    tensors = read(arguments.checkpoint, arguments.averages, arguments.state, arguments.cell)
    partial = arguments.out.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(arguments.out)
    print(f"{len(tensors)} tensors")


if __name__ == "__main__":
    main()
