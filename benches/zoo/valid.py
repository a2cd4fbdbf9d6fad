"""Judges and counts an ONNX file: the same eyes for every program."""
import math
import pathlib

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from onnx import TensorProto, numpy_helper

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
BATCHES = (1, 3)


def session(model: bytes | str, optimise: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def batch_is_dynamic(path: pathlib.Path) -> bool:
    return not isinstance(session(str(path)).get_inputs()[0].shape[0], int)


def logits(path: pathlib.Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes from the batch `x`: the first output."""
    run = session(str(path))
    return run.run(None, {run.get_inputs()[0].name: x})[0]


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """max |found - expected| / max |expected|; infinite where the shapes differ or a value is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return math.inf
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def faults(path: pathlib.Path, examples, classes: int, dynamic: bool) -> dict[str, str]:
    """Why `path` is no good; empty if it is. `checker`: the full check of onnx.checker fails; `fault`: it does not run as it should.

    The file runs at every batch size of `BATCHES` that it allows. One made from a file with a dynamic batch has to keep it so, and the
    logits of a batch have to be those of its examples alone.
    """
    found = {}
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:
        found["checker"] = first_line(error)
    try:
        runs = fault_of_runs(path, examples(BATCHES[-1]), classes, dynamic)
    except Exception as error:
        runs = f"onnxruntime: {first_line(error)}"
    return found | ({"fault": runs} if runs else {})


def fault_of_runs(path: pathlib.Path, x: np.ndarray, classes: int, dynamic: bool) -> str | None:
    if dynamic and not batch_is_dynamic(path):
        return "the batch is no longer dynamic"
    alone = np.concatenate([logits(path, x[i : i + 1]) for i in range(len(x))])
    if alone.shape != (len(x), classes):
        return f"logits of shape {alone.shape}"
    if not np.isfinite(alone).all():
        return "logits that are not finite"
    if dynamic and (off := difference(logits(path, x), alone)) > 1e-4:
        return f"a batch of {len(x)} differs from its examples by {off:.1e}"
    return None


def parameters(path: pathlib.Path) -> int:
    """Elements of all real constants of the graph with at least one axis: initialisers and Constant nodes, in subgraphs and functions too."""
    model = onnx.load(path)
    functions = sum(tensors(function.node) for function in model.functions)
    return of_graph(model.graph) + functions


def of_graph(graph: onnx.GraphProto) -> int:
    return sum(elements(tensor) for tensor in graph.initializer) + tensors(graph.node)


def tensors(nodes) -> int:
    attributes = [(node, attribute) for node in nodes for attribute in node.attribute]
    constants = sum(elements(attribute.t) for node, attribute in attributes if node.op_type == "Constant")
    return constants + sum(of_graph(attribute.g) for _, attribute in attributes if attribute.type == onnx.AttributeProto.GRAPH)


def elements(tensor: TensorProto) -> int:
    return math.prod(tensor.dims) if tensor.data_type in FLOATS and tensor.dims else 0


def multiply_adds(path: pathlib.Path, x: np.ndarray) -> int:
    """Multiply-adds of convolutions, products of matrices and recurrent cells for the one example `x`; the shapes are those of a run."""
    model = onnx.inliner.inline_local_functions(onnx.load(path))
    counted = [node for node in model.graph.node if node.op_type in COUNTS]
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    constants |= {node.output[0]: numpy_helper.to_array(node.attribute[0].t).shape
                  for node in model.graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"}
    inputs = {value.name for value in model.graph.input}
    wanted = {name for node in counted for name in (*node.input, node.output[0]) if name and name not in constants and name not in inputs}
    present = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted - present))
    run = session(model.SerializeToString(), optimise=False)
    names = [output.name for output in run.get_outputs()]
    first = run.get_inputs()[0].name
    shapes = constants | {first: x.shape} | dict(zip(names, (value.shape for value in run.run(None, {first: x}))))
    return sum(COUNTS[node.op_type](node, [shapes.get(name, ()) for name in node.input], shapes[node.output[0]]) for node in counted)


def convolution(_node, inputs, output) -> int:
    return math.prod(output) * math.prod(inputs[1][1:])


def transposed(_node, inputs, _output) -> int:
    return math.prod(inputs[0]) * math.prod(inputs[1][1:])


def product(_node, inputs, output) -> int:
    return math.prod(output) * inputs[0][-1]


def gemm(node, inputs, output) -> int:
    swapped = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(output) * inputs[0][0 if swapped else -1]


def einsum(node, inputs, _output) -> int:
    equation = next(attribute.s.decode() for attribute in node.attribute if attribute.name == "equation")
    terms = equation.replace(" ", "").split("->")[0].split(",")
    return math.prod({axis: size for term, shape in zip(terms, inputs) for axis, size in zip(term, shape)}.values())


def recurrent(_node, inputs, _output) -> int:
    steps, batch, _ = inputs[0]
    return steps * batch * (math.prod(inputs[1]) + math.prod(inputs[2]))


COUNTS = {"Conv": convolution, "ConvTranspose": transposed, "MatMul": product, "Gemm": gemm, "Einsum": einsum,
          "LSTM": recurrent, "GRU": recurrent, "RNN": recurrent}


def first_line(error: BaseException | str, width: int = 240) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:width]
