"""What each network does with images: shapes, finite numbers, gradients, independence, learning, complaints."""

import re

import pytest
import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.models.fastnet import ShiftNorm
from tests.models.networks import FAST, MODELS, REDUCED, make, make_for, marked, paper_input, without_dropout

SIZES = [(1, 28), (3, 32), (3, 64)]  # channels and pixels of the datasets; from 64 on the paper's form
SMALL = [(1, 28), (3, 32)]


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("model", marked())
def test_the_papers_input_gives_a_score_for_each_class(model):
    with torch.device("meta"):
        x = paper_input(model)
        scores = make(model).eval()(x)
    assert scores.shape == (2, 1000 if x.shape[-1] == 224 else 10)


@pytest.mark.parametrize(("channels", "side"), SIZES)
@pytest.mark.parametrize("model", marked())
def test_every_datasets_images_give_a_score_for_each_class(model, channels, side):
    with torch.device("meta"):
        net = make_for(model, channels, side, num_classes=7)
        assert net.eval()(torch.empty(3, channels, side, side)).shape == (3, 7)
        assert logits_of(net.train()(torch.empty(3, channels, side, side))).shape == (3, 7)
    if hasattr(net, "stem"):
        assert net.stem == ("small" if side < 64 else "imagenet")


@pytest.mark.parametrize(("channels", "side"), SMALL)
@pytest.mark.parametrize("model", marked())
def test_scores_are_finite_and_images_do_not_see_each_other(model, channels, side):
    torch.manual_seed(0)
    net = make_for(model, channels, side).eval()
    x = torch.randn(3, channels, side, side)
    with torch.no_grad():
        scores = net(x)
        alone = net(x[:1])
    assert scores.isfinite().all()
    assert scores.std(0).max() > 0  # images differ, and so do their scores
    torch.testing.assert_close(scores[:1], alone, rtol=1e-3, atol=1e-4 * float(scores.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_papers_input_gives_finite_scores(model):
    with torch.no_grad():
        assert make(model).eval()(paper_input(model, batch=1)).isfinite().all()


def check_gradients(net: nn.Module, x: Tensor) -> None:
    output = without_dropout(net).train()(x)
    scores = output if isinstance(output, tuple) else (output,)
    labels = torch.arange(len(x)) % 10
    sum(nn.functional.cross_entropy(each, labels) for each in scores).backward()
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
    """The largest probability that is missing from an image's own class, after learning four images by heart."""
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


@pytest.mark.parametrize("model", marked(fast=FAST - {"zfnet", "vgg11", "nin"}))  # whose steps take longest
def test_one_batch_is_learned_by_heart(model):
    torch.manual_seed(0)
    net = without_dropout(make_for(model, 3, 32)).train()
    has_norm = any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    steps, lr = (60, 1e-3) if model in FAST else (200, 1e-3 if has_norm else 2e-4)
    assert overfit(net, steps=steps, lr=lr) < 0.2


@pytest.mark.parametrize("model", sorted(REDUCED))
def test_one_batch_is_learned_by_heart_in_a_reduced_form(model):
    torch.manual_seed(0)
    assert overfit(without_dropout(make_for(model, 3, 32, **REDUCED[model])).train()) < 0.2


def test_the_small_stem_can_be_asked_for_and_refused():
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
    (models.lenet5, {"image_size": 8}, "lenet5 needs images of at least 12 pixels, got 8"),
    (models.lenet5_1998, {"output": "softmax"}, "output must be one of ['linear', 'radial'], got 'softmax'"),
    (models.alexnet, {"image_size": 14}, "alexnet with stem=small needs images of at least 15 pixels, got 14"),
    (
        models.alexnet_2012,
        {"image_size": 62, "stem": "imagenet"},
        "alexnet with stem=imagenet needs images of at least 63 pixels, got 62",
    ),
    (models.zfnet, {"image_size": 8}, "zfnet with stem=small needs images of at least 9 pixels, got 8"),
    (
        models.zfnet,
        {"image_size": 48, "stem": "imagenet"},
        "zfnet with stem=imagenet needs images of at least 53 pixels, got 48",
    ),
    (
        models.vgg11,
        {"image_size": 31, "stem": "imagenet"},
        "vgg with stem=imagenet needs images of at least 32 pixels, got 31",
    ),
    (models.wrn_28_10, {"depth": 20}, "depth must be 10, 16, 22, 28, ... (6n + 4), got 20"),
    (models.wrn_28_10, {"width": 0}, "width must be at least 1, got 0"),
    (models.mobilenet_v1, {"width": 0.0}, "width must be above 0, got 0.0"),
    (models.mobilenet_v2, {"width": -1.0}, "width must be above 0, got -1.0"),
    (models.fastnet, {"widths": [64, 256]}, "widths must be three numbers of at least 1, got [64, 256]"),
    (models.fastnet, {"whitening_images": -1}, "whitening_images must be at least 0, got -1"),
    (models.fastnet, {"image_size": 8}, "fastnet needs images of at least 9 pixels, got 8"),
    (models.cnn, {"blocks": 0}, "blocks and width must be at least 1, got blocks=0, width=32"),
    (models.cnn, {"image_size": 4}, "cnn with blocks=3 needs images of at least 8 pixels, got 4"),
]


@pytest.mark.parametrize(("builder", "arguments", "message"), ERRORS)
def test_an_error_names_the_thing_what_is_allowed_and_what_came(builder, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        builder(**arguments)


@pytest.mark.parametrize(
    ("builder", "smallest", "stem"),
    [
        (models.lenet5, 12, None), (models.lenet5_1998, 12, None), (models.alexnet, 15, "small"),
        (models.alexnet, 63, "imagenet"), (models.zfnet, 9, "small"), (models.zfnet, 53, "imagenet"),
        (models.vgg11, 32, "imagenet"), (models.cnn, 8, None), (models.fastnet, 9, None),
    ],
)  # fmt: skip
def test_the_smallest_image_that_an_error_names_is_really_the_smallest(builder, smallest, stem):
    more = {"stem": stem} if stem else {}
    with torch.device("meta"):
        builder(image_size=smallest, in_channels=1, **more)(torch.empty(2, 1, smallest, smallest))
        with pytest.raises(ValueError, match=f"at least {smallest} pixels"):
            builder(image_size=smallest - 1, in_channels=1, **more)
