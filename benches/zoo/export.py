"""Writes a network of the zoo as ONNX, by both exporters of torch."""
import logging
import pathlib
import time
import warnings

import torch

import valid
from networks import NETWORKS, build

EXPORTERS = ("ts", "dynamo")
OPSETS = {"ts": 17, "dynamo": 18}


def save(module: torch.nn.Module, x: torch.Tensor, path: pathlib.Path, exporter: str, dynamic: bool) -> None:
    """Exports `module`, with a dynamic batch axis or with that of the example `x`, as one file without external data."""
    if exporter == "ts":
        options = {"dynamo": False, "dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}} if dynamic else None}
    else:
        options = {"dynamo": True, "dynamic_shapes": ({0: "batch"},) if dynamic else None, "external_data": False,
                   "verbose": False}
    logging.disable()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), str(path), input_names=["input"], output_names=["logits"], opset_version=OPSETS[exporter], **options)


def export(name: str, exporter: str, path: pathlib.Path) -> dict:
    """Writes `name` to `path` and checks the file against torch: with a dynamic batch if that gives a valid file, else with a batch of 1."""
    network = NETWORKS[name]
    module = build(name)
    x = network.examples(valid.BATCHES[-1], seed=1)
    with torch.no_grad():
        expected = module(x).numpy()
    why = {}
    for dynamic in (True, False):
        start = time.perf_counter()
        try:
            save(module, x if dynamic else x[:1], path, exporter, dynamic)
        except Exception as error:
            why[dynamic] = valid.first_line(error)
            continue
        seconds = time.perf_counter() - start
        found = valid.faults(path, lambda batch: network.examples(batch, seed=1).numpy(), expected.shape[1], dynamic)
        why[dynamic] = found.get("fault")
        if why[dynamic] is None:
            off = valid.difference(valid.logits(path, x[:1].numpy()), expected[:1])
            row = {"batch": "dynamic" if dynamic else 1, "seconds": round(seconds, 2), "bytes": path.stat().st_size,
                   "classes": expected.shape[1], "difference": float(f"{off:.1e}"), "parameters": valid.parameters(path),
                   "multiply_adds": valid.multiply_adds(path, x[:1].numpy()), **found}
            return row if dynamic else row | {"why_not_dynamic": why[True]}
    path.unlink(missing_ok=True)
    return {"fault": why[False], "why_not_dynamic": why[True]}
