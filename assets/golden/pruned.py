"""Runs a structurally pruned file in float64 numpy and writes pruned.json: the logits of the first 64 test digits and the
number of correct answers among all 500.

An independent witness that files written by `prune --keep` are usable without tropix. Nothing but numpy is used, not even
to read the files: eight bytes of length, a JSON header, little-endian values. `digits-quarter.safetensors` is what

    tropix prune assets/models/mlp-digits.safetensors -o assets/golden/digits-quarter.safetensors --keep 0.25 --device cpu

writes; another file of linear layers can be given instead, and then its logits are compared with those of pruned.json.

    pip install numpy && python pruned.py [FILE]
"""

import json
import pathlib
import re
import sys

import numpy

GOLDEN = pathlib.Path(__file__).resolve().parent
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


def logits(path, images):
    found = tensors(path)
    order = sorted((name for name in found if name.endswith(".weight")), key=lambda name: int(re.search(r"\d+", name)[0]))
    x = images.astype(float) / 16
    for number, name in enumerate(order):
        x = x @ found[name].astype(float).T + found[name.replace("weight", "bias")].astype(float)
        if number + 1 < len(order):
            x = numpy.maximum(x, 0)
    return x, [list(found[name].shape) for name in order]


data = tensors(GOLDEN.parent / "data/digits/digits-test500.safetensors")
if len(sys.argv) > 1:
    values, shapes = logits(pathlib.Path(sys.argv[1]), data["images"])
    expected = numpy.array(json.loads((GOLDEN / "pruned.json").read_text())["logits"])
    gap = numpy.abs(values[: len(expected)] - expected).max()
    correct = int((values.argmax(1) == data["labels"]).sum())
    print(f"shapes {shapes}, {correct} of {len(values)} correct, largest difference {gap:.2e}")
else:
    values, shapes = logits(GOLDEN / "digits-quarter.safetensors", data["images"])
    correct = int((values.argmax(1) == data["labels"]).sum())
    report = {"shapes": shapes, "correct": correct, "logits": values[:64].round(9).tolist()}
    (GOLDEN / "pruned.json").write_text(json.dumps(report) + "\n")
    print(f"shapes {shapes}, {correct} of {len(values)} correct")
