"""The networks. Each name exported here is a builder, which configurations and checkpoints refer to by this name.

A builder takes `in_channels`, `num_classes`, `image_size` and the options of its network. It raises ValueError if one
of the first three is not an integer of at least 1.
"""

from cnnlab.models.alexnet import alexnet, alexnet_2012
from cnnlab.models.cnn import cnn
from cnnlab.models.cnn_notes import cnn_notes
from cnnlab.models.densenet import densenet121
from cnnlab.models.fastnet import fastnet
from cnnlab.models.googlenet import googlenet
from cnnlab.models.googlenet_d2l import googlenet_d2l
from cnnlab.models.lenet import lenet5, lenet5_1998
from cnnlab.models.mlp import mlp
from cnnlab.models.mobilenet import mobilenet_v1, mobilenet_v2
from cnnlab.models.nin import nin
from cnnlab.models.nin_d2l import nin_d2l
from cnnlab.models.preact_resnet import preact_resnet18
from cnnlab.models.resnet import resnet18, resnet20, resnet32, resnet34, resnet44, resnet50, resnet56, resnet110
from cnnlab.models.resnext import resnext29_32x4d
from cnnlab.models.se_resnet import se_resnet18
from cnnlab.models.vgg import vgg11, vgg13, vgg16, vgg19
from cnnlab.models.wide_resnet import wrn_28_10
from cnnlab.models.zfnet import zfnet

__all__ = [
    "alexnet",
    "alexnet_2012",
    "cnn",
    "cnn_notes",
    "densenet121",
    "fastnet",
    "googlenet",
    "googlenet_d2l",
    "lenet5",
    "lenet5_1998",
    "mlp",
    "mobilenet_v1",
    "mobilenet_v2",
    "nin",
    "nin_d2l",
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
