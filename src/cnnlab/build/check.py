"""What only torch knows of a run, checked before data is read. Imports no Lightning, which takes seconds."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnlab.analysis.cost import WEIGHT_BYTES, count_parameters
from cnnlab.augment import Augmentation
from cnnlab.augment.views import check_tta
from cnnlab.build.targets import make, target_of
from cnnlab.config.schema import TrainConfig
from cnnlab.config.sections import Data
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError, checking
from cnnlab.image_spec import ImageSpec
from cnnlab.machine.probes import total_memory
from cnnlab.machine.setup import prepare


def check_parts(cfg: TrainConfig) -> None:
    """Prepare the machine, and build what `cfg` describes without images and without memory for weights.

    Raises:
        UserError: the machine lacks something, a part cannot be built, or the weights do not fit into the memory.
    """
    prepare(cfg.trainer)
    spec = expected_images(cfg.data)
    with checking():
        check_tta(cfg.tta, spec.mirror)
    make(cfg.loss, "loss")
    make(cfg.scheduler, "scheduler")
    augmentation = build_augmentation(cfg.augment, spec)
    with torch.device("meta"):
        net = build_network(cfg.model, spec)
        check_sizes(net, augmentation)
    parameters = count_parameters(net)
    needed = 3 * WEIGHT_BYTES * parameters  # weights, gradients, and one number per weight in the optimizer
    if needed > total_memory():
        raise UserError(
            f"model has {parameters:,} parameters, which take {needed / 2**30:,.0f} GiB in training, more than this "
            f"machine's {total_memory() / 2**30:,.0f} GiB"
        )
    make(cfg.optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # last, as it has torch import its compiler


def check_sizes(net: nn.Module, augmentation: Augmentation) -> None:
    """Raise UserError if `net`, on the meta device, does not take the images of every stage of a GrowingCrop."""
    spec = augmentation.spec
    for size in augmentation.image_sizes[:-1]:
        try:
            with torch.no_grad():
                net.eval()(torch.zeros(1, spec.in_channels, size, size))
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"augment has a GrowingCrop to {size} pixels, and the network takes only images of {spec.image_size}; "
                "use another augment=, or a network with global pooling before its classifier"
            ) from error


def expected_images(data: Data) -> ImageSpec:
    """The images of `data` as far as they are known before they are read, with other statistics and classes."""
    spec = SPECS[data.name].images
    return replace(
        spec,
        image_size=data.image_size or spec.image_size,
        num_classes=spec.num_classes or 2,
        mean=(0.5,) * spec.in_channels,
        std=(0.5,) * spec.in_channels,
        covariance=torch.eye(spec.in_channels),
    )


def build_network(node: Mapping[str, Any], spec: ImageSpec) -> nn.Module:
    """The network of `node`, for images as `spec` describes them."""
    return make(node, "model", **spec.network_arguments)


def build_augmentation(node: Mapping[str, Any], spec: ImageSpec) -> Augmentation:
    """The steps of `node` in order, without those that are null; a step with an argument `spec` receives it."""
    steps = []
    for name, step in node.items():
        if step is None:
            continue
        takes_spec = "spec" in inspect.signature(target_of(step, f"augment.{name}")).parameters
        steps.append(make(step, f"augment.{name}", **({"spec": spec} if takes_spec else {})))
    with checking("augment"):
        return Augmentation(steps, spec)
