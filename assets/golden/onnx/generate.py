"""Writes the small ONNX graphs of this folder and `expected.json`: inputs, and outputs computed by onnxruntime.

    pip install numpy onnx onnxruntime
    python assets/golden/onnx/generate.py

Every model passes onnx.checker. Weights are random and tiny; no data of others are used. The graphs under `bad` are refused.
"""
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(6)
expected = {}


def weights(name, *shape, scale=0.6):
    return numpy_helper.from_array((scale * rng.standard_normal(shape)).astype(np.float32), name)


def positive(name, *shape):
    return numpy_helper.from_array(rng.uniform(0.5, 1.5, shape).astype(np.float32), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def norm(name, width):
    return [weights(f"{name}.scale", width), weights(f"{name}.bias", width), weights(f"{name}.mean", width), positive(f"{name}.var", width)]


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], name=f"node_{output}", **attributes)


def model(name, nodes, initializers, shape, classes, *, batch="n", opset=17, ir=8, inputs=(), value_info=(), props=None):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, classes])
    graph = helper.make_graph(nodes, name, [x, *inputs], [y], initializers, value_info=list(value_info))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, producer_name="golden")
    if props:
        helper.set_model_props(made, props)
    return made


def save(made, shape, *, batch=3, external=False):
    name = made.graph.name
    path = HERE / f"{name}.onnx"
    if external:
        onnx.save(made, path, save_as_external_data=True, all_tensors_to_one_file=True, location=f"{name}.bin", size_threshold=64)
    else:
        onnx.save(made, path)
    onnx.checker.check_model(str(path), full_check=True)
    x = rng.standard_normal((batch, *shape)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    y = session.run(None, {"x": x})[0]
    expected[name] = {"input": x.ravel().tolist(), "rows": batch, "output": y.ravel().tolist()}


# Conv-BN-ReLU-MaxPool-Conv-Add-ReLU-Flatten-Gemm-ReLU-Gemm: a residual sum behind a pool.
save(model("residual", [
    node("Conv", "x c1.w c1.b", "c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", "c1 n1.scale n1.bias n1.mean n1.var", "n1", epsilon=1e-3),
    node("Relu", "n1", "r1"),
    node("MaxPool", "r1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
    node("Conv", "p1 a.w a.b", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", "a an.scale an.bias an.mean an.var", "an"),
    node("Relu", "an", "ar"),
    node("Conv", "ar b.w", "b", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("Add", "b p1", "sum"),
    node("Relu", "sum", "r2"),
    node("Flatten", "r2", "f"),
    node("Gemm", "f l1.w l1.b", "l1", transB=1),
    node("Relu", "l1", "r3"),
    node("Gemm", "r3 l2.w l2.b", "y", transB=1),
], [weights("c1.w", 4, 2, 3, 3), weights("c1.b", 4), *norm("n1", 4), weights("a.w", 6, 4, 3, 3, scale=0.3), weights("a.b", 6), *norm("an", 6),
    weights("b.w", 4, 6, 3, 3, scale=0.3), weights("l1.w", 7, 36, scale=0.2), weights("l1.b", 7), weights("l2.w", 3, 7), weights("l2.b", 3)], [2, 6, 6], 3,
    value_info=[helper.make_tensor_value_info("l1", TensorProto.FLOAT, ["n", 7]), helper.make_tensor_value_info("p1", TensorProto.FLOAT, ["n", 4, 3, 3])],
    props={"author": "golden"}), [2, 6, 6])

# Two convolutions in a row with MaxPool before ReLU, Dropout, and MatMul + Add behind a flatten; log-probabilities.
save(model("matmul", [
    node("Conv", "x c1.w c1.b", "c1", kernel_shape=[2, 2], strides=[1, 2]),
    node("MaxPool", "c1", "p1", kernel_shape=[2, 2], strides=[2, 1], ceil_mode=1),
    node("Relu", "p1", "r1"),
    node("Conv", "r1 c2.w c2.b", "c2", kernel_shape=[2, 2]),
    node("Relu", "c2", "r2"),
    node("Dropout", "r2", "d2"),
    node("Flatten", "d2", "f", axis=1),
    node("MatMul", "f l1.w", "m1"),
    node("Add", "m1 l1.b", "l1"),
    node("Relu", "l1", "r3"),
    node("MatMul", "r3 l2.w", "l2"),
    node("LogSoftmax", "l2", "y", axis=-1),
], [weights("c1.w", 5, 1, 2, 2), weights("c1.b", 5), weights("c2.w", 4, 5, 2, 2), weights("c2.b", 4), weights("l1.w", 8, 6), weights("l1.b", 6),
    weights("l2.w", 6, 4)], [1, 6, 7], 4), [1, 6, 7])

# The NHWC flatten: Transpose, Reshape to [-1, length]; a bias as Add; Gemm with factors and transB = 0; initialisers as inputs.
save(model("nhwc", [
    node("Conv", "x c1.w", "c0", auto_pad="SAME_UPPER", strides=[2, 2]),
    node("Add", "c0 c1.b", "c1"),
    node("Relu", "c1", "r1"),
    node("Transpose", "r1", "t", perm=[0, 2, 3, 1]),
    node("Reshape", "t shape", "f"),
    node("Gemm", "f l1.w l1.b", "l1", alpha=0.5, beta=2.0),
    node("Relu", "l1", "r2"),
    node("MatMul", "r2 l2.w", "l2"),
    node("Softmax", "l2", "y", axis=1),
], [weights("c1.w", 4, 3, 3, 3), weights("c1.b", 1, 4, 1, 1), ints("shape", -1, 24), weights("l1.w", 24, 5, scale=0.3), weights("l1.b", 1, 5), weights("l2.w", 5, 3)],
    [3, 4, 5], 3, ir=3, opset=9,
    inputs=[helper.make_tensor_value_info("l1.w", TensorProto.FLOAT, [24, 5]), helper.make_tensor_value_info("c1.w", TensorProto.FLOAT, [4, 3, 3, 3]),
            helper.make_tensor_value_info("c1.b", TensorProto.FLOAT, [1, 4, 1, 1]), helper.make_tensor_value_info("shape", TensorProto.INT64, [2]),
            helper.make_tensor_value_info("l1.b", TensorProto.FLOAT, [1, 5]), helper.make_tensor_value_info("l2.w", TensorProto.FLOAT, [5, 3])]), [3, 4, 5])

# Grouped and depthwise convolutions, dilation, leaky ReLU, Concat, an average pool with padding, the global one.
save(model("groups", [
    node("Conv", "x c1.w c1.b", "c1", kernel_shape=[3, 3], dilations=[2, 1], pads=[2, 0, 2, 1]),
    node("LeakyRelu", "c1", "r1", alpha=0.125),
    node("Conv", "r1 dw.w dw.b", "dw", kernel_shape=[3, 3], group=4, auto_pad="SAME_LOWER"),
    node("Relu", "dw", "r2"),
    node("Conv", "r2 g.w", "g", kernel_shape=[1, 1], group=2),
    node("Relu", "g", "r3"),
    node("Concat", "r3 r2", "cat", axis=1),
    node("AveragePool", "cat", "p", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], count_include_pad=1),
    node("AveragePool", "p", "q", kernel_shape=[2, 2], pads=[0, 1, 1, 0]),
    node("GlobalAveragePool", "q", "gap"),
    node("Flatten", "gap", "f"),
    node("Gemm", "f l1.w l1.b", "y", transB=1),
], [weights("c1.w", 4, 2, 3, 3), weights("c1.b", 4), weights("dw.w", 4, 1, 3, 3), weights("dw.b", 4), weights("g.w", 6, 2, 1, 1), weights("l1.w", 3, 10), weights("l1.b", 3)],
    [2, 6, 5], 3), [2, 6, 5])

# What PyTorch makes of x.view(x.size(0), -1); weights in Constant nodes, behind Identity, and in typed fields.
typed = helper.make_tensor("c2.w", TensorProto.FLOAT, [3, 4, 1, 1], (0.5 * rng.standard_normal(12)).astype(np.float32).tolist())
save(model("computed-shape", [
    helper.make_node("Constant", [], ["c1.w"], name="node_c1.w", value=weights("value", 4, 1, 2, 2)),
    node("Conv", "x c1.w", "c1"),
    node("Relu", "c1", "r1"),
    node("Conv", "r1 c2.w", "c2"),
    node("Relu", "c2", "r2"),
    node("Shape", "r2", "s"),
    helper.make_node("Constant", [], ["zero"], name="node_zero", value=numpy_helper.from_array(np.array(0, dtype=np.int64))),
    node("Gather", "s zero", "batch", axis=0),
    node("Unsqueeze", "batch axes", "batch1"),
    node("Concat", "batch1 rest", "shape", axis=0),
    node("Reshape", "r2 shape", "f"),
    node("Identity", "l1.stored", "l1.b"),
    node("Transpose", "l1.w", "l1.t", perm=[1, 0]),
    node("Gemm", "f l1.t l1.b", "y"),
], [typed, ints("axes", 0), ints("rest", 27), weights("l1.w", 2, 27), weights("l1.stored", 2)], [1, 4, 4], 2), [1, 4, 4])

# A bottleneck behind a stem, ReduceMean without its axes; weights in a file beside the model; a fixed batch.
save(model("bottleneck", [
    node("Conv", "x stem.w stem.b", "stem", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("Relu", "stem", "r0"),
    node("Conv", "r0 a.w a.b", "a", kernel_shape=[1, 1]),
    node("Relu", "a", "ar"),
    node("Conv", "ar b.w b.b", "b", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("Relu", "b", "br"),
    node("Conv", "br c.w c.b", "c", kernel_shape=[1, 1]),
    node("Add", "c r0", "sum"),
    node("Relu", "sum", "r1"),
    node("ReduceMean", "r1", "mean", axes=[2, 3], keepdims=0),
    node("Gemm", "mean fc.w fc.b", "y", transB=1),
], [weights("stem.w", 8, 3, 3, 3), weights("stem.b", 8), weights("a.w", 4, 8, 1, 1), weights("a.b", 4), weights("b.w", 4, 4, 3, 3), weights("b.b", 4),
    weights("c.w", 8, 4, 1, 1), weights("c.b", 8), weights("fc.w", 5, 8), weights("fc.b", 5)], [3, 5, 5], 5, batch=2), [3, 5, 5], batch=2, external=True)

# One matrix read by two layers, a scaling of the input, ReLU6, Squeeze.
save(model("shared", [
    node("Mul", "x factor", "scaled"),
    node("Conv", "scaled c1.w c1.b", "c1", kernel_shape=[2, 2]),
    node("Clip", "c1 low high", "r1"),
    node("GlobalAveragePool", "r1", "g"),
    node("Squeeze", "g axes", "f"),
    node("Gemm", "f l.w l.b", "l1", transB=1),
    node("Relu", "l1", "r2"),
    node("Gemm", "r2 l.w l.b", "l2", transB=1),
    node("Relu", "l2", "r3"),
    node("Gemm", "r3 out.w", "y", transB=1),
], [weights("factor", 1, 2, 1, 1), weights("c1.w", 4, 2, 2, 2), weights("c1.b", 4), numpy_helper.from_array(np.float32(0), "low"),
    numpy_helper.from_array(np.float32(6), "high"), ints("axes", 2, 3), weights("l.w", 4, 4), weights("l.b", 4), weights("out.w", 2, 4)], [2, 3, 3], 2), [2, 3, 3])

# Equal channels: c1 has two of them twice, so has l1.
c1 = rng.standard_normal((3, 1, 3, 3)).astype(np.float32)
for layout in ["nchw", "nhwc"]:
    flat = [node("Flatten", "p1", "f")] if layout == "nchw" else [node("Transpose", "p1", "t", perm=[0, 2, 3, 1]), node("Flatten", "t", "f")]
    save(model(f"duplicates-{layout}", [
        node("Conv", "x c1.w c1.b", "c1", kernel_shape=[3, 3], strides=[2, 2]),
        node("Relu", "c1", "r1"),
        node("MaxPool", "r1", "p1", kernel_shape=[2, 2], strides=[1, 1]),
        *flat,
        node("Gemm", "f l1.w l1.b", "l1", transB=1),
        node("Relu", "l1", "r2"),
        node("Gemm", "r2 l2.w l2.b", "y", transB=1),
    ], [numpy_helper.from_array(c1[[0, 1, 2, 1, 0]], "c1.w"), numpy_helper.from_array(np.array([0.1, -0.2, 0.3, -0.2, 0.1], dtype=np.float32), "c1.b"),
        weights("l1.w", 6, 20), weights("l1.b", 6), weights("l2.w", 3, 6), weights("l2.b", 3)], [1, 7, 7], 3), [1, 7, 7])

# What came before keeps its values: these have a generator of their own.
before, rng = rng, np.random.default_rng(7)

# An inner width with three readers: two windows, and one behind a pool; and neurons that two layers read alike.
save(model("readers", [
    node("Conv", "x c1.w", "c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", "c1 n1.scale n1.bias n1.mean n1.var", "n1"),
    node("Relu", "n1", "r1"),
    node("Conv", "r1 a.w a.b", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    node("Relu", "a", "ar"),
    node("Conv", "r1 b.w", "b", kernel_shape=[1, 1], strides=[2, 2]),
    node("BatchNormalization", "b bn.scale bn.bias bn.mean bn.var", "bn"),
    node("Relu", "bn", "br"),
    node("MaxPool", "r1", "p1", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]),
    node("Conv", "p1 c.w c.b", "c", kernel_shape=[1, 1], strides=[2, 2]),
    node("Relu", "c", "cr"),
    node("Concat", "ar br cr", "cat", axis=1),
    node("Flatten", "cat", "f"),
    node("Gemm", "f l.w l.b", "l", transB=1),
    node("Relu", "l", "lr"),
    node("Gemm", "lr g.w g.b", "g", transB=1),
    node("Relu", "g", "gr"),
    node("MatMul", "lr h.w", "h"),
    node("Relu", "h", "hr"),
    node("Concat", "gr hr", "both", axis=1),
    node("Gemm", "both o.w o.b", "y", transB=1),
], [weights("c1.w", 6, 2, 3, 3), *norm("n1", 6), weights("a.w", 3, 6, 3, 3, scale=0.3), weights("a.b", 3), weights("b.w", 3, 6, 1, 1), *norm("bn", 3),
    weights("c.w", 2, 6, 1, 1), weights("c.b", 2), weights("l.w", 8, 72, scale=0.2), weights("l.b", 8), weights("g.w", 4, 8), weights("g.b", 4),
    weights("h.w", 8, 3), weights("o.w", 4, 7), weights("o.b", 4)], [2, 6, 6], 4), [2, 6, 6])

# Two residual trunks: basic blocks behind a pooled stem, and, behind a wider shortcut, a bottleneck.
save(model("trunk", [
    node("Conv", "x stem.w", "stem", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", "stem sn.scale sn.bias sn.mean sn.var", "sn"),
    node("Relu", "sn", "r0"),
    node("MaxPool", "r0", "p0", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    node("Conv", "p0 a.w", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", "a an.scale an.bias an.mean an.var", "an"),
    node("Relu", "an", "ar"),
    node("Conv", "ar b.w", "b", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("BatchNormalization", "b bn.scale bn.bias bn.mean bn.var", "bn"),
    node("Add", "bn p0", "s1"),
    node("Relu", "s1", "r1"),
    node("Conv", "r1 c.w c.b", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    node("Relu", "c", "cr"),
    node("Conv", "cr d.w d.b", "d", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("Conv", "r1 e.w", "e", kernel_shape=[1, 1], strides=[2, 2]),
    node("BatchNormalization", "e en.scale en.bias en.mean en.var", "en"),
    node("Add", "d en", "s2"),
    node("Relu", "s2", "r2"),
    node("Conv", "r2 f.w f.b", "f", kernel_shape=[1, 1]),
    node("Relu", "f", "fr"),
    node("Conv", "fr g.w g.b", "g", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    node("Relu", "g", "gr"),
    node("Conv", "gr h.w h.b", "h", kernel_shape=[1, 1]),
    node("Add", "r2 h", "s3"),
    node("Relu", "s3", "r3"),
    node("GlobalAveragePool", "r3", "gap"),
    node("Flatten", "gap", "flat"),
    node("Gemm", "flat fc.w fc.b", "y", transB=1),
], [weights("stem.w", 6, 3, 3, 3, scale=0.3), *norm("sn", 6), weights("a.w", 4, 6, 3, 3, scale=0.2), *norm("an", 4), weights("b.w", 6, 4, 3, 3, scale=0.2),
    *norm("bn", 6), weights("c.w", 4, 6, 3, 3, scale=0.2), weights("c.b", 4), weights("d.w", 8, 4, 3, 3, scale=0.2), weights("d.b", 8),
    weights("e.w", 8, 6, 1, 1, scale=0.4), *norm("en", 8), weights("f.w", 4, 8, 1, 1), weights("f.b", 4), weights("g.w", 4, 4, 3, 3, scale=0.3),
    weights("g.b", 4), weights("h.w", 8, 4, 1, 1), weights("h.b", 8), weights("fc.w", 4, 8), weights("fc.b", 4)], [3, 8, 8], 4), [3, 8, 8])

# Images with their channels last, as TensorFlow has them.
save(model("channels-last", [
    node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
    node("Conv", "t c1.w c1.b", "c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    node("Relu", "c1", "r1"),
    node("Conv", "r1 c2.w c2.b", "c2", kernel_shape=[1, 1]),
    node("Relu", "c2", "r2"),
    node("AveragePool", "r2", "p", kernel_shape=[3, 3]),
    node("Reshape", "p shape", "f"),
    node("MatMul", "f fc.w", "y"),
], [weights("c1.w", 6, 3, 3, 3), weights("c1.b", 6), weights("c2.w", 4, 6, 1, 1), weights("c2.b", 4), ints("shape", -1, 4), weights("fc.w", 4, 3)],
    [6, 5, 3], 3), [6, 5, 3])
rng = before

(HERE / "expected.json").write_text(json.dumps({name: {key: value if key == "rows" else [float(f"{v:.9g}") for v in value] for key, value in case.items()}
                                                for name, case in expected.items()}) + "\n")

# Graphs that are refused, with a part of the message.
bad = {}


def refuse(name, made, part):
    (HERE / "bad").mkdir(exist_ok=True)
    (HERE / "bad" / f"{name}.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    bad[name] = part


def tiny(nodes=None, initializers=None, **more):
    nodes = nodes or [node("Gemm", "x w b", "y", transB=1)]
    w, b = weights("w", 3, 4), weights("b", 3)
    return model("tiny", nodes, [w, b, *(initializers or [])], more.pop("shape", [4]), 3, **more)


good = tiny().SerializeToString()
refuse("truncated", good[: len(good) // 2], "no ONNX model, or truncated")
refuse("no-protobuf", b"\x89PNG\r\n" + bytes(64), "no ONNX model")
refuse("opset-too-old", tiny(opset=6), "operator set 6, this program reads 7 to 28")
refuse("opset-too-new", tiny(opset=99), "operator set 99")
refuse("ir-too-new", tiny(ir=99), "IR version 99")
refuse("cycle", tiny([node("Add", "x b1", "a1"), node("Add", "a1 c1", "b1"), node("Relu", "b1", "c1"), node("Gemm", "c1 w b", "y", transB=1)]), "a cycle through `node_a1`")
refuse("missing-input", tiny([node("Gemm", "z w b", "y", transB=1)]), "node `node_y` reads `z`, which nothing gives")
refuse("constant-output", tiny([node("Identity", "b", "y")]), "`y` does not depend on the input")
refuse("given-twice", tiny([node("Relu", "x", "r"), node("Relu", "x", "r"), node("Gemm", "r w b", "y", transB=1)]), "`r` is given twice")
refuse("unknown-operator", tiny([node("Gemm", "x w b", "h", transB=1), node("Frobnicate", "h", "y")]), "node `node_y` (Frobnicate): is not supported")
refuse("unknown-domain", tiny([helper.make_node("Gelu", ["x"], ["h"], name="g", domain="com.example"), node("Gemm", "h w b", "y", transB=1)]), "node `g` (Gelu): operators of `com.example`")
refuse("dynamic-width", tiny(shape=["w"]), "axis 1 of input `x` is dynamic (`w`)")
refuse("shape-mismatch", tiny(shape=[5]), "gives 5, `node_y` takes 4")
refuse("declared-output", model("tiny", [node("Gemm", "x w", "y", transB=1)], [weights("w", 3, 4)], [4], 7), "output `y` is declared as [7], but is [3]")
refuse("integer-weights", model("tiny", [node("MatMul", "x w", "y")], [numpy_helper.from_array(np.ones((4, 3), dtype=np.int32), "w")], [4], 3), "initialiser `w` has element type I32")
refuse("too-few-bytes", tiny([node("Gemm", "x short b", "y", transB=1)], [TensorProto(name="short", data_type=1, dims=[3, 4], raw_data=bytes(44))]), "initialiser `short`: shape [3, 4] needs 48 bytes, the raw data hold 44")
refuse("too-few-values", tiny([node("Gemm", "x short b", "y", transB=1)], [TensorProto(name="short", data_type=1, dims=[3, 4], float_data=[1.0] * 11)]), "needs 12 values, it holds 11")
refuse("shape-overflow", tiny([node("Gemm", "x huge b", "y", transB=1)], [TensorProto(name="huge", data_type=1, dims=[1 << 62, 1 << 62], raw_data=bytes(4))]), "overflows")
refuse("negative-shape", tiny([node("Gemm", "x less b", "y", transB=1)], [TensorProto(name="less", data_type=1, dims=[-3, 4], raw_data=bytes(4))]), "has shape [-3, 4]")
refuse("not-finite", tiny([node("Gemm", "x nan b", "y", transB=1)], [numpy_helper.from_array(np.array([[1, 2, 3, 4], [5, np.nan, 7, 8], [1, 1, 1, 1]], dtype=np.float32), "nan")]), "tensor `nan` has 1 values that are not finite, the first at index 5")


def beside(location, **more):
    tensor = TensorProto(name="far", data_type=1, dims=[3, 4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tiny([node("Gemm", "x far b", "y", transB=1)], [tensor])


refuse("outside-the-folder", beside("../secret.bin"), "external data in `../secret.bin`, outside the folder of the model")
refuse("absolute-path", beside("/etc/passwd"), "outside the folder of the model")
refuse("beyond-its-file", beside("opset-too-new.onnx", offset="999999", length="48"), "truncated: `opset-too-new.onnx` holds")
refuse("wrong-length", beside("opset-too-new.onnx", offset="0", length="40"), "needs 48 bytes, its external data claim 40")
refuse("training-norm", model("tiny", [node("BatchNormalization", "x s b m v", "n", training_mode=1), node("Flatten", "n", "f"), node("MatMul", "f w", "y")],
    [positive("s", 2), positive("b", 2), positive("m", 2), positive("v", 2), weights("w", 8, 3)], [2, 2, 2], 3), "only inference per channel is supported")
refuse("three-dimensions", model("tiny", [node("Conv", "x k", "c"), node("Flatten", "c", "f"), node("MatMul", "f w", "y")], [weights("k", 2, 1, 1, 1, 1), weights("w", 16, 3)], [1, 2, 2, 2], 3), "a kernel of shape [2, 1, 1, 1, 1]; only two dimensions")
refuse("batch-axis", tiny([node("Transpose", "x", "t", perm=[1, 0]), node("Gemm", "t w b", "y", transB=1)]), "does not keep the batch first")
two = tiny()
two.graph.input.add().CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 4]))
refuse("two-inputs", two, "has 2 inputs (`x`, `z`), a classifier has one")
(HERE / "bad" / "messages.json").write_text(json.dumps(bad, indent=1) + "\n")
