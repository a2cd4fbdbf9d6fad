"""Gradients by all parameters, by torch's autograd: `python3 gradients.py` with torch, onnx and safetensors.

Three networks, exported as `gradients/NAME.onnx` with the names of their parameters; beside each `gradients/NAME.safetensors`
holds `inputs`, `labels`, the mean cross-entropy as `loss` and the gradient by every parameter under its name. All in f64 but
for the files, which are f32 (parameters are rounded to it first).
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).parent / "gradients"


class Convolutions(nn.Module):
    """Strides, dilation, padding on some sides, groups, depthwise kernels, batch norms, both pools, a transposed convolution."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 12, 3, dilation=2, padding=2, groups=6, bias=False)
        self.grouped = nn.Conv2d(12, 8, (1, 2), groups=2)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.last = nn.Linear(4 * 3 * 2, 3)

    def forward(self, x):
        x = F.relu(self.norm(self.first(F.pad(x, (0, 1, 1, 0)))))
        x = F.silu(self.grouped(self.depthwise(x)))
        x = F.max_pool2d(F.relu6(self.up(x)), 2) + F.avg_pool2d(self.up(x), 2)
        return self.last(F.avg_pool2d(x, 2).flatten(1))


class Attention(nn.Module):
    """A layer norm, an embedding of places, heads, GELU, a product whose weights lie on the right."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.places = nn.Parameter(torch.randn(1, 4, 8) * 0.3)
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8, bias=False)
        self.scale = nn.Parameter(torch.rand(8) + 0.5)
        self.up = nn.Linear(8, 13)
        self.last = nn.Linear(13, 4)

    def forward(self, x):
        x = self.embed(x) + self.places
        q, k, v = self.qkv(self.norm(x)).reshape(-1, 4, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        a = torch.softmax(q @ k.transpose(-2, -1) / 2.0, dim=-1) @ v
        x = x + self.scale * self.out(a.transpose(1, 2).reshape(-1, 4, 8))
        return self.last(F.gelu(self.up(x)).mean(1))


class Tied(nn.Module):
    """One matrix in two places."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.first(torch.tanh(self.first(x)))))


def write(name, module, shape, classes):
    torch.manual_seed(7)
    for parameter in module.parameters():
        parameter.data = torch.randn_like(parameter) * 0.4 if parameter.ndim > 1 else torch.rand_like(parameter) + 0.2
    for buffer, value in module.named_buffers():
        if buffer.endswith("mean"):
            value.copy_(torch.randn_like(value) * 0.2)
        elif buffer.endswith("var"):
            value.copy_(torch.rand_like(value) + 0.5)
    module.eval()
    inputs = torch.randn(5, *shape)
    labels = torch.arange(5) % classes
    torch.onnx.export(
        module,
        (inputs[:1],),
        str(FOLDER / f"{name}.onnx"),
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "n"}, "output": {0: "n"}},
        opset_version=17,
        dynamo=False,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    module = module.double()
    loss = F.cross_entropy(module(inputs.double()), labels)
    loss.backward()
    tensors = {f"gradient.{key}": value.grad.float().contiguous() for key, value in module.named_parameters()}
    tensors |= {"inputs": inputs, "labels": labels.int(), "loss": loss.detach().float().reshape(1)}
    save_file(tensors, str(FOLDER / f"{name}.safetensors"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write("convolutions", Convolutions(), (2, 10, 9), 3)
    write("attention", Attention(), (4, 5), 4)
    write("tied", Tied(), (6,), 3)
