"""Small networks written out: those that no package offers, and one for every activation."""
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {
    "relu6": nn.ReLU6,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "prelu": nn.PReLU,
    "sigmoid": nn.Sigmoid,
    "hardswish": nn.Hardswish,
}


def mlp(activation: str) -> nn.Module:
    """64 -> 256 -> 128 -> 10."""
    act = ACTIVATIONS[activation]
    return nn.Sequential(nn.Linear(64, 256), act(), nn.Linear(256, 128), act(), nn.Linear(128, 10))


def cnn(activation: str) -> nn.Module:
    """Three convolutions with batch norm, and two linear layers that read the flattened maps."""
    act = ACTIVATIONS[activation]
    if activation == "prelu":
        prelu = iter((32, 64, 64, 128))
        act = lambda: nn.PReLU(next(prelu))
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), act(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), act(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), act(),
        nn.Flatten(), nn.Linear(64 * 4 * 4, 128), act(), nn.Linear(128, 10))


def cnn_1d() -> nn.Module:
    """Series of 6 channels and 128 steps, as of an accelerometer and a gyroscope."""
    return nn.Sequential(
        nn.Conv1d(6, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(64, 128, 5, padding=2), nn.BatchNorm1d(128), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(128, 128, 3, padding=2, dilation=2), nn.BatchNorm1d(128), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 6))


def cnn_3d() -> nn.Module:
    """Clips of one channel, 16 frames of 32 x 32."""
    return nn.Sequential(
        nn.Conv3d(1, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(), nn.MaxPool3d((1, 2, 2)),
        nn.Conv3d(16, 32, 3, padding=1), nn.BatchNorm3d(32), nn.ReLU(), nn.MaxPool3d(2),
        nn.Conv3d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(64, 10))


class Lstm(nn.Module):
    """One LSTM over series of 16 channels; the last state goes through an MLP."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(16, 64, batch_first=True)
        self.head = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0][:, -1])


class OptionA(nn.Module):
    """A residual block whose shortcut takes every second pixel and pads the new channels with zeros (He et al. 2015, option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.pad = (outputs - inputs) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.pad:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x)


class ResNet20(nn.Module):
    """ResNet-20 for 32 x 32 images with shortcuts of option A."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        blocks, inputs = [], 16
        for outputs in (16, 32, 64):
            for index in range(3):
                blocks.append(OptionA(inputs, outputs, 2 if index == 0 and outputs > 16 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        return self.fc(x.mean((2, 3)))


class Logits(nn.Module):
    """The first output of `module` alone."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)[0]
