"""Exact parameter counts. Every network of conf/model/ needs a row here."""

import pytest
import torch

from cnnlab.analysis.cost import count_parameters
from tests.models.networks import MODELS, make

# For the paper's input and number of classes, computed from the papers' tables. The networks of torchvision and
# pytorchcv, whose logits test_independent.py compares, have the same counts.
PARAMETERS = {
    "alexnet": 61_100_840,
    "alexnet_2012": 60_965_224,  # the paper says 60 million
    "cnn": 32 * 27 + 64 * 288 + 128 * 576 + 2 * (32 + 64 + 128) + 2048 * 10 + 10,
    # Three 3x3 convolutions of 16 channels with biases and norms, then 16 x 16 x 16 values to 64 units to 10 classes.
    "cnn_notes": (3 + 16 + 16) * 9 * 16 + 3 * 3 * 16 + 4096 * 64 + 64 + 640 + 10,
    "densenet121": 7_978_856,
    # The whitening layer; the blocks' convolutions and one shift per channel; the head.
    "fastnet": (24 * 12 + 24) + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * (64 + 256 + 256) + 2560,
    "googlenet": 6_998_552 + 6_379_728,  # the network and its auxiliary heads
    "googlenet_bn": 6_998_552
    + 6_379_728
    + 7_280
    + 2 * 128,  # per channel, two parameters of a norm instead of one bias
    "googlenet_d2l": 5_977_530,  # one channel, 10 classes
    "lenet5": 61_706,
    "lenet5_1998": 60_806 + 44,  # with table I; weights and biases of the subsampling
    "mlp": 784 * 512 + 512 + 512 * 256 + 256 + 2560 + 10,
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "nin": 966_986,
    "nin_d2l": 1_992_166,  # one channel, 10 classes
    "plain18": 11_515_688,
    "plain20": 269_722,  # as ResNet-20, because option A has no parameters
    "plain34": 21_797_672 - 173_824,  # without the projections, which are those of ResNet-18
    "plain56": 853_018,
    "preact_resnet18": 11_172_170,
    "resnet110": 1_727_962,
    "resnet18": 11_689_512,
    "resnet20": 269_722,  # the paper says 0.27 million
    "resnet32": 464_154,
    "resnet34": 21_797_672,
    "resnet44": 658_586,
    "resnet50": 25_557_032,
    "resnet56": 853_018,
    "resnext29_32x4d": 4_775_754,
    "resnext29_8x64d": 34_426_698,  # the paper says 34.4 million
    "se_resnet18": 11_778_592,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "wrn_28_10": 36_479_194,  # the paper says 36.5 million
    "zfnet": 62_357_608,
}
VARIANTS = [
    ("resnet18", {"image_size": 32, "num_classes": 10}, 11_173_962),
    ("resnet18", {"shortcut": "none"}, 11_515_688),
    ("resnet18", {"shortcut": "A"}, 11_515_688),
    ("vgg16", {"image_size": 32, "num_classes": 10}, 15_245_130),  # 14,714,688 of convolutions, then 512-512-512-10
    ("nin", {"image_size": 224, "in_channels": 1}, 1_992_166),  # Dive into deep learning, section 8.3
    ("lenet5_1998", {"output": "radial"}, 60_000),  # the paper's number of trainable weights
    ("googlenet", {"auxiliary": False}, 6_998_552),
    ("mobilenet_v1", {"width": 0.5}, 1_331_592),  # pytorchcv's mobilenet_wd2; the paper says 1.3 million
    ("resnet20", {"shortcut": "B"}, 272_474),
    ("wrn_28_10", {"depth": 16, "width": 8}, 10_961_370),  # the paper says 11.0 million
]


def parameters_of(model: str, **more) -> int:
    with torch.device("meta"):
        return count_parameters(make(model, **more))


@pytest.mark.parametrize("model", MODELS)
def test_parameter_count_of_a_network(model):
    assert model in PARAMETERS, f"{model} has no row in PARAMETERS"
    assert parameters_of(model) == PARAMETERS[model]


def test_every_row_belongs_to_a_network():
    assert set(PARAMETERS) == set(MODELS)


@pytest.mark.parametrize(("model", "more", "expected"), VARIANTS)
def test_parameter_count_of_a_variant(model, more, expected):
    assert parameters_of(model, **more) == expected
