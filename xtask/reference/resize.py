"""Pictures resized by OpenCV, for the tests of `Picture::resize`.

Usage: resize.py OUT_FOLDER
"""

import json
import pathlib
import sys

import cv2
import numpy as np


def main():
    out = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(11)
    cases = []
    for width, height, to_width, to_height in [
        (16, 12, 7, 5), (64, 48, 30, 30), (9, 7, 20, 16), (1, 1, 4, 3), (5, 1, 3, 4), (32, 4, 32, 9),
    ]:
        picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        resized = cv2.resize(picture, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
        cases.append({
            "from": [width, height], "pixels": picture.ravel().tolist(),
            "to": [to_width, to_height], "resized": resized.ravel().tolist(),
        })
    (out / "resize.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
