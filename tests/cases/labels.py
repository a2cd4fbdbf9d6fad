"""Writes samples for the ONNX models of this folder, labelled with the classes that onnxruntime finds.

    pip install numpy onnxruntime safetensors
    python tests/cases/labels.py
"""
import pathlib

import numpy as np
import onnxruntime
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
for name, count in [("softmax_axis0", 64), ("mp_ceil_round_trip_22", 16), ("bn_shared_params", 16), ("dead_branch", 64)]:
    session = onnxruntime.InferenceSession(str(HERE / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape[1:]
    x = np.random.default_rng(14).standard_normal((count, *shape)).astype(np.float16)
    y = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]
    save_file({"x": x, "labels": y.argmax(axis=1).astype(np.int64)}, HERE / f"{name}_data.safetensors")
