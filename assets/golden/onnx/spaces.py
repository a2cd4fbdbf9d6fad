"""Small graphs of operators with units of every kind, for tests of the label analysis.

Needs numpy, onnx and onnxruntime from PyPI. Writes `spaces/NAME.onnx` beside this script, and `open/NAME.onnx` for graphs that leave
lengths of their inputs open: weights are random with seed 0. Each graph is checked by onnx and run by onnxruntime at two batch sizes,
and two lengths, before it is written.

    python assets/golden/onnx/spaces.py
"""

import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent


class Graph:
    """A graph under construction, each value a name."""

    def __init__(self, shape, opset=17, **others):
        self.random = np.random.default_rng(0)
        self.shape, self.others, self.opset, self.nodes, self.constants = shape, others, opset, [], []

    def __call__(self, kind, *inputs, outputs=1, **attributes):
        at = len(self.nodes)
        names = [f"v{at}" if outputs == 1 else f"v{at}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind.lower()}{at}", **attributes))
        return names[0] if outputs == 1 else names

    def weights(self, *shape, scale=None):
        fan = int(np.prod(shape[1:])) or 1
        values = self.random.normal(size=shape) * (scale or fan**-0.5)
        return self.constant(values.astype(np.float32))

    def constant(self, values):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def conv(self, x, channels, outputs, size=1, bias=True, **attributes):
        groups = attributes.get("group", 1)
        pads = [size // 2] * 4
        inputs = [x, self.weights(outputs, channels // groups, size, size)]
        if bias:
            inputs.append(self.weights(outputs, scale=0.3))
        return self("Conv", *inputs, kernel_shape=[size, size], pads=pads, **attributes)

    def linear(self, x, width, outputs):
        return self("Add", self("MatMul", x, self.weights(width, outputs, scale=width**-0.5)), self.weights(outputs, scale=0.3))

    def classify(self, x, channels):
        pooled = self("Flatten", self("GlobalAveragePool", x))
        return self("Gemm", pooled, self.weights(5, channels), self.weights(5, scale=0.3), transB=1)

    def write(self, name, output):
        self.nodes[-1].output[0] = "logits"
        assert output == f"v{len(self.nodes) - 1}", "the last node gives the output"
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
        inputs = [value("input", self.shape), *(value(name, shape) for name, shape in self.others.items())]
        graph = helper.make_graph(self.nodes, name, inputs, [value("logits", [5])], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for batch, length in ((1, 8), (3, 12)):
            sized = lambda shape: [length if isinstance(axis, str) else axis for axis in shape]
            draw = lambda shape: self.random.normal(size=(batch, *sized(shape))).astype(np.float32)
            feeds = {"input": draw(self.shape), **{name: draw(shape) for name, shape in self.others.items()}}
            logits = session.run(None, feeds)[0]
            assert logits.shape == (batch, 5) and np.isfinite(logits).all(), name
        is_open = any(isinstance(axis, str) for shape in (self.shape, *self.others.values()) for axis in shape)
        onnx.save(model, FOLDER / ("open" if is_open else "spaces") / f"{name}.onnx")


def gated():
    """Inverted residuals with depthwise convolutions and squeeze-and-excitation."""
    g = Graph([3, 8, 8])
    x = g("HardSwish", g.conv("input", 3, 8, 3))
    h = g("Clip", g.conv(x, 8, 12), g.constant(np.float32(0)), g.constant(np.float32(6)))
    h = g("HardSwish", g.conv(h, 12, 12, 3, group=12))
    gate = g("Relu", g.conv(g("GlobalAveragePool", h), 12, 6))
    h = g("Mul", h, g("HardSigmoid", g.conv(gate, 6, 12)))
    x = g("Add", x, g.conv(h, 12, 8))
    g.write("gated", g.classify(x, 8))


def shuffled():
    """Split, two branches, concatenation and a shuffle of channels; then groups."""
    g = Graph([3, 8, 8])
    x = g("Relu", g.conv("input", 3, 16, 3))
    for _ in range(2):
        a, b = g("Split", x, g.ints(8, 8), outputs=2, axis=1)
        b = g("Relu", g.conv(b, 8, 8))
        x = g("Concat", a, b, axis=1)
        x = g("Reshape", x, g.ints(0, 2, 8, 8, 8))
        x = g("Reshape", g("Transpose", x, perm=[0, 2, 1, 3, 4]), g.ints(0, 16, 8, 8))
    x = g("Sigmoid", g.conv(x, 16, 16, 3, group=4))
    g.write("shuffled", g.classify(x, 16))


def padded():
    """A residual network with shortcuts of option A: every other place, channels padded with zeros."""
    g = Graph([3, 8, 8])
    x = g("Relu", g.conv("input", 3, 4, 3))
    h = g("Relu", g.conv(x, 4, 8, 3, strides=[2, 2]))
    h = g.conv(h, 8, 8, 3)
    short = g("Slice", x, g.ints(0, 0), g.ints(2**31, 2**31), g.ints(2, 3), g.ints(2, 2))
    short = g("Pad", short, g.ints(0, 2, 0, 0, 0, 2, 0, 0))
    x = g("Relu", g("Add", h, short))
    g.write("padded", g.classify(x, 8))


def attention():
    """A transformer block whose queries, keys and values come from one layer, sizes computed from shapes."""
    g = Graph([6, 10])
    x = g("Add", g.linear("input", 10, 12), g.weights(1, 6, 12, scale=0.3))
    n = g("LayerNormalization", x, g.weights(12, scale=1.0), g.weights(12, scale=0.3), axis=-1)
    qkv = g.linear(n, 12, 36)
    batch = g("Gather", g("Shape", qkv), g.ints(0), axis=0)
    qkv = g("Reshape", qkv, g("Concat", batch, g.ints(6), g.ints(3), g.ints(2), g.ints(6), axis=0))
    qkv = g("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (g("Gather", qkv, g.constant(np.int64(i)), axis=0) for i in range(3))
    weights = g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    o = g("Transpose", g("MatMul", weights, v), perm=[0, 2, 1, 3])
    o = g("Reshape", o, g("Concat", batch, g.ints(6), g.ints(12), axis=0))
    x = g("Add", x, g.linear(o, 12, 12))
    h = g.linear(x, 12, 16)
    half = g.constant(np.float32(0.5))
    gelu = g("Mul", g("Mul", h, half), g("Add", g("Erf", g("Mul", h, g.constant(np.float32(0.5**0.5)))), g.constant(np.float32(1))))
    x = g("Add", x, g.linear(gelu, 16, 12))
    x = g("ReduceMean", x, axes=[1], keepdims=0)
    g.write("attention", g("Gemm", x, g.weights(5, 12), transB=1))


def normed():
    """A residual stream that is read behind layer norms alone: two blocks of two layers, a token of its own."""
    g = Graph([6, 10])
    count = g("Gather", g("Shape", "input"), g.ints(0), axis=0)
    token = g("Expand", g.weights(1, 1, 24, scale=0.3), g("Concat", count, g.ints(1, 1), axis=0))
    x = g("Add", g("Concat", token, g.linear("input", 10, 24), axis=1), g.weights(1, 7, 24, scale=0.3))
    for _ in range(2):
        n = g("LayerNormalization", x, g.weights(24, scale=1.0), g.weights(24, scale=0.3), axis=-1)
        x = g("Add", x, g.linear(g("Tanh", g.linear(n, 24, 20)), 20, 24))
    x = g("LayerNormalization", x, g.weights(24, scale=1.0), g.weights(24, scale=0.3), axis=-1)
    x = g("Gather", x, g.constant(np.int64(0)), axis=1)
    g.write("normed", g("Gemm", x, g.weights(5, 24), g.weights(5, scale=0.3), transB=1))


def crossed():
    """Units that look like coordinates and are none: a mean over them, a number added to all, their reciprocal; queries and keys
    whose biases come in the other order."""
    g = Graph([6, 10], opset=18)
    h = g.linear("input", 10, 12)
    q, k = g("MatMul", h, g.weights(12, 8)), g("MatMul", h, g.weights(12, 8))
    k, q = g("Add", k, g.weights(8, scale=0.3)), g("Add", q, g.weights(8, scale=0.3))
    weights = g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 2, 1])), axis=-1)
    o = g.linear(g("MatMul", weights, g.linear(h, 12, 8)), 8, 12)
    x = g.linear(g("Tanh", o), 12, 10)
    x = g("Add", g.linear(x, 10, 14), g("ReduceMean", x, g.ints(2)))
    y = g("Add", g.linear(g("Tanh", x), 14, 9), g.constant(np.float32(7)))
    y = g("ReduceMean", g.linear(g("Div", g.constant(np.float32(5)), y), 9, 8), g.ints(1), keepdims=0)
    g.write("crossed", g("Gemm", g("Tanh", y), g.weights(5, 8), g.weights(5, scale=0.3), transB=1))


def separate():
    """Two attentions of four heads: one with layers of their own for queries, keys and values and a table of biases for each
    head, and one whose heads are weighed against each other."""
    g = Graph([6, 10])
    heads = lambda x: g("Transpose", g("Reshape", g.linear(x, 12, 16), g.ints(0, 0, 4, 4)), perm=[0, 2, 1, 3])
    x = g.linear("input", 10, 12)
    for axis in (-1, 1):
        q, k, v = heads(x), heads(x), heads(x)
        weights = g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2]))
        if axis == -1:
            weights = g("Add", weights, g.weights(1, 4, 6, 6, scale=0.5))
        o = g("Transpose", g("MatMul", g("Softmax", weights, axis=axis), v), perm=[0, 2, 1, 3])
        x = g("Add", x, g.linear(g("Reshape", o, g.ints(0, 0, 16)), 16, 12))
    g.write("separate", g("Gemm", g("ReduceMean", x, axes=[1], keepdims=0), g.weights(5, 12), transB=1))


