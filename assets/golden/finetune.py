"""Gradients of the cross-entropy of a small head, and three full steps of Adam and of gradient descent with momentum, in numpy.

Zero weights, and the bias of the hidden neuron without weights, stay as they are. Writes finetune.json beside this file.
"""

import json
import pathlib

import numpy as np

STEPS = 3
RATES = {"adam": 0.01, "sgd": 0.1}

random = np.random.default_rng(6)
# Few bits, so that every program reads the same numbers.
draw = lambda *shape: np.round(random.normal(size=shape) * 64) / 64
layers = [(draw(6, 5), draw(6)), (draw(4, 6), draw(4)), (draw(3, 4), draw(3))]
layers[0][0][1] = 0.0
layers[0][0][2, ::2] = 0.0
layers[0][1][1] = 0.0
layers[1][0][0, 3] = 0.0
inputs, labels = draw(12, 5), random.integers(0, 3, size=12)


def loss_and_gradients(layers):
    signals = [inputs]
    for at, (w, b) in enumerate(layers):
        z = signals[-1] @ w.T + b
        signals.append(z if at + 1 == len(layers) else np.maximum(z, 0.0))
    z = signals.pop()
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(p[rows, labels]).mean()
    d = p.copy()
    d[rows, labels] -= 1.0
    d /= len(labels)
    found = []
    for at in range(len(layers) - 1, -1, -1):
        found.append((d.T @ signals[at], d.sum(0)))
        d = (d @ layers[at][0]) * (signals[at] > 0.0)
    return loss, found[::-1]


def train(kind):
    now = [[w.copy(), b.copy()] for w, b in layers]
    frozen = [[w == 0.0, (w == 0.0).all(1) & (at + 1 < len(layers))] for at, (w, _) in enumerate(layers)]
    memory = [[[np.zeros_like(p), np.zeros_like(p)] for p in layer] for layer in now]
    losses = []
    for t in range(1, STEPS + 1):
        rate = RATES[kind] * 0.5 * (1.0 + np.cos(np.pi * (t - 1) / STEPS))
        loss, slopes = loss_and_gradients(now)
        losses.append(loss)
        for layer, slope, masks, kept in zip(now, slopes, frozen, memory):
            for k in range(2):
                g = np.where(masks[k], 0.0, slope[k])
                if kind == "sgd":
                    kept[k][0] = 0.9 * kept[k][0] + g
                    layer[k] -= rate * kept[k][0]
                else:
                    kept[k][0] = 0.9 * kept[k][0] + 0.1 * g
                    kept[k][1] = 0.999 * kept[k][1] + 0.001 * g * g
                    mean, square = kept[k][0] / (1 - 0.9**t), kept[k][1] / (1 - 0.999**t)
                    layer[k] -= rate * mean / (np.sqrt(square) + 1e-8)
    return {"rate": RATES[kind], "losses": losses, "layers": dump(now)}


def dump(layers):
    return [{"weight": w.tolist(), "bias": b.tolist()} for w, b in layers]


loss, gradients = loss_and_gradients(layers)
golden = {
    "layers": dump(layers),
    "inputs": inputs.tolist(),
    "labels": labels.tolist(),
    "loss": loss,
    "gradients": dump(gradients),
    "steps": STEPS,
    "adam": train("adam"),
    "sgd": train("sgd"),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")
