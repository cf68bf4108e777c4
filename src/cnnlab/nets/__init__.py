"""The networks. A name exported here is what `model=` and a checkpoint call it."""

from cnnlab.nets.alexnet import alexnet, alexnet_2012
from cnnlab.nets.cnn import cnn
from cnnlab.nets.densenet import densenet121
from cnnlab.nets.fastnet import fastnet
from cnnlab.nets.googlenet import googlenet
from cnnlab.nets.lenet import lenet5, lenet5_1998
from cnnlab.nets.mlp import mlp
from cnnlab.nets.mobilenet import mobilenet_v1, mobilenet_v2
from cnnlab.nets.nin import nin
from cnnlab.nets.preact_resnet import preact_resnet18
from cnnlab.nets.resnet import resnet18, resnet20, resnet32, resnet34, resnet44, resnet50, resnet56, resnet110
from cnnlab.nets.resnext import resnext29_32x4d
from cnnlab.nets.se_resnet import se_resnet18
from cnnlab.nets.vgg import vgg11, vgg13, vgg16, vgg19
from cnnlab.nets.wide_resnet import wrn_28_10
from cnnlab.nets.zfnet import zfnet

__all__ = [
    "alexnet",
    "alexnet_2012",
    "cnn",
    "densenet121",
    "fastnet",
    "googlenet",
    "lenet5",
    "lenet5_1998",
    "mlp",
    "mobilenet_v1",
    "mobilenet_v2",
    "nin",
    "preact_resnet18",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet110",
    "resnext29_32x4d",
    "se_resnet18",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "wrn_28_10",
    "zfnet",
]
