"""Each network on images: shapes, finite logits, gradients, independence of images, learning, errors."""

import inspect
import re

import pytest
import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.models.fastnet import ShiftNorm
from tests.models.networks import FAST, MODELS, REDUCED, make, make_for, marked, paper_input, without_dropout

SIZES = [(1, 28), (3, 32), (3, 64)]  # channels and pixels; from 64 pixels on, `auto` is the paper's form
SMALL = [(1, 28), (3, 32)]


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("model", marked(MODELS))
def test_output_shape_for_the_papers_input(model):
    with torch.device("meta"):
        x = paper_input(model)
        logits = make(model).eval()(x)
    assert logits.shape == (2, 1000 if x.shape[1:] == (3, 224, 224) else 10)


@pytest.mark.parametrize(("channels", "side"), SIZES)
@pytest.mark.parametrize("model", marked())
def test_output_shape_for_the_images_of_each_dataset(model, channels, side):
    with torch.device("meta"):
        net = make_for(model, channels, side, num_classes=7)
        assert net.eval()(torch.empty(3, channels, side, side)).shape == (3, 7)
        assert logits_of(net.train()(torch.empty(3, channels, side, side))).shape == (3, 7)
    if hasattr(net, "stem"):
        assert net.stem == ("small" if side < 64 else "imagenet")