def shared():
    """Four heads that share keys and values in pairs, turned by places; then an attention as `torch.nn.MultiheadAttention` writes it,
    batch and heads on one axis."""
    g = Graph([6, 10])
    table = lambda *shape: g.constant(g.random.normal(size=shape).astype(np.float32))
    cosine, sine = table(1, 1, 6, 4), table(1, 1, 6, 4)

    def turned(x):
        a, b = (g("Slice", x, g.ints(first), g.ints(first + 2), g.ints(3)) for first in (0, 2))
        return g("Add", g("Mul", x, cosine), g("Mul", g("Concat", g("Neg", b), a, axis=3), sine))

    def heads(x, count):
        return g("Transpose", g("Reshape", g.linear(x, 12, 4 * count), g.ints(0, 0, count, 4)), perm=[0, 2, 1, 3])

    def repeated(x):
        return g("Reshape", g("Expand", g("Unsqueeze", x, g.ints(2)), g.ints(1, 2, 2, 6, 4)), g.ints(0, 4, 6, 4))

    x = g.linear("input", 10, 12)
    q, k, v = turned(heads(x, 4)), repeated(turned(heads(x, 2))), repeated(heads(x, 2))
    weights = g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    o = g("Transpose", g("MatMul", weights, v), perm=[0, 2, 1, 3])
    x = g("Add", x, g.linear(g("Reshape", o, g.ints(0, 0, 16)), 16, 12))

    qkv = g("Reshape", g.linear(g("Transpose", x, perm=[1, 0, 2]), 12, 36), g.ints(6, -1, 3, 12))
    qkv = g("Squeeze", g("Transpose", g("Unsqueeze", qkv, g.ints(0)), perm=[3, 1, 2, 0, 4]), g.ints(3))
    parts = (g("Gather", qkv, g.constant(np.int64(i)), axis=0) for i in range(3))
    q, k, v = (g("Transpose", g("Reshape", part, g.ints(6, -1, 3)), perm=[1, 0, 2]) for part in parts)
    weights = g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 2, 1])), axis=-1)
    o = g("Reshape", g("Transpose", g("MatMul", weights, v), perm=[1, 0, 2]), g.ints(-1, 12))
    o = g("Reshape", g("Gemm", o, g.weights(12, 12), g.weights(12), transB=1), g.ints(6, -1, 12))
    x = g("Add", x, g("Transpose", o, perm=[1, 0, 2]))
    g.write("shared", g("Gemm", g("ReduceMean", x, axes=[1], keepdims=0), g.weights(5, 12), transB=1))


