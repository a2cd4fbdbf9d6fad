"""Runs a small convolutional network in float64 loops and writes convnet.json: weights, inputs and logits.

An independent witness of the forward pass: every output is a sum over the entries of its window, written out. The network

    conv1 (stride 1 x 2, padding, dilation) - norm1 - relu - pool (max, 2 x 2, rounded up) ->
        left  = conv2 (two groups) - norm2,  right = conv3 (1 x 1),  sum = relu(left + right)
        mean  = average pool of the sum, zeros of the padding counted
        joined = [sum, mean] along channels - conv4 (1 x 1) - leaky relu - global average - flatten - fc

    pip install numpy && python convnet.py
"""

import json
import pathlib

import numpy

RANDOM = numpy.random.default_rng(5)


def drawn(*shape):
    """Values that are exact in f32."""
    return RANDOM.integers(-64, 65, shape) / 64


def windows(image, kernel, stride, padding, dilation, places):
    """Yields each place with the entries of its window that lie inside the image, as (entry, pixel) pairs."""
    top, left = padding[:2]
    height, width = image.shape[1:]
    for y in range(places[0]):
        for x in range(places[1]):
            inside = []
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    row, column = y * stride[0] + i * dilation[0] - top, x * stride[1] + j * dilation[1] - left
                    if 0 <= row < height and 0 <= column < width:
                        inside.append(((i, j), (row, column)))
            yield (y, x), inside


def size(image, kernel, stride, padding, dilation, up=False):
    found = []
    for axis in range(2):
        room = image.shape[1 + axis] + padding[axis] + padding[axis + 2] - dilation[axis] * (kernel[axis] - 1) - 1
        found.append((-(-room // stride[axis]) if up else room // stride[axis]) + 1)
    return found


def convolve(image, weight, bias, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    places = size(image, weight.shape[2:], stride, padding, dilation)
    out = numpy.zeros((len(weight), *places))
    inputs, outputs = len(image) // groups, len(weight) // groups
    for o in range(len(weight)):
        for (y, x), inside in windows(image, weight.shape[2:], stride, padding, dilation, places):
            total = bias[o]
            for (i, j), (row, column) in inside:
                for c in range(inputs):
                    total += weight[o, c, i, j] * image[o // outputs * inputs + c, row, column]
            out[o, y, x] = total
    return out


def normalise(image, scale, bias, mean, var, epsilon):
    out = numpy.empty_like(image)
    for c in range(len(image)):
        out[c] = scale[c] * (image[c] - mean[c]) / numpy.sqrt(var[c] + epsilon) + bias[c]
    return out


def pool(image, kernel, stride, padding, places, fold):
    out = numpy.zeros((len(image), *places))
    for c in range(len(image)):
        for (y, x), inside in windows(image, kernel, stride, padding, (1, 1), places):
            out[c, y, x] = fold([image[c, row, column] for _, (row, column) in inside])
    return out


def norm(channels):
    return {"scale": drawn(channels), "bias": drawn(channels), "mean": drawn(channels), "var": 0.5 + abs(drawn(channels))}


weights = {
    "conv1": {"weight": drawn(6, 2, 3, 2), "bias": drawn(6)},
    "norm1": norm(6),
    "conv2": {"weight": drawn(4, 3, 3, 3), "bias": drawn(4)},
    "norm2": norm(4),
    "conv3": {"weight": drawn(4, 6, 1, 1), "bias": drawn(4)},
    "conv4": {"weight": drawn(5, 8, 1, 1), "bias": drawn(5)},
    "fc": {"weight": drawn(3, 5), "bias": drawn(3)},
}
EPSILON = 1e-3
inputs = drawn(3, 2, 9, 11)
logits = []
for image in inputs:
    one = weights["conv1"]
    x = convolve(image, one["weight"], one["bias"], (1, 2), (1, 0, 1, 2), (1, 2))
    x = numpy.maximum(normalise(x, **weights["norm1"], epsilon=EPSILON), 0)
    x = pool(x, (2, 2), (2, 2), (0, 0), size(x, (2, 2), (2, 2), (0, 0, 0, 0), (1, 1), up=True), max)
    left = convolve(x, weights["conv2"]["weight"], weights["conv2"]["bias"], (1, 1), (1, 1, 1, 1), groups=2)
    left = normalise(left, **weights["norm2"], epsilon=EPSILON)
    right = convolve(x, weights["conv3"]["weight"], weights["conv3"]["bias"])
    total = numpy.maximum(left + right, 0)
    mean = pool(total, (3, 3), (1, 1), (1, 1), total.shape[1:], lambda inside: sum(inside) / 9)
    joined = numpy.concatenate([total, mean])
    # Only a projection has negative entries for the leaky rectifier.
    joined = convolve(joined, weights["conv4"]["weight"], weights["conv4"]["bias"])
    joined = numpy.where(joined > 0, joined, 0.125 * joined)
    flat = joined.mean(axis=(1, 2))
    logits.append((weights["fc"]["weight"] @ flat + weights["fc"]["bias"]).tolist())

text = {
    "epsilon": EPSILON,
    "weights": {node: {key: {"shape": list(v.shape), "values": v.ravel().tolist()} for key, v in of.items()} for node, of in weights.items()},
    "inputs": inputs.reshape(len(inputs), -1).tolist(),
    "logits": logits,
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(text) + "\n")
