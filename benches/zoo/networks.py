"""The networks of the zoo: how each is built, and the shape of one example without the batch.

Weights are random and not trained: what a program removes, and whether what it writes is valid, does not depend on them.
"""
import zlib
from typing import Callable, NamedTuple

import timm
import torch
import torchvision
import transformers
from torch import nn

import small

VOCABULARY = 30522


class Network(NamedTuple):
    """`build` makes the module; `shape` is one example's shape; `tokens` says that an example is token numbers, not reals."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    tokens: bool = False

    def examples(self, batch: int, seed: int = 0) -> torch.Tensor:
        """A batch of random examples: standard normal values, or token numbers."""
        rng = torch.Generator().manual_seed(seed)
        if self.tokens:
            return torch.randint(1, VOCABULARY, (batch, *self.shape), generator=rng)
        return torch.randn((batch, *self.shape), generator=rng)


def from_torchvision(name: str, side: int = 224, **options) -> Network:
    return Network(lambda: getattr(torchvision.models, name)(weights=None, **options), (3, side, side))


def from_timm(name: str, side: int = 224, **options) -> Network:
    return Network(lambda: timm.create_model(name, pretrained=False, **options), (3, side, side))


def bert(layers: int, width: int) -> nn.Module:
    config = transformers.BertConfig(
        vocab_size=VOCABULARY, num_hidden_layers=layers, hidden_size=width, num_attention_heads=width // 64, intermediate_size=4 * width,
        num_labels=4, attn_implementation="eager", return_dict=False)
    return small.Logits(transformers.BertForSequenceClassification(config))


NETWORKS = {
    **{f"mlp_{name}": Network(lambda name=name: small.mlp(name), (64,)) for name in ("gelu", "tanh")},
    **{f"cnn_{name}": Network(lambda name=name: small.cnn(name), (3, 32, 32)) for name in small.ACTIVATIONS},
    "cnn_1d": Network(small.cnn_1d, (6, 128)),
    "cnn_3d": Network(small.cnn_3d, (1, 16, 32, 32)),
    "lstm": Network(small.Lstm, (32, 16)),
    "resnet20_option_a": Network(small.ResNet20, (3, 32, 32)),
    "resnet18": from_torchvision("resnet18"),
    "resnet18d": from_timm("resnet18d"),
    "resnet50": from_torchvision("resnet50"),
    "resnext50": from_torchvision("resnext50_32x4d"),
    "densenet121": from_torchvision("densenet121"),
    "googlenet": from_torchvision("googlenet", aux_logits=False, init_weights=False),
    "inception_v3": from_torchvision("inception_v3", side=299, aux_logits=False, init_weights=False),
    "mnasnet": from_torchvision("mnasnet1_0"),
    "regnet_x_400mf": from_torchvision("regnet_x_400mf"),
    "repvgg_a0": from_timm("repvgg_a0"),
    "mobilenet_v2": from_torchvision("mobilenet_v2"),
    "squeezenet": from_torchvision("squeezenet1_1"),
    "mobilenet_v3_small": from_torchvision("mobilenet_v3_small"),
    "efficientnet_b0": from_torchvision("efficientnet_b0"),
    "efficientnet_v2_s": from_torchvision("efficientnet_v2_s"),
    "shufflenet": from_torchvision("shufflenet_v2_x1_0"),
    "regnet_y_400mf": from_torchvision("regnet_y_400mf"),
    "convnext_tiny": from_torchvision("convnext_tiny"),
    "vit_tiny": from_timm("vit_tiny_patch16_224"),
    "mixer_s32": from_timm("mixer_s32_224"),
    "swin_t": from_torchvision("swin_t"),
    "efficientnetv2_b0": from_timm("tf_efficientnetv2_b0"),
    "mobilevit_xxs": from_timm("mobilevit_xxs", side=256),
    "mobileone_s0": from_timm("mobileone_s0"),
    "ghostnet_100": from_timm("ghostnet_100"),
    "hrnet_w18_small": from_timm("hrnet_w18_small"),
    "dla34": from_timm("dla34"),
    "res2net50": from_timm("res2net50_26w_4s"),
    "resnest14d": from_timm("resnest14d"),
    "seresnet18": from_timm("seresnet18"),
    "ese_vovnet19b": from_timm("ese_vovnet19b_dw"),
    "edgenext_xx_small": from_timm("edgenext_xx_small"),
    "convnextv2_atto": from_timm("convnextv2_atto"),
    "deit_tiny": from_timm("deit_tiny_patch16_224"),
    "cait_xxs24": from_timm("cait_xxs24_224"),
    "pit_ti": from_timm("pit_ti_224"),
    "levit_128s": from_timm("levit_128s"),
    "poolformer_s12": from_timm("poolformer_s12"),
    "efficientformer_l1": from_timm("efficientformer_l1"),
    "maxvit_nano": from_timm("maxvit_nano_rw_256", side=256),
    "coatnet_0": from_timm("coatnet_0_rw_224"),
    "swinv2_tiny": from_timm("swinv2_tiny_window8_256", side=256),
    "fastvit_t8": from_timm("fastvit_t8"),
    "repvit_m0_9": from_timm("repvit_m0_9"),
    "mobilenetv4_conv_small": from_timm("mobilenetv4_conv_small"),
    "bert_mini": Network(lambda: bert(4, 256), (64,), tokens=True),
    "alexnet": from_torchvision("alexnet"),
    "wide_resnet50": from_torchvision("wide_resnet50_2"),
    "bert_base": Network(lambda: bert(12, 768), (64,), tokens=True),
    "vgg16_bn": from_torchvision("vgg16_bn"),
}


def build(name: str) -> nn.Module:
    """Builds `name` with random weights that depend on its name alone, in evaluation mode, attention written out.

    Scales and shifts that an initialisation leaves at a constant (batch norm's gamma = 1 or 0, layer scale's 1e-6) are drawn at random,
    so that no branch is silent and no unit is like another; the running statistics of batch norms are those of a batch of noise.
    """
    torch.manual_seed(zlib.crc32(name.encode()))
    timm.layers.set_fused_attn(False)
    network = NETWORKS[name]
    module = network.build()
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            if parameter.numel() > 1 and parameter.min() == parameter.max():
                shift = bool(parameter.flatten()[0] == 0) and (parameter.dim() > 1 or not key.endswith("weight"))
                parameter.normal_(0, 0.1) if shift else parameter.uniform_(0.5, 1.5)
    return normalise(module, network.examples(8))


def normalise(module: nn.Module, x: torch.Tensor) -> nn.Module:
    """Sets the running statistics of every batch norm to those of the batch `x`; returns the module in evaluation mode."""
    module.eval()
    norms = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.train()
        layer.momentum = 1.0
    if norms:
        with torch.no_grad():
            module(x)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
    return module.eval()
