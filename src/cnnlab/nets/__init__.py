"""The networks. A name exported here is what `model=` and a checkpoint call it."""

from cnnlab.nets.cnn import cnn
from cnnlab.nets.lenet import lenet5
from cnnlab.nets.mlp import mlp
from cnnlab.nets.resnet import resnet18

__all__ = ["cnn", "lenet5", "mlp", "resnet18"]