@pytest.mark.parametrize(("channels", "side"), SMALL)
@pytest.mark.parametrize("model", marked())
def test_logits_are_finite_and_independent_of_the_rest_of_the_batch(model, channels, side):
    torch.manual_seed(0)
    net = make_for(model, channels, side).eval()
    x = torch.randn(3, channels, side, side)
    with torch.no_grad():
        logits = net(x)
        alone = net(x[:1])
    assert logits.isfinite().all()
    assert logits.std(0).max() > 0  # different images have different logits
    torch.testing.assert_close(logits[:1], alone, rtol=1e-3, atol=1e-4 * float(logits.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_logits_are_finite_for_the_papers_input(model):
    with torch.no_grad():
        assert make(model).eval()(paper_input(model, batch=1)).isfinite().all()


def check_gradients(net: nn.Module, x: Tensor) -> None:
    output = without_dropout(net).train()(x)
    heads = output if isinstance(output, tuple) else (output,)
    labels = torch.arange(len(x)) % 10
    sum(nn.functional.cross_entropy(logits, labels) for logits in heads).backward()
    fixed = {f"{name}.weight" for name, module in net.named_modules() if isinstance(module, ShiftNorm)}
    for name, parameter in net.named_parameters():
        if name in fixed:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("model", marked())
def test_every_parameter_gets_a_gradient(model):
    torch.manual_seed(0)
    check_gradients(make_for(model, 3, 32), torch.randn(4, 3, 32, 32))


@pytest.mark.parametrize("model", sorted(REDUCED))
def test_every_parameter_of_a_reduced_form_gets_a_gradient(model):
    torch.manual_seed(0)
    check_gradients(make_for(model, 3, 32, **REDUCED[model]), torch.randn(4, 3, 32, 32))


@pytest.mark.parametrize("model", ["lenet5", "lenet5_1998"])
def test_every_parameter_of_a_lenet_variant_gets_a_gradient(model):
    variants = [{"activation": "sigmoid"}, {"activation": "relu", "pooling": "max"}, {"image_size": 32}]
    for more in variants if model == "lenet5" else [{"output": "radial"}]:
        torch.manual_seed(0)
        size = more.get("image_size", 28)
        check_gradients(make_for(model, 1, **({"image_size": size} | more)), torch.randn(4, 1, size, size))


def overfit(net: nn.Module, side: int = 32, steps: int = 60, lr: float = 1e-3) -> float:
    """Train on four images and return 1 minus the lowest probability of an image's true class."""
    torch.manual_seed(0)
    x, labels = torch.randn(4, 3, side, side), torch.tensor([3, 1, 4, 9])
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    missing = 1.0
    for _ in range(steps):
        logits = logits_of(net(x))
        missing = 1 - float(logits.detach().softmax(1)[range(4), labels].min())
        if missing < 0.2:
            break
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()
    return missing


@pytest.mark.parametrize("model", marked(fast=FAST - {"zfnet", "vgg11", "nin"}))  # the slowest steps
def test_a_network_overfits_one_batch(model):
    torch.manual_seed(0)
    net = without_dropout(make_for(model, 3, 32)).train()
    has_norm = any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    steps, lr = (60, 1e-3) if model in FAST else (200, 1e-3 if has_norm else 2e-4)
    assert overfit(net, steps=steps, lr=lr) < 0.2


@pytest.mark.parametrize("model", sorted(REDUCED))
def test_a_reduced_form_overfits_one_batch(model):
    torch.manual_seed(0)
    assert overfit(without_dropout(make_for(model, 3, 32, **REDUCED[model])).train()) < 0.2


def test_the_stem_is_an_option_and_auto_depends_on_the_image_size():
    assert models.resnet18(image_size=224, stem="small").conv1.kernel_size == (3, 3)
    assert models.resnet18(image_size=32, stem="imagenet").conv1.kernel_size == (7, 7)
    assert models.resnet18(image_size=63).stem == "small"
    assert models.resnet18(image_size=64).stem == "imagenet"


ERRORS = [
    (models.resnet18, {"stem": "tiny"}, "stem must be one of ['auto', 'imagenet', 'small'], got 'tiny'"),
    (models.nin, {"stem": "cifar"}, "stem must be one of ['auto', 'imagenet', 'small'], got 'cifar'"),
    (models.resnet20, {"shortcut": "C"}, "shortcut must be one of ['A', 'B', 'none'], got 'C'"),
    (models.se_resnet18, {"shortcut": "a"}, "shortcut must be one of ['A', 'B', 'none'], got 'a'"),
    (models.lenet5, {"activation": "gelu"}, "activation must be one of ['tanh', 'sigmoid', 'relu'], got 'gelu'"),
    (models.lenet5, {"pooling": "min"}, "pooling must be one of ['avg', 'max'], got 'min'"),
    (models.lenet5, {"image_size": 8}, "image_size must be at least 12 for LeNet-5, got 8"),
    (models.lenet5_1998, {"output": "softmax"}, "output must be one of ['linear', 'radial'], got 'softmax'"),
    (models.alexnet, {"image_size": 14}, "image_size must be at least 15 for AlexNet with stem=small, got 14"),
    (
        models.alexnet_2012,
        {"image_size": 62, "stem": "imagenet"},
        "image_size must be at least 63 for AlexNet with stem=imagenet, got 62",
    ),
    (models.zfnet, {"image_size": 8}, "image_size must be at least 9 for ZFNet with stem=small, got 8"),
    (
        models.zfnet,
        {"image_size": 48, "stem": "imagenet"},
        "image_size must be at least 53 for ZFNet with stem=imagenet, got 48",
    ),
    (
        models.vgg11,
        {"image_size": 31, "stem": "imagenet"},
        "image_size must be at least 32 for VGG with stem=imagenet, got 31",
    ),
    (models.wrn_28_10, {"depth": 20}, "depth must be 10, 16, 22, 28, ... (6n + 4), got 20"),
    (models.wrn_28_10, {"width": 0}, "width must be a whole number of at least 1, got 0"),
    (models.mobilenet_v1, {"width": 0.0}, "width must be a number above 0, got 0.0"),
    (models.mobilenet_v2, {"width": -1.0}, "width must be a number above 0, got -1.0"),
    (
        models.fastnet,
        {"widths": [64, 256]},
        "widths must be a list of 3, each a whole number of at least 1, got [64, 256]",
    ),
    (models.fastnet, {"whitening_images": -1}, "whitening_images must be a whole number of at least 0, got -1"),
    (models.fastnet, {"image_size": 8}, "image_size must be at least 9 for FastNet, got 8"),
    (models.cnn, {"blocks": 0}, "blocks must be a whole number of at least 1, got 0"),
    (models.cnn_notes, {"hidden": 0}, "hidden must be a whole number of at least 1, got 0"),
    (models.cnn, {"image_size": 4}, "image_size must be at least 8 for CNN with blocks=3, got 4"),
]


@pytest.mark.parametrize(("builder", "arguments", "message"), ERRORS)
def test_error_messages(builder, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        builder(**arguments)


SMALLEST = {
    "alexnet": {"small": 15, "imagenet": 63},
    "alexnet_2012": {"small": 15, "imagenet": 63},
    "cnn": {None: 8},
    "cnn_notes": {None: 2},
    "densenet121": {"small": 8, "imagenet": 29},
    "fastnet": {None: 9},
    "googlenet": {"small": 4, "imagenet": 31},
    "lenet5": {None: 12},
    "lenet5_1998": {None: 12},
    "nin": {"small": 4, "imagenet": 39},
    "nin_d2l": {None: 67},
    "vgg11": {"small": 1, "imagenet": 32},
    "vgg13": {"small": 1, "imagenet": 32},
    "vgg16": {"small": 1, "imagenet": 32},
    "vgg19": {"small": 1, "imagenet": 32},
    "zfnet": {"small": 9, "imagenet": 53},
}  # all others work with 1 pixel


@pytest.mark.parametrize("name", models.__all__)
def test_every_image_size_works_or_is_refused(name):
    builder = getattr(models, name)
    with_stem = {"small": 1, "imagenet": 1} if "stem" in inspect.signature(builder).parameters else {None: 1}
    for stem, smallest in SMALLEST.get(name, with_stem).items():
        options = {"stem": stem} if stem else {}
        with torch.device("meta"):
            for size in (smallest, smallest + 1, smallest + 2):
                builder(image_size=size, in_channels=1, **options)(torch.empty(2, 1, size, size))
            network = "" if smallest == 1 else " for .*"
            with pytest.raises(
                ValueError, match=f"^image_size must be at least {smallest}{network}, got {smallest - 1}$"
            ):
                builder(image_size=smallest - 1, in_channels=1, **options)
