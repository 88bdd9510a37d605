"""Expected numbers for the detection tests: average precision by pycocotools, the rest by NumPy in f64.

Usage: detection.py OUT_FOLDER
"""

import json
import pathlib
import sys

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

THRESHOLDS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


def draw_frames(random, frames, ignored):
    """Objects and detections; most detections are an object, moved a little."""
    result = []
    for _ in range(frames):
        objects = []
        for _ in range(random.integers(0, 7)):
            x, y = random.uniform(0, 500, 2)
            w, h = random.uniform(20, 140, 2)
            objects.append([x, y, w, h, bool(random.random() < ignored)])
        detections = []
        for x, y, w, h, _ in objects:
            for _ in range(random.integers(0, 3)):
                shift = random.normal(0, 0.12, 4)
                detections.append([
                    x + shift[0] * w, y + shift[1] * h, w * np.exp(shift[2]), h * np.exp(shift[3]),
                    random.integers(1, 40) / 40,
                ])
        for _ in range(random.integers(0, 4)):
            detections.append([*random.uniform(0, 500, 2), *random.uniform(20, 140, 2), random.integers(1, 30) / 40])
        # As f32 and back, so that both sides compute with the same numbers.
        objects = [[*map(float, np.float32(o[:4])), o[4]] for o in objects]
        detections = [[*map(float, np.float32(d[:4])), float(np.float32(d[4]))] for d in detections]
        result.append({"objects": objects, "detections": detections})
    return result


def evaluate(frames):
    """All-point average precision at each threshold.

    The tool samples the precision envelope at recalls of one's choice and takes the mean. Recall
    rises in steps of one over the number of objects, so with a sample within each step the mean is
    the area under the envelope.
    """
    images, annotations, detections = [], [], []
    for number, frame in enumerate(frames, 1):
        images.append({"id": number})
        for x, y, w, h, ignored in frame["objects"]:
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": 1, "bbox": [x, y, w, h],
                "area": w * h, "iscrowd": 0, "ignore": int(ignored),
            })
        for x, y, w, h, score in frame["detections"]:
            detections.append({"image_id": number, "category_id": 1, "bbox": [x, y, w, h], "score": score})
    truth = COCO()
    truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}], "info": {}}
    truth.createIndex()
    run = COCOeval(truth, truth.loadRes(detections), "bbox")
    count = sum(not o[4] for frame in frames for o in frame["objects"])
    # `ignore` is overwritten from `iscrowd` unless it is set after the load.
    prepare = run._prepare

    def keep_ignored():
        prepare()
        for group in run._gts.values():
            for one in group:
                one["ignore"] = one["ignored_here"]

    for annotation in truth.dataset["annotations"]:
        annotation["ignored_here"] = annotation["ignore"]
    run._prepare = keep_ignored
    run.params.iouThrs = np.array(THRESHOLDS)
    run.params.recThrs = (np.arange(count) + 0.5) / count
    run.params.maxDets = [1000]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    run.accumulate()
    precision = run.eval["precision"][:, :, 0, 0, 0]
    return {"objects": int(count), "at": [float(p) for p in precision.mean(axis=1)]}


def losses(random):
    """SSD's loss and the focal loss, in f64, from their formulas."""
    priors, classes = 12, 5
    logits = np.float32(random.normal(0, 2, (priors, classes)))
    codes = np.float32(random.normal(0, 1.5, (priors, 4)))
    targets = np.float32(random.normal(0, 1.5, (priors, 4)))
    labels = np.zeros(priors, int)
    labels[[2, 7]] = [3, 1]
    x = logits.astype(np.float64)
    log_softmax = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    background = -log_softmax[:, 0]
    positive = labels > 0
    order = sorted(np.flatnonzero(~positive), key=lambda i: -background[i])
    d = np.abs(codes.astype(np.float64) - targets)[positive]
    smooth = np.where(d < 1, 0.5 * d * d, d - 0.5).sum()
    result = {
        "logits": logits.tolist(), "codes": codes.tolist(), "targets": targets.tolist(),
        "labels": labels.tolist(), "localization": smooth / positive.sum(),
    }
    for ratio in (3, 10):
        chosen = sorted(order[: ratio * positive.sum()])
        picked = np.concatenate([np.flatnonzero(positive), chosen])
        total = -log_softmax[picked, labels[picked]].sum()
        result[f"cross_entropy_{ratio}"] = total / positive.sum()
        result[f"negatives_{ratio}"] = [int(i) for i in chosen]
    one_hot = np.zeros_like(x)
    one_hot[positive, labels[positive]] = 1
    p = 1 / (1 + np.exp(-x))
    right = np.where(one_hot == 1, p, 1 - p)
    alpha = np.where(one_hot == 1, 0.25, 0.75)
    result["focal"] = (alpha * (1 - right) ** 2 * -np.log(right)).sum() / positive.sum()
    return result


def main():
    out = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(7)
    cases = [draw_frames(random, frames, ignored) for frames, ignored in [(1, 0), (12, 0), (40, 0), (30, 0.3)]]
    cases = [{"frames": frames, "expected": evaluate(frames)} for frames in cases]
    (out / "average_precision.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    (out / "losses.json").write_text(json.dumps(losses(random), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