def mixer():
    """Hidden units of tokens and of channels, each of which leaves the other axis alone."""
    g = Graph([6, 8])
    x = g.linear("input", 8, 10)
    t = g("Transpose", x, perm=[0, 2, 1])
    t = g.linear(g("Tanh", g.linear(t, 6, 14)), 14, 6)
    x = g("Add", x, g("Transpose", t, perm=[0, 2, 1]))
    x = g("Add", x, g.linear(g("Softplus", g.linear(x, 10, 18)), 18, 10))
    g.write("mixer", g("Gemm", g("ReduceMean", x, axes=[1], keepdims=0), g.weights(5, 10), transB=1))


def dense():
    """Concatenations that grow, an activation with a slope for each channel, a flatten."""
    g = Graph([2, 6, 6])
    x = g.conv("input", 2, 6, 3)
    for _ in range(2):
        channels = 6 if x == "v0" else 10
        h = g("PRelu", x, g.weights(channels, 1, 1, scale=0.3))
        x = g("Concat", x, g.conv(h, channels, 4, 3), axis=1)
    x = g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    h = g("Elu", g("Gemm", g("Flatten", x), g.weights(12, 14 * 9), g.weights(12), transB=1))
    g.write("dense", g("Gemm", h, g.weights(5, 12), g.weights(5), transB=1))


