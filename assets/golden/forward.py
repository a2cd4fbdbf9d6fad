"""Runs mlp-mnist in float64 numpy and writes forward.json: logits, accuracy, and the tropical-path mask at rate 0.9.

An independent witness of the forward pass and of the default pruning score. Nothing but numpy is used, not even to read
the files. The score of a weight is

    |W_l[i, j]| in_l[j] out_l[i],   in_0 = 1,  in_{l+1}^2 = 1/2 (W_l^2 in_l^2 + b_l^2),
                                    out_L = 1, out_l^2 = 1/2 (W_{l+1}^2)' out_{l+1}^2

and one ascending order over all layers (ties: earlier layer, lower row-major index) gives the weights to remove.

    pip install numpy && python forward.py
"""

import json
import pathlib

import numpy

ASSETS = pathlib.Path(__file__).resolve().parent.parent
RATE = 0.9
TYPES = {"F32": "<f4", "U8": "u1"}


def tensors(path):
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        first, end = (8 + length + offset for offset in entry["data_offsets"])
        found[name] = numpy.frombuffer(raw[first:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


def forward(x, layers):
    for number, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        if number + 1 < len(layers):
            x = numpy.maximum(x, 0)
    return x


def path_scores(layers):
    incoming = [numpy.ones(layers[0][0].shape[1])]
    for weight, bias in layers[:-1]:
        incoming.append(0.5 * (weight**2 @ incoming[-1] + bias**2))
    outgoing = [numpy.ones(layers[-1][0].shape[0])]
    for weight, _ in reversed(layers[1:]):
        outgoing.insert(0, 0.5 * (weight**2).T @ outgoing[0])
    scores = []
    for (weight, _), before, after in zip(layers, incoming, outgoing):
        scores.append(abs(weight) * numpy.sqrt(before) * numpy.sqrt(after)[:, None])
    return scores


def main():
    model = tensors(ASSETS / "models/mlp-mnist.safetensors")
    data = tensors(ASSETS / "data/mnist/mnist-test2000.safetensors")
    names = ["classifier.0", "classifier.2", "classifier.4"]
    layers = [
        (model[f"{name}.weight"].astype(numpy.float64), model[f"{name}.bias"].astype(numpy.float64)) for name in names
    ]
    images = data["images"].reshape(len(data["images"]), -1) / 255.0
    labels = data["labels"]
    logits = forward(images, layers)

    scores = path_scores(layers)
    flat = numpy.concatenate([score.ravel() for score in scores])
    removed = round(RATE * len(flat))
    order = numpy.argsort(flat, kind="stable")
    keep = numpy.ones(len(flat), dtype=bool)
    keep[order[:removed]] = False
    cutoff = flat[order[removed]]
    masks, start = [], 0
    for score in scores:
        masks.append(keep[start : start + score.size].reshape(score.shape))
        start += score.size
    pruned = [(weight * mask, bias) for (weight, bias), mask in zip(layers, masks)]
    after = forward(images, pruned)

    rows = []
    for layer, (mask, score) in enumerate(zip(masks, scores)):
        for row in [0, 1, mask.shape[0] - 1]:
            near = numpy.flatnonzero(abs(score[row] - cutoff) <= 1e-5 * cutoff)
            kept = numpy.flatnonzero(mask[row])
            rows.append({"layer": layer, "row": row, "kept": kept.tolist(), "near_the_cut": near.tolist()})
    found = {
        "source": "forward.py",
        "model": "models/mlp-mnist.safetensors",
        "data": "data/mnist/mnist-test2000.safetensors",
        "logits": [[float(f"{value:.12e}") for value in row] for row in logits[:20]],
        "pruned_logits": [[float(f"{value:.12e}") for value in row] for row in after[:20]],
        "samples": len(labels),
        "correct": int((logits.argmax(axis=1) == labels).sum()),
        "pruned_correct": int((after.argmax(axis=1) == labels).sum()),
        "agreement": int((logits.argmax(axis=1) == after.argmax(axis=1)).sum()),
        "rate": RATE,
        "removed": removed,
        "kept_per_layer": [int(mask.sum()) for mask in masks],
        "cutoff": float(cutoff),
        "weights_within_1e-5_of_the_cutoff": int((abs(flat - cutoff) <= 1e-5 * cutoff).sum()),
        "rows": rows,
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    lines = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in found.items())
    path.write_text("{\n" + lines + "\n}\n")
    print({key: value for key, value in found.items() if key not in ("logits", "pruned_logits", "rows")})


main()
