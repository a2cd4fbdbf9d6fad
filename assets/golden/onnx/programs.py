"""Writes the graphs of the folder `programs`: operators between layers of any kind, with the outputs of onnxruntime.

    pip install numpy onnx onnxruntime
    python assets/golden/onnx/programs.py                                  # writes the folder
    python assets/golden/onnx/programs.py --random 500 FOLDER              # random shapes, attributes and operator sets

Each graph has one input of two samples and one output of any shape. What a graph computes on a backend has to be what
onnxruntime computed: `tests/formats/programs.rs` compares them; with `TROPIX_PROGRAMS=FOLDER` it takes another folder.
"""

import argparse
import json
import pathlib
import random

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "programs"
SAMPLES = 2


class Graph:
    """Nodes of one case, each value a name."""

    def __init__(self, shape, opset, seed):
        self.shape, self.opset, self.random = shape, opset, np.random.default_rng(seed)
        self.nodes, self.tensors = [], []

    def __call__(self, kind, *inputs, outputs=1, domain="", **attributes):
        at = len(self.nodes)
        names = [f"v{at}" if outputs == 1 else f"v{at}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"n{at}", domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def tensor(self, values):
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def w(self, *shape, low=-1.0, high=1.0):
        return self.tensor(np.round(self.random.uniform(low, high, shape), 3).astype(np.float32))

    def ints(self, *values):
        return self.tensor(np.array(values, np.int64))

    def f(self, value):
        return self.tensor(np.array(value, np.float32))

    def axes(self, kind, x, axes, since, **attributes):
        """A node whose axes became an input."""
        if self.opset >= since:
            return self(kind, x, self.ints(*axes), **attributes)
        return self(kind, x, axes=axes, **attributes)

    def model(self, output, rank=None):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *self.shape])
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, None if rank is None else [None] * rank)
        graph = helper.make_graph(self.nodes, "case", [x], [y], self.tensors)
        domains = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)


IMAGE, LINE, SEQUENCE, VOLUME = (4, 6, 5), (4, 9), (5, 6), (2, 4, 5, 3)
CASES = {}


def case(name, shape, build, opsets=(17,)):
    for opset in opsets:
        CASES[f"{name}-{opset}"] = (shape, opset, build)


