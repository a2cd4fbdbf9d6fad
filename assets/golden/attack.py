"""Projected gradient ascent in the largest norm on a small head, by the automatic gradients of torch in f64.

Points are looked at after every eighth of the steps; the first one of another class is the result, or else the last.
Writes attack.json beside this file.
"""

import json
import pathlib

import torch

torch.manual_seed(4)
# Few bits, so that every program reads the same numbers; small, so that no softmax is so sure that its slopes are rounding.
draw = lambda *shape: torch.round(torch.randn(*shape, dtype=torch.float64) * 24) / 64
layers = [(draw(16, 12), draw(16)), (draw(10, 16), draw(10)), (draw(4, 10), draw(4))]
inputs = torch.round(torch.rand(24, 12, dtype=torch.float64) * 64) / 64


def logits(x):
    for at, (w, b) in enumerate(layers):
        x = torch.nn.functional.linear(x, w, b)
        x = x if at + 1 == len(layers) else torch.relu(x)
    return x


labels = logits(inputs).argmax(1)


def attack(epsilon, length, steps):
    eta = torch.zeros_like(inputs)
    low, high = (-inputs).clamp(min=-epsilon), (1 - inputs).clamp(max=epsilon)
    found, result = torch.zeros(len(inputs), dtype=torch.bool), torch.zeros_like(inputs)
    every = -(-steps // 8)
    for step in range(1, steps + 1):
        x = (inputs + eta).requires_grad_()
        torch.nn.functional.cross_entropy(logits(x), labels).backward()
        eta = torch.maximum(torch.minimum(eta + length * x.grad.sign(), high), low)
        if step % every == 0 or step == steps:
            new = (logits(inputs + eta).argmax(1) != labels) & ~found
            result[new], found = eta[new], found | new
    result[~found] = eta[~found]
    return {"epsilon": epsilon, "length": length, "steps": steps, "found": found.tolist(), "inputs": (inputs + result).tolist()}


golden = {
    "layers": [{"weight": w.tolist(), "bias": b.tolist()} for w, b in layers],
    "inputs": inputs.tolist(),
    "labels": labels.tolist(),
    "attacks": [attack(0.0625, 0.0625, 1), attack(0.0625, 0.015625, 20), attack(0.03125, 0.00390625, 12)],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
for one in golden["attacks"]:
    print(one["epsilon"], one["steps"], sum(one["found"]), "of", len(inputs))
