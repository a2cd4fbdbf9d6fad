"""Prunes the graphs of this folder and writes them to `pruned`, with `expected.json`: outputs of the pruned files computed by
onnxruntime for the inputs of `../expected.json`.

    pip install numpy onnx onnxruntime
    cargo build --release && python assets/golden/onnx/pruned.py target/release/tropix

Every pruned file passes onnx.checker.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

HERE = pathlib.Path(__file__).parent
OUT = HERE / "pruned"
OUT.mkdir(exist_ok=True)
given = json.loads((HERE / "expected.json").read_text())
expected = {}
chains = ["residual", "matmul", "nhwc", "computed-shape", "bottleneck", "duplicates-nchw", "duplicates-nhwc", "readers", "channels-last"]
for name, *more in [*([name] for name in chains), ["trunk", "--couple-trunk"]]:
    for method in ["synth-refit", "tropnnc", "l1"]:
        path = OUT / f"{name}-{method}.onnx"
        command = [sys.argv[1], "prune", HERE / f"{name}.onnx", "-o", path, "--keep", "0.5", "--method", method, "--force", "--device", "cpu", *more]
        subprocess.run([*command, *(["--inputs", "200"] if method == "synth-refit" else [])], check=True)
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        x = session.get_inputs()[0]
        shape = [given[name]["rows"], *x.shape[1:]]
        y = session.run(None, {x.name: np.array(given[name]["input"], dtype=np.float32).reshape(shape)})[0]
        values = [float(f"{v:.9g}") for v in y.ravel().tolist()]
        expected[path.stem] = {"input": given[name]["input"], "rows": given[name]["rows"], "output": values}
(OUT / "expected.json").write_text(json.dumps(expected) + "\n")
