"""Damaged pictures, for the tests of `lstm_ssd::damage`: `crates/lstm-ssd/damages.md` in NumPy.

Usage: damage.py OUT_FOLDER
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

KINDS = ["motion-blur", "noise", "occlusion", "drop", "freeze", "dark", "bitrate"]
STEP = 0x9E3779B97F4A7C15
DEVIATION = np.float32(np.sqrt(4 * (65536.0**2 - 1) / 12))
CELL = 64
SENSOR = np.float32(2)


def mix(z):
    """SplitMix64's finaliser."""
    with np.errstate(over="ignore"):
        z = np.asarray(z, np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def draws(seed, kind, frame, count):
    """The first random numbers of a frame."""
    wrap = 2**64 - 1
    damage = int(mix((seed + STEP * (KINDS.index(kind) + 1)) & wrap))
    key = int(mix((damage + STEP * (frame + 1)) & wrap))
    with np.errstate(over="ignore"):
        return mix(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(STEP) + np.uint64(key))


def uniform(bits):
    return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


def gauss(bits):
    words = bits.view(np.uint16).reshape(-1, 4).astype(np.int32)
    return (words.sum(axis=1, dtype=np.int32) - 131070).astype(np.float32) / DEVIATION


def q8(x):
    return np.clip(np.floor(x + np.float32(0.5)), 0, 255).astype(np.uint8)


def blur(picture, mean, bits):
    length, axis = 1 + int(bits[0]) % (2 * mean - 1), 1 - int(bits[1]) % 2
    pad = [(0, 0)] * 3
    pad[axis] = (length // 2, length - 1 - length // 2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(picture, pad, mode="edge"), length, axis)
    return ((windows.sum(axis=-1, dtype=np.int64) + length // 2) // length).astype(np.uint8)


def occlude(picture, fraction, black):
    height, width, _ = picture.shape
    black = (black < np.float32(fraction)).reshape(-(-height // CELL), -1)
    black = black.repeat(CELL, 0).repeat(CELL, 1)[:height, :width]
    return np.where(black[..., None], np.uint8(0), picture)


def sums(left, right):
    """Products of 8 by 8 matrices, summed from the first to the last: `@` has an order of its own."""
    result = left[..., :, 0, None] * right[..., None, 0, :]
    for k in range(1, 8):
        result = result + left[..., :, k, None] * right[..., None, k, :]
    return result


def bitrate(picture, step):
    height, width, _ = picture.shape
    pad = ((0, -height % 16), (0, -width % 16), (0, 0))
    r, g, b = np.moveaxis(np.pad(picture, pad, mode="edge").astype(np.float32), -1, 0)
    f = np.float32
    y = f(0.299) * r + f(0.587) * g + f(0.114) * b
    cb, cr = (b - y) * f(0.564), (r - y) * f(0.713)
    u = np.arange(8)
    dct = np.sqrt(np.where(u == 0, 1, 2) / 8)[:, None] * np.cos((2 * u + 1) * u[:, None] * np.pi / 16)
    dct = dct.astype(f)
    steps = (step * (1 + 0.25 * (u[:, None] + u))).astype(f)

    def code(plane, middle):
        rows, columns = plane.shape
        blocks = (plane - middle).reshape(rows // 8, 8, columns // 8, 8).transpose(0, 2, 1, 3)
        multiples = sums(sums(dct, blocks), dct.T) / steps
        coarse = np.trunc(multiples + np.copysign(f(1 / 3), multiples)) * steps
        blocks = sums(sums(dct.T, coarse), dct)
        return blocks.transpose(0, 2, 1, 3).reshape(rows, columns) + middle

    def colour(c):
        c = ((c[0::2, 0::2] + c[0::2, 1::2]) + (c[1::2, 0::2] + c[1::2, 1::2])) / f(4)
        return code(c, f(0)).repeat(2, 0).repeat(2, 1)

    y, cb, cr = code(y, f(128)), colour(cb), colour(cr)
    r, b = y + cr / f(0.713), y + cb / f(0.564)
    g = (y - f(0.299) * r - f(0.114) * b) / f(0.587)
    return q8(np.stack([r, g, b], -1)[:height, :width])


def damage(pictures, kind, severity, seed):
    """A video, damaged."""
    result = []
    for frame, picture in enumerate(pictures):
        bits = draws(seed, kind, frame, picture.size)
        strikes = frame > 0 and uniform(bits[:1])[0] < np.float32(severity)
        if kind == "motion-blur":
            picture = blur(picture, severity, bits)
        elif kind == "noise":
            picture = q8(picture + np.float32(severity) * gauss(bits).reshape(picture.shape))
        elif kind == "occlusion":
            cells = -(-picture.shape[0] // CELL) * -(-picture.shape[1] // CELL)
            picture = occlude(picture, severity, uniform(bits[:cells]))
        elif kind == "drop" and strikes:
            picture = np.zeros_like(picture)
        elif kind == "freeze" and strikes:
            picture = result[-1]
        elif kind == "dark":
            picture = q8(picture * np.float32(severity) + SENSOR * gauss(bits).reshape(picture.shape))
        elif kind == "bitrate":
            picture = bitrate(picture, severity)
        result.append(picture)
    return result


def scene(height, width, frame):
    """A ramp, a chequered square that moves, black and white, and a corner of noise."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([columns * 3, rows * 5, 255 - columns * 2], -1) % 256
    inside = (abs(rows - 12) < 8) & (abs(columns - 20 - 4 * frame) < 9)
    picture[inside] = np.where((rows + columns) // 3 % 2, 240, 30)[inside, None]
    picture[-9:-5, :20], picture[-5:, :20] = 0, 255
    picture[-12:, -16:] = np.random.default_rng(frame).integers(0, 256, (12, 16, 3))
    return picture.astype(np.uint8)


def main():
    out = pathlib.Path(sys.argv[1])
    # Of a size that neither cells nor blocks divide.
    video = [scene(38, 70, frame) for frame in range(3)]
    tensors = {"video": np.stack(video)}
    for kind, severity, frames in [
        ("motion-blur", 9, 3), ("noise", 60, 2), ("dark", 0.3, 2), ("bitrate", 150, 1), ("bitrate", 24, 2),
    ]:
        damaged = damage(video[:frames], kind, severity, 1)
        tensors[f"{kind}:{severity}"] = np.stack(damaged)
    # Of these it is enough to know which cells are black, and which frames are shown.
    white = np.full((130, 250, 3), 255, np.uint8)
    damaged = damage([white] * 4, "occlusion", 0.4, 7)
    tensors["occlusion:0.4"] = np.stack(damaged)[:, ::CELL, ::CELL, 0].copy()
    numbered = [np.full((1, 1, 3), 1 + frame, np.uint8) for frame in range(40)]
    for kind, severity in [("drop", 0.4), ("freeze", 0.8)]:
        damaged = damage(numbered, kind, severity, 7)
        tensors[f"{kind}:{severity}"] = np.array([picture[0, 0, 0] for picture in damaged])
    save_file(tensors, out / "damage.safetensors")


if __name__ == "__main__":
    main()
