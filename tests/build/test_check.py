"""What is checked before data is read."""

import pytest

from cnnlab.build.check import check_parts
from cnnlab.config.compose import compose
from cnnlab.errors import UserError


@pytest.mark.parametrize("model", ["fastnet", "resnet18", "vgg11_bn"])
def test_networks_for_images_of_any_size_take_images_that_grow(model):
    check_parts(compose("train", [f"model={model}", "data=cifar10", "augment=growing_flip"]))


@pytest.mark.parametrize("model", ["lenet5", "mlp"])
def test_images_that_grow_are_refused_where_a_network_has_one_size(model):
    cfg = compose("train", [f"model={model}", "data=cifar10", "augment=growing_flip"])
    message = r"augment has a GrowingCrop to 24 pixels, and the network takes only images of 32; use another augment="
    with pytest.raises(UserError, match=message):
        check_parts(cfg)