def sequence():
    """Convolutions of one axis, with norms written out and as nodes."""
    g = Graph([3, 20])
    conv = lambda x, c, o, s: g("Conv", x, g.weights(o, c, s), g.weights(o, scale=0.3), kernel_shape=[s], pads=[s // 2] * 2)
    x = conv("input", 3, 8, 5)
    norm = [g.constant(v.astype(np.float32)) for v in (g.random.uniform(0.5, 1.5, 8), *g.random.normal(size=(2, 8)), np.ones(8))]
    x = g("Relu", g("BatchNormalization", x, *norm))
    h = g("Mul", conv(x, 8, 12, 3), g("Sigmoid", conv(x, 8, 12, 1)))
    x = g("Sub", x, conv(h, 12, 8, 1))
    pooled = g("ReduceMax", x, axes=[2], keepdims=0)
    g.write("sequence", g("Gemm", pooled, g.weights(5, 8), g.weights(5), transB=1))


def quantized():
    """Weights of integers: one scale for each output and for all, with and without a zero point, a bias of 32 bits."""
    g = Graph([3, 8, 8])
    draw = lambda kind, *shape: g.constant(g.random.integers(np.iinfo(kind).min // 2, np.iinfo(kind).max // 2, shape).astype(kind))
    scale = lambda *shape: g.constant(g.random.uniform(0.002, 0.004, shape).astype(np.float32))
    weights = g("DequantizeLinear", draw(np.int8, 8, 3, 3, 3), scale(8), axis=0)
    bias = g("DequantizeLinear", g.constant(g.random.integers(-200, 200, 8).astype(np.int32)), scale(8), axis=0)
    x = g("Relu", g("Conv", "input", weights, bias, kernel_shape=[3, 3], pads=[1] * 4))
    x = g("Flatten", g("GlobalAveragePool", x))
    weights = g("DequantizeLinear", draw(np.uint8, 8, 10), scale(), g.constant(np.uint8(60)))
    x = g("Tanh", g("MatMul", x, weights))
    g.write("quantized", g("Gemm", x, g.weights(5, 10), g.weights(5), transB=1))


def summed():
    """An attention of two heads by `Einsum`, weights among its operands."""
    g = Graph([6, 10])
    einsum = lambda equation, *inputs: g("Einsum", *inputs, equation=equation)
    x = einsum("bnd,de->bne", "input", g.weights(10, 12, scale=0.3))
    heads = lambda x: g("Reshape", g.linear(x, 12, 8), g.ints(0, 0, 2, 4))
    q, k, v = heads(x), heads(x), heads(x)
    weights = g("Softmax", einsum("bihd,bjhd->bhij", q, k), axis=-1)
    o = g("Reshape", einsum("bhij,bjhd->bihd", weights, v), g.ints(0, 0, 8))
    x = g("Add", x, einsum("ed,bne->bnd", g.weights(8, 12, scale=0.3), o))
    g.write("summed", g("Gemm", g("ReduceMean", x, axes=[1], keepdims=0), g.weights(5, 12), transB=1))


def taken():
    """Branches with a constant condition, one in the other, that read what is outside and have constants of their own."""
    g = Graph([10])
    x = g("Relu", g.linear("input", 10, 12))
    info = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    draw = lambda name, *shape: numpy_helper.from_array(g.random.normal(size=shape).astype(np.float32), name)
    node = helper.make_node
    inner = helper.make_graph([node("Tanh", ["h"], ["o"])], "inner", [], [info("o")])
    plain = helper.make_graph([node("Identity", [x], ["p"])], "plain", [], [info("p")])
    yes, no = g.constant(np.array(True)), g.constant(np.array(False))
    body = [node("MatMul", [x, "w"], ["h"]), node("If", [no], ["a"], then_branch=plain, else_branch=inner)]
    outer = helper.make_graph(body, "outer", [], [info("a")], [draw("w", 12, 14)])
    x = g("If", yes, then_branch=outer, else_branch=plain)
    g.write("taken", g("Gemm", x, g.weights(5, 14), g.weights(5), transB=1))


def tokens():
    """Places of an image of any size as tokens: shapes computed from the sizes that there are, and from channels."""
    g = Graph([3, "h", "w"])
    x = g("Relu", g.conv("input", 3, 8, 3, strides=[2, 2]))
    shape = g("Shape", x)
    batch, channels = (g("Gather", shape, g.ints(i), axis=0) for i in range(2))
    x = g("Transpose", g("Reshape", x, g("Concat", batch, channels, g.ints(-1), axis=0)), perm=[0, 2, 1])
    x = g.linear(g("Sigmoid", x), 8, 12)
    x = g("Add", x, g.linear(g("Tanh", g.linear(x, 12, 10)), 10, 12))
    batch, length = (g("Gather", g("Shape", x), g.ints(i), axis=0) for i in range(2))
    heads = lambda x: g("Transpose", g("Reshape", x, g("Concat", batch, length, g.ints(2), g.ints(6), axis=0)), perm=[0, 2, 1, 3])
    q, k, v = (heads(g.linear(x, 12, 12)) for _ in range(3))
    weights = g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    o = g("Transpose", g("MatMul", weights, v), perm=[0, 2, 1, 3])
    x = g("Add", x, g.linear(g("Reshape", o, g("Concat", batch, length, g.ints(12), axis=0)), 12, 12))
    g.write("tokens", g("Gemm", g("ReduceMean", x, axes=[1], keepdims=0), g.weights(5, 12), transB=1))


def pair():
    """Two inputs, one of them a sequence of any length."""
    g = Graph(["t", 6], other=[4])
    x = g("ReduceMax", g("Relu", g.linear("input", 6, 8)), axes=[1], keepdims=0)
    x = g("Add", x, g("Tanh", g.linear("other", 4, 8)))
    g.write("pair", g("Gemm", x, g.weights(5, 8), g.weights(5), transB=1))


if __name__ == "__main__":
    (FOLDER / "spaces").mkdir(exist_ok=True)
    (FOLDER / "open").mkdir(exist_ok=True)
    for make in (gated, shuffled, padded, attention, normed, crossed, separate, shared, mixer, dense, sequence, quantized, summed, taken, tokens, pair):
        make()
        print(make.__name__)
