"""With the same weights, the logits equal those of the implementations in torchvision and pytorchcv."""

import pytest
import torch
import torchvision.models as tv
from torch import nn

from cnnlab import models

pytorchcv = pytest.importorskip("pytorchcv.models")

# Their builder, our builder, and our arguments for the same network.
TORCHVISION = {
    "alexnet": (tv.alexnet, models.alexnet, {}),
    "densenet121": (tv.densenet121, models.densenet121, {}),
    "mobilenet_v2": (tv.mobilenet_v2, models.mobilenet_v2, {}),
    "resnet18": (tv.resnet18, models.resnet18, {}),
    "resnet34": (tv.resnet34, models.resnet34, {}),
    "resnet50": (tv.resnet50, models.resnet50, {}),
    "vgg11": (tv.vgg11, models.vgg11, {}),
    "vgg11_bn": (tv.vgg11_bn, models.vgg11, {"batch_norm": True}),
    "vgg13": (tv.vgg13, models.vgg13, {}),
    "vgg13_bn": (tv.vgg13_bn, models.vgg13, {"batch_norm": True}),
    "vgg16": (tv.vgg16, models.vgg16, {}),
    "vgg16_bn": (tv.vgg16_bn, models.vgg16, {"batch_norm": True}),
    "vgg19": (tv.vgg19, models.vgg19, {}),
    "vgg19_bn": (tv.vgg19_bn, models.vgg19, {"batch_norm": True}),
}
SLOW = {"vgg11", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet34"}


def theirs_of(module: str, name: str):
    import importlib

    return getattr(importlib.import_module(f"pytorchcv.models.{module}"), name)


# Their module and function, our builder, our arguments, image size.
PYTORCHCV = {
    "mobilenet_v1": ("mobilenet", "mobilenet_w1", models.mobilenet_v1, {}, 224),
    "mobilenet_v1_half": ("mobilenet", "mobilenet_wd2", models.mobilenet_v1, {"width": 0.5}, 224),
    "preact_resnet18": (
        "preresnet", "preresnet18", models.preact_resnet18, {"image_size": 224, "num_classes": 1000}, 224,
    ),
    "resnet20": ("resnet_cifar", "resnet20_cifar10", models.resnet20, {"shortcut": "B"}, 32),
    "resnet56": ("resnet_cifar", "resnet56_cifar10", models.resnet56, {"shortcut": "B"}, 32),
    "resnet110": ("resnet_cifar", "resnet110_cifar10", models.resnet110, {"shortcut": "B"}, 32),
    "resnext29_32x4d": ("resnext_cifar", "resnext29_32x4d_cifar10", models.resnext29_32x4d, {}, 32),
    "wrn_28_10": ("wrn_cifar", "wrn28_10_cifar10", models.wrn_28_10, {}, 32),
}  # fmt: skip


def fill(net: nn.Module) -> None:
    """Set random values that preserve the signal's variance and make every parameter and statistic matter."""
    generator = torch.Generator().manual_seed(0)
    for name, value in net.state_dict().items():
        if value.ndim > 1:
            nn.init.normal_(value, std=(1.5 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "weight")):
            nn.init.uniform_(value, 0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            nn.init.uniform_(value, -0.2, 0.2, generator=generator)
        else:
            value.zero_()


def assert_same_logits(theirs: nn.Module, ours: nn.Module, side: int) -> None:
    """Give both networks, which are on the meta device, the same values in state-dict order, and compare the logits."""
    theirs = theirs.to_empty(device="cpu").eval()
    fill(theirs)
    values = theirs.state_dict()
    assert len(values) == len(ours.state_dict())
    pairs = zip(ours.state_dict().items(), values.values(), strict=True)
    shared = {name: value.reshape(own.shape) for (name, own), value in pairs}
    ours.load_state_dict(shared, assign=True)
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = theirs(x), ours.eval()(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in TORCHVISION]
)
def test_logits_equal_torchvision(name):
    theirs, ours, arguments = TORCHVISION[name]
    with torch.device("meta"):
        pair = theirs(), ours(**arguments)
    assert_same_logits(*pair, side=224)


def test_googlenets_logits_equal_torchvision_after_changing_kernel_and_pooling():
    with torch.device("meta"):
        theirs = tv.googlenet(aux_logits=False, init_weights=False, transform_input=False)
        ours = models.googlenet(batch_norm=True, auxiliary=False)
        for module in ours.modules():
            if hasattr(module, "conv5x5"):  # torchvision has 3x3 where the paper has 5x5
                conv = module.conv5x5.conv
                module.conv5x5.conv = nn.Conv2d(
                    conv.in_channels, conv.out_channels, kernel_size=3, padding=1, bias=False
                )
    ours.pool4 = nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=True)  # and 2x2 where the paper has 3x3
    assert_same_logits(theirs, ours, side=224)


@pytest.mark.parametrize("name", PYTORCHCV)
def test_logits_equal_pytorchcv(name):
    module, function, ours, arguments, side = PYTORCHCV[name]
    with torch.device("meta"):
        pair = theirs_of(module, function)(), ours(**arguments)
    assert_same_logits(*pair, side=side)


def test_se_resnets_logits_equal_pytorchcv():
    with torch.device("meta"):
        theirs, ours = theirs_of("seresnet", "seresnet18")(), models.se_resnet18()
    for block in ours.modules():
        if hasattr(block, "se"):
            block.shortcut = block._modules.pop("shortcut")  # pytorchcv registers the shortcut after the excitation
    assert_same_logits(theirs, ours, side=224)


def test_nins_logits_equal_pytorchcv_after_changing_padding_and_last_relu():
    with torch.device("meta"):
        theirs, ours = theirs_of("nin_cifar", "nin_cifar10")(), models.nin()
    theirs.features.stage2.pool2, theirs.features.stage3.pool3 = ours.pool1, ours.pool2
    theirs.output.final_conv.activ = nn.Identity()
    assert_same_logits(theirs, ours, side=32)