def conv(g, x, channels, outputs, *kernel, **attributes):
    groups = attributes.get("group", 1)
    return g("Conv", x, g.w(outputs, channels // groups, *kernel), g.w(outputs), kernel_shape=kernel, **attributes)


# Contractions.
case("conv1d", LINE, lambda g: conv(g, "x", 4, 6, 3, pads=[1, 2], strides=[2], dilations=[2]))
case("conv1d_depthwise", LINE, lambda g: conv(g, "x", 4, 8, 3, group=4))
case("conv2d", IMAGE, lambda g: conv(g, "x", 4, 6, 3, 2, pads=[1, 0, 2, 1], strides=[2, 1]))
case("conv2d_grouped", IMAGE, lambda g: conv(g, "x", 4, 6, 3, 3, group=2, pads=[1] * 4))
case("conv2d_same", IMAGE, lambda g: conv(g, "x", 4, 3, 2, 4, auto_pad="SAME_UPPER", strides=[2, 2]))
case("conv2d_same_lower", IMAGE, lambda g: conv(g, "x", 4, 3, 4, 2, auto_pad="SAME_LOWER", strides=[1, 2]))
case("conv3d", VOLUME, lambda g: conv(g, "x", 2, 3, 2, 3, 2, pads=[1, 0, 1, 0, 1, 0], strides=[1, 2, 1]))
case("conv3d_grouped", VOLUME, lambda g: conv(g, "x", 2, 4, 2, 2, 2, group=2))
case("conv_transpose", IMAGE, lambda g: g("ConvTranspose", "x", g.w(4, 3, 3, 2), g.w(3), strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0]))
case("conv_transpose_grouped", IMAGE, lambda g: g("ConvTranspose", "x", g.w(4, 2, 2, 2), group=2, strides=[2, 2], dilations=[1, 2]))
case("conv_transpose1d", LINE, lambda g: g("ConvTranspose", "x", g.w(4, 2, 4), g.w(2), strides=[3]))
case("gemm_factors", (7,), lambda g: g("Gemm", "x", g.w(7, 4), g.w(1, 4), alpha=0.5, beta=2.0))
case("gemm_turned", (7,), lambda g: g("Gemm", "x", g.w(4, 7), g.w(4), transB=1))
case("matmul", SEQUENCE, lambda g: g("Add", g("MatMul", "x", g.w(6, 7)), g.w(7)))
case("matmul_left", SEQUENCE, lambda g: g("MatMul", g.w(3, 5), "x"))
case("matmul_batched_weights", (3, 4, 5), lambda g: g("MatMul", "x", g.w(3, 5, 2)))
case("matmul_batched_weights_left", (3, 4, 5), lambda g: g("MatMul", g.w(3, 2, 4), "x"))
case("matmul_self", SEQUENCE, lambda g: g("MatMul", "x", g("Transpose", "x", perm=[0, 2, 1])))
case("matmul_square", (4, 4), lambda g: g("MatMul", "x", "x"))


def attention(g, width=6, heads=2):
    parts = [g("Add", g("MatMul", "x", g.w(width, width)), g.w(width)) for _ in range(3)]
    split = [g("Reshape", part, g.ints(0, 0, heads, width // heads)) for part in parts]
    q, k, v = [g("Transpose", part, perm=perm) for part, perm in zip(split, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))]
    scores = g("Softmax", g("Mul", g("MatMul", q, k), g.f(0.577)), axis=-1)
    mixed = g("Reshape", g("Transpose", g("MatMul", scores, v), perm=[0, 2, 1, 3]), g.ints(0, 0, width))
    return g("Add", "x", g("MatMul", mixed, g.w(width, width)))


case("attention", SEQUENCE, attention)


def windows(g):
    """Windows of an image as samples of their own, as shifted-window attention makes them."""
    x = g("Transpose", "x", perm=[0, 2, 3, 1])
    x = g("Transpose", g("Reshape", x, g.ints(-1, 2, 2, 2, 3, 4)), perm=[0, 1, 3, 2, 4, 5])
    x = g("Reshape", x, g.ints(-1, 6, 4))
    x = g("Softmax", g("MatMul", x, g("Transpose", x, perm=[0, 2, 1])), axis=-1)
    return g("Reshape", x, g.ints(-1, 4, 6, 6))


case("windows", (4, 4, 6), windows)


def token(g):
    """A token before the others, of which only that one is looked at."""
    count = g("Gather", g("Shape", "x"), g.tensor(np.array(0, np.int64)))
    shape = g("Concat", g("Unsqueeze", count, g.ints(0)), g.ints(-1, -1), axis=0)
    expanded = g("Expand", g.w(1, 1, 6), g("Concat", g("Unsqueeze", count, g.ints(0)), g.ints(1, 6), axis=0))
    x = g("Add", g("Concat", expanded, "x", axis=1), g.w(1, 6, 6))
    return g("Gather", x, g.tensor(np.array(0, np.int64)), axis=1)


case("token", SEQUENCE, token)

# Element by element.
for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
    for name, shape in (("scalar", ()), ("channel", (4, 1, 1)), ("last", (5,)), ("place", (6, 5)), ("middle", (6, 1)), ("apart", (4, 1, 5))):
        case(f"{kind.lower()}_{name}", IMAGE, lambda g, kind=kind, shape=shape: g(kind, "x", g.w(*shape, low=0.5, high=1.5)))
    case(f"{kind.lower()}_turned", IMAGE, lambda g, kind=kind: g(kind, g.w(4, 1, 1), g("Exp", "x")))
    case(f"{kind.lower()}_wide", (1, 6, 1), lambda g, kind=kind: g(kind, g.w(4, 1, 5), g("Exp", "x")))
    case(f"{kind.lower()}_pair", IMAGE, lambda g, kind=kind: g(kind, g("ReduceMean", "x", axes=[3], keepdims=1), g("Exp", "x")))
case("sum", IMAGE, lambda g: g("Sum", "x", g.w(4, 1, 1), g("Tanh", "x")))
case("mean", IMAGE, lambda g: g("Mean", "x", g.w(5), g("Tanh", "x")))
case("prelu", IMAGE, lambda g: g("PRelu", "x", g.w(4, 1, 1)))
case("clip", IMAGE, lambda g: g("Clip", "x", g.f(-0.3), g.f(0.5)))
case("clip_above", IMAGE, lambda g: g("Clip", "x", "", g.f(0.5)))
for exponent in (-2.0, -0.5, 0.5, 1.0, 2.0, 3.0, 0.3):
    case(f"pow_{exponent}", IMAGE, lambda g, exponent=exponent: g("Pow", g("Exp", "x"), g.f(exponent)))
case("pow_cube_of_negative", IMAGE, lambda g: g("Pow", "x", g.f(3.0)))
for kind in ("Relu", "Neg", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Erf", "Exp", "Abs", "Selu", "Identity"):
    case(kind.lower(), IMAGE, lambda g, kind=kind: g(kind, "x"))
case("sqrt", IMAGE, lambda g: g("Sqrt", g("Exp", "x")))
case("log", IMAGE, lambda g: g("Log", g("Exp", "x")))
case("reciprocal", IMAGE, lambda g: g("Reciprocal", g("Exp", "x")))
case("mish", IMAGE, lambda g: g("Mish", "x"), (18,))
case("gelu", IMAGE, lambda g: g("Gelu", "x"), (20,))
case("gelu_tanh", IMAGE, lambda g: g("Gelu", "x", approximate="tanh"), (20,))
case("gelu_written_out", IMAGE, lambda g: g("Mul", g("Mul", "x", g("Add", g("Erf", g("Div", "x", g.f(2**0.5))), g.f(1))), g.f(0.5)))
for kind, attributes in (("LeakyRelu", {"alpha": 0.2}), ("HardSigmoid", {"alpha": 0.3}), ("Elu", {"alpha": 0.7}), ("Celu", {"alpha": 1.3})):
    case(kind.lower(), IMAGE, lambda g, kind=kind, attributes=attributes: g(kind, "x", **attributes))
case("quick_gelu", IMAGE, lambda g: g("QuickGelu", "x", domain="com.microsoft", alpha=1.5))
case("bias_gelu", IMAGE, lambda g: g("BiasGelu", "x", g.w(5), domain="com.microsoft"))
case("fast_gelu", IMAGE, lambda g: g("FastGelu", "x", g.w(5), domain="com.microsoft"))

# Moves.
case("transpose", IMAGE, lambda g: g("Transpose", "x", perm=[0, 3, 1, 2]))
case("flatten", IMAGE, lambda g: g("Flatten", "x", axis=1))
case("squeeze", (4, 1, 5), lambda g: g.axes("Squeeze", "x", [2], 13), (11, 17))
case("unsqueeze", IMAGE, lambda g: g.axes("Unsqueeze", "x", [1, -1], 13), (11, 17))
case("slice", IMAGE, lambda g: g("Slice", "x", g.ints(1, -1), g.ints(4, -(2**62)), g.ints(1, 3), g.ints(2, -2)))
case("slice_old", IMAGE, lambda g: g("Slice", "x", starts=[1, 0], ends=[3, 9], axes=[1, 2]), (9,))
case("split", IMAGE, lambda g: g("Mul", *(g("Split", "x", g.ints(1, 2, 1), axis=1, outputs=3)[::2])))
case("split_equal", IMAGE, lambda g: g("Sub", *g("Split", "x", axis=1, outputs=2)))
case("concat_channels", IMAGE, lambda g: g("Concat", "x", g("Neg", "x"), axis=1))
case("concat_rows", IMAGE, lambda g: g("Concat", g("Neg", "x"), "x", axis=2))
case("gather", IMAGE, lambda g: g("Gather", "x", g.tensor(np.array([[3, 0], [-1, 1]], np.int64)), axis=1))
case("gather_one", IMAGE, lambda g: g("Gather", "x", g.tensor(np.array(2, np.int64)), axis=2))
case("expand", (4, 1, 5), lambda g: g("Expand", "x", g.ints(1, 1, 3, 1)))
case("tile", IMAGE, lambda g: g("Tile", "x", g.ints(1, 2, 1, 3)))
case("pad", IMAGE, lambda g: g("Pad", "x", g.ints(0, 1, 0, 2, 0, 0, 3, 1)))
case("pad_value", IMAGE, lambda g: g("Pad", "x", g.ints(0, 0, 1, 2, 0, 0, 3, 1), g.f(0.5)))
case("pad_reflect", IMAGE, lambda g: g("Pad", "x", g.ints(0, 0, 2, 3, 0, 0, 1, 4), mode="reflect"))
case("pad_edge", IMAGE, lambda g: g("Pad", "x", g.ints(0, 0, 2, 0, 0, 0, 0, 3), mode="edge"))
case("pad_axes", IMAGE, lambda g: g("Pad", "x", g.ints(1, 2), "", g.ints(3)), (18,))
case("depth_to_space", IMAGE, lambda g: g("DepthToSpace", "x", blocksize=2))
case("depth_to_space_crd", IMAGE, lambda g: g("DepthToSpace", "x", blocksize=2, mode="CRD"))
case("space_to_depth", (2, 6, 4), lambda g: g("SpaceToDepth", "x", blocksize=2))
case("resize", IMAGE, lambda g: g("Resize", "x", "", g.tensor(np.array([1, 1, 2, 3], np.float32)), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
case("resize_half_pixel", IMAGE, lambda g: g("Resize", "x", "", g.tensor(np.array([1, 1, 3, 2], np.float32)), mode="nearest"))
case("shuffle", IMAGE, lambda g: g("Reshape", g("Transpose", g("Reshape", "x", g.ints(0, 2, 2, 6, 5)), perm=[0, 2, 1, 3, 4]), g.ints(0, 4, 6, 5)))

# Reductions, norms, windows.
for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"):
    for name, axes, keep in (("last", [-1], 1), ("channels", [1], 1), ("places", [2, 3], 0)):
        case(f"{kind.lower()}_{name}", IMAGE, lambda g, kind=kind, axes=axes, keep=keep: g.axes(kind, "x", axes, 18, keepdims=keep), (13, 18))
case("reduce_sum", IMAGE, lambda g: g.axes("ReduceSum", "x", [1, 3], 13, keepdims=0), (11, 13))
for kind in ("Softmax", "LogSoftmax"):
    for axis in (1, 2, -1):
        case(f"{kind.lower()}_{axis}".replace("-", "m"), IMAGE, lambda g, kind=kind, axis=axis: g(kind, "x", axis=axis), (11, 13))
case("batch_norm", IMAGE, lambda g: g("BatchNormalization", "x", g.w(4), g.w(4), g.w(4), g.w(4, low=0.5, high=1.5), epsilon=1e-3))
case("batch_norm_vector", (7,), lambda g: g("BatchNormalization", "x", g.w(7), g.w(7), g.w(7), g.w(7, low=0.5, high=1.5)))
case("layer_norm", SEQUENCE, lambda g: g("LayerNormalization", "x", g.w(6), g.w(6), epsilon=1e-3))
case("layer_norm_two_axes", IMAGE, lambda g: g("LayerNormalization", "x", g.w(6, 5), axis=2))


def written_out(g):
    mean = g("ReduceMean", "x", axes=[-1])
    centred = g("Sub", "x", mean)
    variance = g("ReduceMean", g("Pow", centred, g.f(2.0)), axes=[-1])
    return g("Add", g("Mul", g("Div", centred, g("Sqrt", g("Add", variance, g.f(1e-5)))), g.w(6)), g.w(6))


case("layer_norm_written_out", SEQUENCE, written_out)
case("rms_norm_written_out", SEQUENCE, lambda g: g("Mul", "x", g("Reciprocal", g("Sqrt", g("Add", g("ReduceMean", g("Mul", "x", "x"), axes=[-1]), g.f(1e-5))))))
case("simplified_layer_norm", SEQUENCE, lambda g: g("SimplifiedLayerNormalization", "x", g.w(6), axis=-1, epsilon=1e-4))
case("instance_norm", IMAGE, lambda g: g("InstanceNormalization", "x", g.w(4), g.w(4), epsilon=1e-3))
case("group_norm", IMAGE, lambda g: g("GroupNormalization", "x", g.w(4), g.w(4), num_groups=2, epsilon=1e-3), (21,))
case("lrn", (7, 3, 4), lambda g: g("LRN", "x", size=3, alpha=0.3, beta=0.6, bias=0.8))
case("lrn_five", (7, 3, 4), lambda g: g("LRN", "x", size=5, alpha=0.3))
case("lp_norm", IMAGE, lambda g: g("LpNormalization", "x", axis=1, p=2))
case("global_average", IMAGE, lambda g: g("GlobalAveragePool", "x"))
case("global_max", VOLUME, lambda g: g("GlobalMaxPool", "x"))
for kind in ("MaxPool", "AveragePool"):
    stem = kind.lower()
    case(f"{stem}_1d", LINE, lambda g, kind=kind: g(kind, "x", kernel_shape=[3], strides=[2], pads=[1, 0]))
    case(f"{stem}_2d", IMAGE, lambda g, kind=kind: g(kind, "x", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]))
    case(f"{stem}_2d_ceil", IMAGE, lambda g, kind=kind: g(kind, "x", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1))
    case(f"{stem}_3d", VOLUME, lambda g, kind=kind: g(kind, "x", kernel_shape=[2, 3, 2], strides=[1, 2, 1], pads=[1, 1, 0, 0, 0, 1]))
case("averagepool_counted", IMAGE, lambda g: g("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1))


def wild(seed):
    """A graph of a few random operators."""
    pick = random.Random(seed)
    shape = tuple(pick.randint(2, 5) * (2 if axis == 0 else 1) for axis in range(3))
    g = Graph(shape, pick.choice([14, 15, 17]), seed)
    x, shape = "x", list(shape)
    for _ in range(pick.randint(2, 5)):
        kind = pick.choice(["conv", "depthwise", "act", "pair", "norm", "reduce", "softmax", "move", "pad", "pool", "matmul", "attend", "concat", "slice"])
        c, h, w = shape
        if kind == "conv":
            size, c = pick.randint(1, 3), pick.choice([2, 4, 6])
            x = conv(g, x, shape[0], c, size, size, pads=[size // 2, size // 2, size - 1, size - 1])
            shape = [c, h + size // 2 + size - 1 - size + 1, w + size // 2 + size - 1 - size + 1]
        elif kind == "depthwise":
            x = conv(g, x, c, c, 3, 3, group=c, pads=[1] * 4)
        elif kind == "act":
            x = g(pick.choice(["Relu", "Tanh", "Sigmoid", "HardSwish", "Softplus", "Erf"]), x)
        elif kind == "pair":
            other = pick.choice([(c, 1, 1), (1, h, w), (w,), (c, 1, w), (1, h, 1), ()])
            x = g(pick.choice(["Add", "Sub", "Mul", "Max", "Div"]), *((x, g.w(*other, low=0.5, high=1.5))))
        elif kind == "norm":
            x = pick.choice([
                lambda: g("InstanceNormalization", x, g.w(c), g.w(c), epsilon=1e-2) if h * w > 1 else x,
                lambda: g("BatchNormalization", x, g.w(c), g.w(c), g.w(c), g.w(c, low=0.5, high=2)),
                lambda: g("LRN", x, size=pick.choice([1, 3, 5]), alpha=0.1),
            ])()
        elif kind == "reduce":
            axis = pick.randint(1, 3)
            reduced = g(pick.choice(["ReduceMean", "ReduceMax", "ReduceL2"]), x, axes=[axis], keepdims=1)
            x = g("Add", x, reduced)
        elif kind == "softmax":
            x = g("Softmax", x, axis=pick.choice([1, 2, 3, -1]))
        elif kind == "move":
            order = pick.sample([1, 2, 3], 3)
            x = g("Transpose", x, perm=[0, *order])
            shape = [shape[axis - 1] for axis in order]
        elif kind == "pad":
            a, b = pick.randint(0, 2), pick.randint(0, 1)
            x = g("Pad", x, g.ints(0, 0, a, b, 0, 0, b, a), mode=pick.choice(["constant", "edge"]))
            shape = [c, h + a + b, w + a + b]
        elif kind == "pool" and min(h, w) >= 2:
            x = g(pick.choice(["MaxPool", "AveragePool"]), x, kernel_shape=[2, 2], strides=[1, 2])
            shape = [c, h - 1, (w - 2) // 2 + 1]
        elif kind == "matmul":
            out = pick.randint(1, 6)
            x = g("MatMul", x, g.w(*pick.choice([(), (c,), (1,)]), w, out))
            shape = [c, h, out]
        elif kind == "attend":
            x = g("MatMul", g("Softmax", g("MatMul", x, g("Transpose", x, perm=[0, 1, 3, 2])), axis=-1), x)
        elif kind == "concat":
            axis = pick.randint(1, 3)
            x = g("Concat", g("Tanh", x), x, axis=axis)
            shape[axis - 1] *= 2
        elif kind == "slice":
            axis = pick.randint(1, 3)
            if shape[axis - 1] > 2:
                x = g("Slice", x, g.ints(1), g.ints(2**60), g.ints(axis))
                shape[axis - 1] -= 1
    return g, g("Identity", x)


def computed(model, shape, seed):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = np.round(np.random.default_rng(seed).uniform(-1, 1, (SAMPLES, *shape)), 3).astype(np.float32)
    return x, session.run(None, {"x": x})[0]


def write(folder, graphs):
    folder.mkdir(exist_ok=True, parents=True)
    for old in folder.glob("*.onnx"):
        old.unlink()
    expected = {}
    for seed, (name, g, y) in enumerate(graphs):
        inputs, outputs = computed(g.model(y), g.shape, seed)
        model = g.model(y, outputs.ndim)
        if "simplified" not in name:  # known to onnxruntime alone
            onnx.checker.check_model(model)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
        short = lambda values: [float(f"{value:.8g}") for value in values.ravel()]
        expected[name] = {"inputs": short(inputs), "outputs": short(outputs)}
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    print(len(expected), "graphs,", sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def named():
    for seed, (name, (shape, opset, build)) in enumerate(CASES.items()):
        g = Graph(shape, opset, seed)
        yield name, g, build(g)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", nargs=2, metavar=("COUNT", "FOLDER"))
    arguments = parser.parse_args()
    if arguments.random:
        count, folder = arguments.random
        write(pathlib.Path(folder), ((f"wild-{seed}", *wild(seed)) for seed in range(int(count))))
    else:
        write(FOLDER, named())
