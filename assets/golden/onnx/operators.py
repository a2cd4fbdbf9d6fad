"""Writes the graphs of the folder `operators`: every operator that tropix reads or writes, with the outputs of onnxruntime.

    pip install numpy onnx onnxruntime
    python assets/golden/onnx/operators.py                                  # writes the folder
    python assets/golden/onnx/operators.py --check target/release/tropix    # needs no folder

With `--check` each graph is made for every operator set from 11 to 22 and goes through `convert` and `prune --keep 1`, to
safetensors and to ONNX and back. onnxruntime has to load what comes out, and to compute what it computes of the original;
`evaluate` has to find the classes of onnxruntime. Weights and inputs are multiples of 1/8: they are short in JSON, and sums
of them are exact.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent / "operators"
OPSETS = range(11, 23)
# What is in the folder: the ends, and where softmax, squeeze and pools change.
KEPT = (11, 13, 22)
IMAGE, WIDE, VECTOR = (2, 6, 5), (3, 9, 8), (6,)
CASES = {}


class Graph:
    """Nodes and initialisers of one case in one operator set."""

    def __init__(self, opset, shape, seed):
        self.opset, self.shape, self.rng = opset, shape, np.random.default_rng(seed)
        self.nodes, self.tensors, self.outputs, self.count = [], [], None, 0

    def eighths(self, *shape, low=-4, high=5):
        return (self.rng.integers(low, high, shape) / 8).astype(np.float32)

    def tensor(self, values, name=None):
        self.count += name is None
        name = name or f"t{self.count}"
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def ints(self, *values):
        return self.tensor(np.array(values, dtype=np.int64))

    def w(self, *shape):
        return self.tensor(self.eighths(*shape))

    def positive(self, *shape):
        return self.tensor(self.eighths(*shape, low=4, high=13))

    def op(self, kind, *inputs, out=None, **attributes):
        self.count += out is None
        out = out or f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=f"n_{out}", **attributes))
        return out

    def conv(self, x="x", inputs=2, outputs=3, size=3, bias=True, **attributes):
        attributes.setdefault("pads", [1, 1, 1, 1])
        if attributes["pads"] is None:
            del attributes["pads"]
        group = attributes.get("group", 1)
        return self.op("Conv", x, self.w(outputs, inputs // group, size, size), *([self.w(outputs)] if bias else []), **attributes)

    def end(self, x, classes=4):
        """Linear layers, the first of as many inputs as onnxruntime finds here."""
        flat = self.op("Flatten", x)
        self.outputs = [helper.make_tensor_value_info(flat, TensorProto.FLOAT, None)]
        length = output(self.model("part").SerializeToString(), sample(self.shape)).shape[1]
        self.outputs = None
        hidden = self.op("Relu", self.op("Gemm", flat, self.w(5, length), self.w(5), transB=1))
        return self.op("Gemm", hidden, self.w(classes, 5), self.w(classes), out="y", transB=1)

    def axes(self, kind, x, axes, since=13, **attributes):
        """A node whose axes became an input."""
        if self.opset >= since:
            return self.op(kind, x, self.ints(*axes), **attributes)
        return self.op(kind, x, axes=axes, **attributes)

    def model(self, name, classes=4):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *self.shape])
        outputs = self.outputs or [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])]
        graph = helper.make_graph(self.nodes, name, [x], outputs, self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8, producer_name="golden")


def case(shape=IMAGE, since=11, until=22):
    def add(build):
        CASES[build.__name__] = (build, shape, [opset for opset in OPSETS if since <= opset <= until])
        return build

    return add


def made(name, opset):
    build, shape, _ = CASES[name]
    graph = Graph(opset, shape, sum(map(ord, name)))
    build(graph)
    return graph.model(name)


def unary(name, act, **more):
    """A case: convolution, an operator, linear layer."""

    def build(g):
        g.end(act(g, g.conv()))

    build.__name__ = name
    case(**more)(build)


def head(name, act, **more):
    """A case: linear layer, ReLU, linear layer, an operator that gives the output."""

    def build(g):
        hidden = g.op("Relu", g.op("Gemm", "x", g.w(5, 6), g.w(5), transB=1))
        act(g, g.op("Gemm", hidden, g.w(4, 5), g.w(4), transB=1))

    build.__name__ = name
    case(VECTOR, **more)(build)


# Layers.
@case(VECTOR)
def gemm_factors(g):
    h = g.op("Relu", g.op("Gemm", "x", g.w(6, 5), g.w(1, 5), alpha=0.5, beta=2.0))
    g.op("Gemm", h, g.w(5, 4), out="y")


@case(VECTOR)
def gemm_scalar(g):
    h = g.op("Relu", g.op("Gemm", "x", g.w(5, 6), g.w(), transB=1))
    g.op("Gemm", h, g.w(4, 5), g.w(1), out="y", transB=1)


@case(VECTOR)
def matmul_add(g):
    h = g.op("Relu", g.op("Add", g.w(5), g.op("MatMul", "x", g.w(6, 5))))
    g.op("Add", g.op("MatMul", h, g.w(5, 4)), g.w(1, 4), out="y")


@case(VECTOR)
def matmul_add_twice(g):
    h = g.op("Add", g.op("Add", g.op("MatMul", "x", g.w(6, 5)), g.w(5)), g.w(5))
    g.op("Add", g.op("MatMul", g.op("Relu", h), g.w(5, 4)), g.w(), out="y")


@case(VECTOR)
def gemm_add(g):
    h = g.op("Add", g.op("Gemm", "x", g.w(5, 6), g.w(5), transB=1, beta=0.5), g.w(1))
    g.op("Gemm", g.op("Relu", h), g.w(4, 5), g.w(4), out="y", transB=1)


@case()
def conv_pads(g):
    g.end(g.op("Relu", g.conv(pads=[0, 1, 2, 0], strides=[2, 1])))


@case()
def conv_dilated(g):
    g.end(g.op("Relu", g.conv(dilations=[2, 1], pads=[2, 1, 2, 1])))


@case()
def conv_groups(g):
    depthwise = g.conv(g.op("Relu", g.conv(outputs=4)), 4, 4, group=4)
    g.end(g.op("Relu", g.conv(g.op("Relu", depthwise), 4, 6, group=2)))


@case()
def conv_same(g):
    upper = g.op("Relu", g.conv(pads=None, auto_pad="SAME_UPPER", strides=[2, 2]))
    lower = g.op("Relu", g.conv(upper, 3, 3, 2, pads=None, auto_pad="SAME_LOWER"))
    g.end(g.op("Relu", g.conv(lower, 3, 3, 2, pads=None, auto_pad="VALID")))


@case()
def conv_add(g):
    c = g.op("Add", g.conv(bias=False), g.w(1, 3, 1, 1))
    g.end(g.op("Relu", g.op("Add", g.w(), g.conv(g.op("Relu", c), 3, bias=False))))


def norm(g, x, channels=3):
    return g.op("BatchNormalization", x, g.w(channels), g.w(channels), g.w(channels), g.positive(channels), epsilon=1e-3)


unary("batch_norm", lambda g, x: g.op("Relu", norm(g, x)))


@case()
def batch_norm_first(g):
    g.end(g.op("Relu", g.conv(norm(g, "x", 2))))


@case()
def batch_norm_shared(g):
    parts = [g.w(3), g.w(3), g.w(3), g.positive(3)]
    a = g.op("Relu", g.op("BatchNormalization", g.conv(), *parts))
    g.end(g.op("Relu", g.op("BatchNormalization", g.conv(a, 3), *parts)))


# Pools: windows that fit, that `ceil_mode` adds, that would begin in the padding, that padding counts in or not.
def pool(name, kind, shape=WIDE, since=11, until=22, **attributes):
    def build(g):
        g.end(g.op(kind, g.op("Relu", g.conv(inputs=shape[0])), **attributes))

    build.__name__ = name
    case(shape, since, until)(build)


for kind, stem in [("MaxPool", "max"), ("AveragePool", "average")]:
    pool(f"{stem}_pool", kind, kernel_shape=[2, 2], strides=[2, 2])
    pool(f"{stem}_pool_ceil", kind, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    pool(f"{stem}_pool_same", kind, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
pool("max_pool_pads", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 0])
pool("max_pool_ceil_pads", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
pool("max_pool_dilated", "MaxPool", kernel_shape=[3, 2], strides=[2, 2], dilations=[2, 2])
pool("max_pool_dilated_ceil", "MaxPool", kernel_shape=[2, 2], strides=[2, 2], dilations=[3, 3], ceil_mode=1)
# In older operator sets onnxruntime expects one window more than it computes, and refuses the model.
pool("max_pool_in_padding", "MaxPool", since=22, kernel_shape=[2, 2], strides=[3, 2], pads=[0, 1, 1, 1], ceil_mode=1)
for count in (0, 1):
    pool(f"average_pool_pads_{count}", "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 0], count_include_pad=count)
    pool(f"average_pool_dilated_{count}", "AveragePool", since=19, kernel_shape=[3, 2], strides=[1, 3], dilations=[1, 2], pads=[1, 1, 1, 0], count_include_pad=count)
pool("average_pool_ceil_pads_0", "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
pool("average_pool_ceil_pads_1", "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)


def pad(name, kind, value, around, **attributes):
    def build(g):
        tensors = [] if value is None else [g.tensor(np.float32(value))]
        g.end(g.op(kind, g.op("Pad", g.op("Relu", g.conv(inputs=3)), g.ints(0, 0, *around[:2], 0, 0, *around[2:]), *tensors), **attributes))

    build.__name__ = name
    case(WIDE)(build)


pad("pad_average_pool", "AveragePool", None, [1, 1, 1, 0], kernel_shape=[3, 3], strides=[2, 2])
pad("pad_average_pool_ceil", "AveragePool", 0, [1, 1, 1, 1], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
pad("pad_average_pool_end", "AveragePool", 0, [1, 1, 1, 1], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 1])
pad("pad_max_pool", "MaxPool", np.finfo(np.float32).min, [0, 0, 2, 1], kernel_shape=[3, 3], strides=[2, 2])


@case()
def pad_conv(g):
    g.end(g.op("Relu", g.conv(g.op("Pad", "x", g.ints(0, 0, 1, 0, 0, 0, 2, 1)), pads=[0, 1, 0, 1])))


unary("global_average", lambda g, x: g.op("GlobalAveragePool", g.op("Relu", x)))
unary("reduce_mean", lambda g, x: g.axes("ReduceMean", g.op("Relu", x), [2, 3], since=18, keepdims=0))
unary("reduce_mean_kept", lambda g, x: g.axes("ReduceMean", g.op("Relu", x), [-1, -2], since=18))

# Activations, and what does nothing.
unary("leaky_relu", lambda g, x: g.op("LeakyRelu", x, alpha=0.25))
unary("clip_relu", lambda g, x: g.op("Clip", x, g.tensor(np.float32(0))))
unary("clip_nothing", lambda g, x: g.op("Relu", g.op("Clip", x)))
unary("identity", lambda g, x: g.op("Identity", g.op("Relu", x)))
unary("dropout", lambda g, x: g.op("Dropout", g.op("Relu", x)))
unary("cast", lambda g, x: g.op("Cast", g.op("Relu", x), to=1))
unary("clip", lambda g, x: g.op("Clip", x, g.tensor(np.float32(0)), g.tensor(np.float32(0.5))))
for name, since, attributes in [
    ("Sigmoid", 11, {}), ("HardSigmoid", 11, {"alpha": 0.25}), ("HardSwish", 14, {}), ("Tanh", 11, {}), ("Elu", 11, {"alpha": 0.75}),
    ("Selu", 11, {}), ("Celu", 12, {"alpha": 0.5}), ("Softplus", 11, {}), ("Softsign", 11, {}), ("Erf", 11, {}), ("Exp", 11, {}),
    ("Abs", 11, {}), ("Mish", 18, {}), ("Gelu", 20, {}),
]:
    unary(name.lower(), lambda g, x, name=name, attributes=attributes: g.op(name, x, **attributes), since=since)
unary("gelu_tanh", lambda g, x: g.op("Gelu", x, approximate="tanh"), since=20)
unary("silu", lambda g, x: g.op("Mul", x, g.op("Sigmoid", x)))
unary("silu_turned", lambda g, x: g.op("Mul", g.op("Sigmoid", x), x))


@case()
def gate(g):
    x = g.op("Relu", g.conv())
    squeezed = g.op("Relu", g.conv(g.op("GlobalAveragePool", x), 3, 2, 1, pads=None))
    g.end(g.op("Mul", x, g.op("Sigmoid", g.conv(squeezed, 2, 3, 1, pads=None))))


@case()
def product(g):
    a = g.op("Relu", g.conv())
    g.end(g.op("Mul", g.op("Tanh", g.conv(a, 3, 3)), a))


@case()
def shuffle(g):
    x = g.op("Reshape", g.op("Relu", g.conv(outputs=4)), g.ints(0, 2, 2, 6, 5))
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3, 4]), g.ints(0, 4, 6, 5))
    g.end(g.op("Relu", g.conv(x, 4, 3)))


# Carried along: written as ONNX only.
unary("carried_prelu", lambda g, x: g.op("PRelu", x, g.tensor(np.float32([[[0.25]]]))))

# Shapes.
unary("reshape", lambda g, x: g.op("Reshape", g.op("Relu", x), g.ints(0, -1)))
unary("reshape_image", lambda g, x: g.op("Reshape", g.op("Relu", x), g.ints(-1, 6, 3, 5)))
unary("transpose", lambda g, x: g.op("Transpose", g.op("Relu", x), perm=[0, 2, 3, 1]))
unary("squeeze", lambda g, x: g.axes("Squeeze", g.op("GlobalAveragePool", g.op("Relu", x)), [2, -1]))
unary("squeeze_all", lambda g, x: g.op("Squeeze", g.op("GlobalAveragePool", g.op("Relu", x))))
unary("unsqueeze", lambda g, x: g.axes("Unsqueeze", g.op("Relu", x), [1]))


def computed(g, x, *bounds):
    x = g.op("Relu", x)
    batch = g.op("Slice", g.op("Shape", x), *(g.ints(bound) for bound in bounds))
    return g.op("Reshape", x, g.op("Concat", batch, g.ints(-1), axis=0))


unary("shape_slice", lambda g, x: computed(g, x, 0, 1, 0))
unary("shape_slice_back", lambda g, x: computed(g, x, -4, -8, -1, -1))
unary("shape_slice_step", lambda g, x: computed(g, x, 0, 4, -1, 4))


@case()
def shape_gather(g):
    x = g.op("Relu", g.conv())
    batch = g.op("Gather", g.op("Shape", x), g.tensor(np.array(0, dtype=np.int64)))
    g.end(g.op("Reshape", x, g.op("Concat", g.axes("Unsqueeze", batch, [0]), g.ints(-1), axis=0)))


# Paths.
@case()
def residual(g):
    a = g.op("Relu", g.conv())
    b = g.conv(g.op("Relu", g.conv(a, 3, 4)), 4)
    g.end(g.op("Relu", g.op("Add", a, b)))


@case()
def sums(g):
    a, b = g.op("Relu", g.conv()), g.op("Relu", g.conv())
    three = g.op("Sum", a, b, g.conv())
    g.end(g.op("Relu", g.op("Sum", three)))


@case()
def add_twice(g):
    a = g.op("Relu", g.conv())
    g.end(g.op("Relu", g.conv(g.op("Add", a, a), 3)))


@case()
def concat(g):
    g.end(g.op("Concat", g.op("Relu", g.conv()), g.op("Relu", g.conv(outputs=2)), axis=1))


# Constants that scale and shift.
@case()
def normalised_input(g):
    x = g.op("Div", g.op("Sub", "x", g.w(1, 2, 1, 1)), g.positive(2, 1, 1))
    g.end(g.op("Relu", g.conv(x)))


@case(VECTOR)
def normalised_features(g):
    x = g.op("Mul", g.op("Sub", "x", g.w()), g.positive(6))
    h = g.op("Relu", g.op("Gemm", x, g.w(5, 6), g.w(5), transB=1))
    g.op("Gemm", h, g.w(4, 5), g.w(4), out="y", transB=1)


@case()
def scaled_channels(g):
    a = g.op("Relu", g.op("Mul", g.positive(1, 3, 1, 1), g.conv()))
    b = g.op("Sub", g.w(3, 1, 1), g.conv(a, 3))
    g.end(g.op("Div", g.op("Relu", b), g.tensor(np.float32(2))))


@case(VECTOR)
def scaled_logits(g):
    h = g.op("Relu", g.op("Gemm", "x", g.w(6, 6), g.w(6), transB=1))
    h = g.op("Mul", g.op("Relu", g.op("Gemm", h, g.w(5, 6), g.w(5), transB=1)), g.positive(5))
    g.op("Mul", g.op("Gemm", h, g.w(4, 5), g.w(4), transB=1), g.positive(4), out="y")


@case()
def scaled_places(g):
    g.end(g.op("Relu", g.op("Mul", g.conv(), g.positive(6, 5))))


# Softmax: over classes, over samples, over places, with every default.
for kind, stem in [("Softmax", "softmax"), ("LogSoftmax", "log_softmax")]:
    head(f"{stem}_default", lambda g, x, kind=kind: g.op(kind, x, out="y"))
    for axis in (0, 1, -1):
        head(f"{stem}_{axis}".replace("-", "m"), lambda g, x, kind=kind, axis=axis: g.op(kind, x, out="y", axis=axis))

    def image(name, axis, last, kind=kind):
        def build(g):
            x = g.op("Relu", g.conv(pads=[0, 0, 0, 0]))
            x = g.conv(x, 3, 2, 3, pads=[0, 0, 0, 0])
            x = g.op(kind, x, **({} if axis is None else {"axis": axis}))
            g.op("Flatten", x, out="y") if last else g.end(x)

        build.__name__ = name
        case()(build)

    for axis, name in [(None, "default"), (0, "samples"), (1, "channels"), (2, "rows"), (-1, "columns")]:
        image(f"{stem}_image_{name}", axis, True)
    image(f"{stem}_inside", 1, False)


# Graphs as they come.
@case(VECTOR)
def unsorted(g):
    h = g.op("Relu", g.op("Gemm", "x", g.w(5, 6), g.w(5), transB=1))
    g.op("Gemm", h, g.w(4, 5), g.w(4), out="y", transB=1)
    g.nodes.reverse()


@case(VECTOR)
def dead_branch(g):
    h = g.op("Relu", g.op("Gemm", "x", g.w(5, 6), g.w(5), transB=1))
    g.op("Constant", out="unused", value_floats=[1.0, 2.0]) if g.opset >= 12 else None
    g.op("Add", g.op("Sigmoid", h), g.w(5))
    g.op("Gemm", h, g.w(4, 5), g.w(4), out="y", transB=1)


@case(VECTOR)
def two_outputs(g):
    h = g.op("Relu", g.op("Gemm", "x", g.w(5, 6), g.w(5), transB=1))
    y = g.op("Gemm", h, g.w(4, 5), g.w(4), out="y", transB=1)
    label = g.op("ArgMax", y, out="label", axis=1, keepdims=0)
    info = helper.make_tensor_value_info
    g.outputs = [info(label, TensorProto.INT64, ["n"]), info("y", TensorProto.FLOAT, ["n", 4])]


@case(VECTOR, since=12)
def constants(g):
    x = g.op("Mul", "x", g.op("Constant", value_float=0.5))
    h = g.op("MatMul", x, g.w(6, 5))
    h = g.op("Relu", g.op("Add", h, g.op("Constant", value_floats=[0.125, 0.25, 0.5, -0.25, 0.0])))
    h = g.op("Reshape", h, g.op("Concat", g.op("Constant", value_ints=[-1]), g.op("Constant", value_ints=[5]), axis=0))
    g.op("Gemm", h, g.w(5, 4), out="y")


def sample(shape):
    return (np.random.default_rng(len(shape)).integers(-8, 9, (3, *shape)) / 8).astype(np.float32)


def output(model, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(["y"] if "y" in {out.name for out in session.get_outputs()} else None, {session.get_inputs()[0].name: x})[0]


def write():
    for old in HERE.glob("*.onnx"):
        old.unlink()
    HERE.mkdir(exist_ok=True)
    expected = {"inputs": {}, "outputs": {}}
    for name, (_, shape, opsets) in sorted(CASES.items()):
        x = sample(shape)
        expected["inputs"]["x".join(map(str, shape))] = x.ravel().tolist()
        seen = {}
        for opset in [opset for opset in opsets if opset in KEPT or opset == opsets[0]]:
            model = made(name, opset)
            if name != "unsorted":
                onnx.checker.check_model(model, full_check=name != "max_pool_in_padding")
            y = [float(f"{value:.8g}") for value in output(model.SerializeToString(), x).ravel()]
            # The same nodes and the same answer: one file for several operator sets, but where their meaning changed.
            key = (model.graph.SerializeToString(), tuple(y))
            if key in seen and not (opset == 22 and ("pool" in name or "softmax" in name)):
                continue
            seen[key] = opset
            (HERE / f"{name}-{opset}.onnx").write_bytes(model.SerializeToString())
            expected["outputs"][f"{name}-{opset}"] = {"shape": list(shape), "output": y}
    (HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    files = list(HERE.iterdir())
    print(len(files), "files,", sum(file.stat().st_size for file in files), "bytes")


def check(program, only, wanted):
    failures, checked = [], 0
    for name, (_, shape, opsets) in sorted(CASES.items()):
        if only and not any(part in name for part in only):
            continue
        for opset in [opset for opset in opsets if not wanted or opset in wanted]:
            with tempfile.TemporaryDirectory() as folder:
                checked += 1
                problem = check_one(program, pathlib.Path(folder), name, opset, sample(shape))
                if problem:
                    failures.append(f"{name}-{opset}: {problem}")
                    print(failures[-1], file=sys.stderr)
    print(f"{checked} graphs, {len(failures)} failures")
    return 1 if failures else 0


def check_one(program, folder, name, opset, x):
    def run(*arguments):
        done = subprocess.run([program, *map(str, arguments), "--device", "cpu", "--quiet"], capture_output=True, text=True, cwd=folder)
        return "" if done.returncode == 0 else f"{' '.join(map(str, arguments))}: {done.stderr.strip()}", done.stdout

    (folder / "a.onnx").write_bytes(made(name, opset).SerializeToString())
    y = output(str(folder / "a.onnx"), x)
    # What only onnxruntime computes between layers is no matter to a norm of weights.
    apart = name.startswith("carried") or name == "scaled_places"
    keep = ["--keep", 1] + (["--method", "l1"] if apart or "inside" in name else [])
    steps = [("convert", "a.onnx", "-o", "b.onnx"), ("prune", "a.onnx", "-o", "c.onnx", *keep)]
    if not apart:
        steps += [("convert", "a.onnx", "-o", "d.safetensors"), ("convert", "d.safetensors", "-o", "d.onnx"),
                  ("prune", "a.onnx", "-o", "e.safetensors", *keep), ("convert", "e.safetensors", "-o", "e.onnx")]
    for step in steps:
        problem, _ = run(*step)
        if problem:
            return problem
    for file in sorted(folder.glob("[b-z].onnx")):
        try:
            found = output(str(file), x)
        except Exception as error:
            return f"{file.name}: {str(error)[:300]}"
        if found.shape != y.shape or not np.allclose(found, y, rtol=1e-5, atol=1e-6):
            return f"{file.name}: {found.ravel()[:6]} instead of {y.ravel()[:6]}"
    if apart or "inside" in name:
        return None
    np.savez(folder / "data.npz", x=x, y=y.argmax(axis=1).astype(np.int64))
    for model in ("a.onnx", "d.safetensors"):
        problem, text = run("evaluate", model, "--data", "data.npz", "--json")
        if problem:
            return problem
        if json.loads(text)["accuracy"]["top1"][0] != 1:
            return f"{model} has other classes than onnxruntime"
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="PROGRAM", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--only", nargs="*", metavar="PART", help="cases whose names hold one of these")
    parser.add_argument("--opsets", nargs="*", type=int, metavar="N", help="operator sets to check, all by default")
    arguments = parser.parse_args()
    sys.exit(check(arguments.check, arguments.only, arguments.opsets) if arguments.check else write())
