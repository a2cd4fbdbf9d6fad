"""The programs that prune: each removes half of every width and writes ONNX.

A program takes a `Case`, writes `case.target` and returns what it alone knows: its version, its seconds, a fault. What is valid and how
much went, `judged` says, the same for all.
"""
import json
import pathlib
import subprocess
import tempfile
import time
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import onnx
import onnxsim
import torch
import torch_pruning
from torch import nn

import export
import valid
from networks import NETWORKS, build

EVALUATED = 16


class Case(NamedTuple):
    """One network from one exporter: the file before, the file to write, and what is known of the file before."""

    network: str
    exporter: str
    source: pathlib.Path
    target: pathlib.Path
    dynamic: bool
    classes: int
    tropix: pathlib.Path | None

    def examples(self, batch: int, seed: int = 1) -> np.ndarray:
        return NETWORKS[self.network].examples(batch, seed).numpy()


def with_onnxsim(case: Case) -> dict:
    """Structured pruning of onnxsim: channels of convolutions and linear layers with one reader each, by their l1 norm."""
    model = onnx.load(case.source)
    start = time.perf_counter()
    pruned = onnxsim.apply_structured_pruning(model, sparsity=0.5, importance_norm="l1")
    seconds = time.perf_counter() - start
    onnx.save(pruned, case.target)
    return {"version": version("onnxsim"), "seconds": round(seconds, 2)}


def with_torch_pruning(case: Case) -> dict:
    """Torch-Pruning's dependency groups by magnitude (p = 1), all but the layer of the logits; on the module, which is then exported.

    Heads of attentions with a joint projection are told as its examples for timm tell them: every head loses the same share of its
    width. `of_module` are the parameters of the module, before and after.
    """
    network, module = NETWORKS[case.network], build(case.network)
    x = network.examples(2, seed=1)
    before = sum(parameter.numel() for parameter in module.parameters())
    start = time.perf_counter()
    heads = attention_heads(module)
    pruner = torch_pruning.pruner.BasePruner(
        module, x, importance=torch_pruning.importance.GroupMagnitudeImportance(p=1), pruning_ratio=0.5,
        ignored_layers=classifiers(module, case.classes), num_heads=heads)
    pruner.step()
    for attention in module.modules():
        if getattr(attention, "qkv", None) in heads:
            resize(attention)
    row = {"version": version("torch-pruning"), "seconds": round(time.perf_counter() - start, 2),
           "of_module": [before, sum(parameter.numel() for parameter in module.parameters())]}
    try:
        with torch.no_grad():
            module.eval()(x)
    except Exception as error:
        return row | {"fault": f"the pruned module: {valid.first_line(error)}"}
    try:
        export.save(module, x if case.dynamic else x[:1], case.target, case.exporter, case.dynamic)
    except Exception as error:
        return row | {"fault": f"export of the pruned module: {valid.first_line(error)}"}
    return row


def attention_heads(module: nn.Module) -> dict[nn.Module, int]:
    """The joint projection of every attention that says its number of heads."""
    return {layer.qkv: layer.num_heads for layer in module.modules()
            if isinstance(getattr(layer, "qkv", None), nn.Linear) and isinstance(getattr(layer, "num_heads", None), int)}


def resize(attention: nn.Module) -> None:
    """Sets the sizes that timm's attention keeps beside its weights to those of its pruned projection."""
    width = attention.qkv.out_features // 3
    for key, size in (("head_dim", width // attention.num_heads), ("attn_dim", width)):
        if hasattr(attention, key):
            setattr(attention, key, size)


def classifiers(module: nn.Module, classes: int) -> list[nn.Module]:
    """The layer that gives the logits: the last one with as many outputs as there are classes."""
    layers = [layer for layer in module.modules() if classes in (getattr(layer, "out_features", None), getattr(layer, "out_channels", None))]
    return layers[-1:]


def with_tropix(case: Case) -> dict:
    """`tropix prune --keep 0.5 --method l1`, trunks coupled; the time is that of the command, reading and writing included."""
    help_text = subprocess.run([case.tropix, "prune", "--help"], capture_output=True, text=True).stdout
    trunk = ["--couple-trunk"] if "--couple-trunk" in help_text else []
    command = [case.tropix, "prune", case.source, "--keep", "0.5", "--method", "l1", *trunk, "-o", case.target]
    start = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True)
    seconds = round(time.perf_counter() - start, 2)
    row = {"version": subprocess.run([case.tropix, "--version"], capture_output=True, text=True).stdout.split()[-1],
           "seconds": seconds}
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("error")]
        return row | {"fault": valid.first_line(errors[0] if errors else ended.stderr)}
    return row


def evaluated(case: Case) -> dict:
    """The share of random examples that `tropix evaluate` puts into the class in which onnxruntime puts them, or why it is not known.

    Random weights put all examples into one class, whatever the differences between them; so the mean logits of the examples are
    subtracted first, in the file. Counted are examples whose two best classes lie so far apart that logits right to 1e-4 of the
    largest cannot exchange them.
    """
    batch = EVALUATED if case.dynamic else 1
    x = case.examples(EVALUATED, seed=2)
    found = np.concatenate([valid.logits(case.target, x[i : i + batch]) for i in range(0, len(x), batch)])
    mean = found.mean(axis=0)
    second, best = np.sort(found - mean, axis=1)[:, -2:].T
    apart = best - second > 2e-4 * np.abs(found).max()
    if not apart.any():
        return {"not_evaluated": "no example tells classes apart"}
    with tempfile.TemporaryDirectory() as folder:
        model, data = f"{folder}/shifted.onnx", f"{folder}/examples.npz"
        onnx.save(shifted(onnx.load(case.target), -mean), model)
        np.savez(data, x=x[apart], y=(found - mean).argmax(axis=1)[apart])
        ended = subprocess.run([case.tropix, "--json", "evaluate", model, "--data", data], capture_output=True, text=True)
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("error")]
        return {"not_evaluated": valid.first_line("\n".join(errors)).replace(f"{folder}/", "")}
    return {"evaluate": json.loads(ended.stdout)["accuracy"]["top1"][0]}


def shifted(model: onnx.ModelProto, shift: np.ndarray) -> onnx.ModelProto:
    """`model` with `shift` added to its logits."""
    output = model.graph.output[0]
    model.graph.initializer.append(onnx.numpy_helper.from_array(shift, "zoo_shift"))
    model.graph.node.append(onnx.helper.make_node("Add", [output.name, "zoo_shift"], ["zoo_logits"]))
    output.name = "zoo_logits"
    return model


PROGRAMS = {"tropix": with_tropix, "torch-pruning": with_torch_pruning, "onnxsim": with_onnxsim}


def prune(program: str, case: Case) -> dict:
    case.target.unlink(missing_ok=True)
    return PROGRAMS[program](case)


def judged(program: str, case: Case) -> dict:
    """What `case.target` is: its parameters, what is wrong with it, and its multiply-adds if it runs."""
    row = {"parameters": valid.parameters(case.target), **valid.faults(case.target, case.examples, case.classes, case.dynamic)}
    if "fault" in row:
        return row
    row["multiply_adds"] = valid.multiply_adds(case.target, case.examples(1))
    return row | evaluated(case) if program == "tropix" else row
