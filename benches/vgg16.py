"""Writes a network of the size of VGG-16 with random weights as ONNX, its data in a file beside it: 138,357,544 parameters, 553 MB.

    pip install numpy onnx
    python benches/vgg16.py vgg16.onnx
    tropix prune vgg16.onnx -o half.onnx --keep 0.5 --device cpu

The report of the last command gives the peak of memory.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
initializers, nodes = [], []


def tensor(name, shape, scale):
    initializers.append(numpy_helper.from_array((rng.standard_normal(shape, dtype=np.float32) * scale).astype(np.float32), name))


def layer(op, inputs, output, **attributes):
    nodes.append(helper.make_node(op, inputs, [output], f"/{output}", **attributes))
    return output


x, channels, number = "input", 3, 0
for width, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
    for _ in range(count):
        name = f"features.{number}"
        tensor(f"{name}.weight", (width, channels, 3, 3), (2 / (9 * channels)) ** 0.5)
        tensor(f"{name}.bias", (width,), 0.05)
        x = layer("Conv", [x, f"{name}.weight", f"{name}.bias"], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        x = layer("Relu", [x], f"{name}.relu")
        channels, number = width, number + 1
    x = layer("MaxPool", [x], f"{x}.pool", kernel_shape=[2, 2], strides=[2, 2])
x, width = layer("Flatten", [x], "flatten"), 25_088
for number, outputs in enumerate([4096, 4096, 1000]):
    name = f"classifier.{number}"
    tensor(f"{name}.weight", (outputs, width), (2 / width) ** 0.5)
    tensor(f"{name}.bias", (outputs,), 0.05)
    x = layer("Gemm", [x, f"{name}.weight", f"{name}.bias"], name if number < 2 else "output", transB=1)
    x = layer("Relu", [x], f"{name}.relu") if number < 2 else x
    width = outputs
value = helper.make_tensor_value_info
graph = helper.make_graph(
    nodes, "vgg16", [value("input", TensorProto.FLOAT, ["n", 3, 224, 224])], [value(x, TensorProto.FLOAT, ["n", 1000])], initializers
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
path = pathlib.Path(sys.argv[1])
onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=True, location=f"{path.name}.data")
