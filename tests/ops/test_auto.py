"""conv=auto: its rule, and that the mix of methods still computes the same convolution."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab import models, ops
from cnnlab.ops.convolution import make_layout
from cnnlab.ops.methods import auto, im2col, winograd
from cnnlab.ops.swap import swap_convolutions

PASSES = ("forward", "input_gradient", "weight_gradient")
AMX, AVX512_BF16, NEITHER = {"amx_bf16": True, "avx512_bf16": True}, {"avx512_bf16": True}, {"avx512_f": True}


@pytest.fixture
def cpu(monkeypatch):
    """Makes the CPU one with these instructions."""
    return lambda units: monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)


@pytest.fixture(autouse=True)
def without_bf16(cpu):
    """Unless a test says otherwise, the CPU has no units for bfloat16."""
    cpu(NEITHER)


@pytest.fixture
def calls(monkeypatch):
    """The passes that our methods compute, in order."""
    seen: list[str] = []
    for method in (im2col, winograd):
        for name in (*PASSES, "both_gradients"):
            if hasattr(method, name):
                original, label = getattr(method, name), f"{method.__name__.rpartition('.')[2]} {name}"
                monkeypatch.setattr(method, name, lambda *a, f=original, label=label: (seen.append(label), f(*a))[1])
    return seen


def gradients_of(function, *inputs):
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    y = function(*leaves)
    y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape))
    return y.detach(), *(leaf.grad for leaf in leaves)


def compare(images, channels, size, dtype, calls, **arguments):
    """Compare result and gradients with PyTorch's in float32; returns the passes that our methods computed."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(images, channels, size, size, generator=generator).to(dtype)
    weight = (torch.randn(channels, channels, 3, 3, generator=generator) / (3 * channels**0.5)).to(dtype)
    calls.clear()
    ours = gradients_of(lambda x, w: ops.conv2d(x, w, padding=1, method="auto", **arguments), x, weight)
    seen = {call for call in calls if call.partition(" ")[2] in PASSES}
    theirs = gradients_of(lambda x, w: F.conv2d(x, w, padding=1, **arguments), x.float(), weight.float())
    for result, expected in zip(ours, theirs, strict=True):
        assert result.dtype == dtype
        scale = expected.abs().max()
        assert (result.float() - expected).abs().max() / scale < (1e-5 if dtype == torch.float32 else 0.02)
    return seen


@pytest.mark.parametrize(
    ("images", "size"), [(64, 2), (16, 4), (8, 7), (4, 9)]
)  # one tile of 2, one tile of 4, four tiles in one patch, nine patches
def test_winograd_computes_many_channels_in_float32(images, size, calls):
    assert {f"winograd {name}" for name in PASSES} <= compare(images, 256, size, torch.float32, calls)


@pytest.mark.parametrize("size", [4, 7])
def test_the_result_is_contiguous_in_channels_last(size):
    """Batch norm took ten times as long on a slice of a larger tensor."""
    x = torch.randn(16, 256, size, size).contiguous(memory_format=torch.channels_last)
    y = ops.conv2d(x, torch.randn(256, 256, 3, 3), padding=1, method="auto")
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("dtype", "fraction"), [(torch.float32, 3e-6), (torch.bfloat16, 8e-3)])
def test_the_rounding_error_of_winograd_is_small(dtype, fraction):
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(size, generator=generator).to(dtype) for size in ((32, 256, 8, 8), (256, 256, 3, 3)))
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    error = winograd.forward(x, weight, make_layout((3, 3), 1, 1, 1, 1)) - exact
    assert error.std() < fraction * exact.std()


@pytest.mark.parametrize("size", [6, 9])  # transformed as one patch, and in several
def test_the_input_gradient_ignores_outputs_that_see_only_padding(size):
    """With padding 3 no pixel of the input contributes to the outermost pixels of the output."""
    gradient = torch.zeros(1, 1, size + 4, size + 4)
    gradient[..., -1] = torch.inf
    weight = torch.randn(1, 1, 3, 3)
    assert winograd.input_gradient(gradient, weight, (size, size), make_layout((3, 3), 1, 3, 1, 1)).isfinite().all()


@pytest.mark.parametrize(
    ("images", "channels", "arguments"),
    [(16, 32, {}), (1, 256, {}), (16, 256, {"stride": 2}), (16, 256, {"dilation": 2})],
)
def test_pytorch_computes_few_channels_few_pixels_strides_and_dilation(images, channels, arguments, calls):
    assert not compare(images, channels, 4, torch.float32, calls, **arguments)


def test_pytorch_computes_float64(calls):
    assert not compare(16, 256, 4, torch.float64, calls)


@pytest.mark.parametrize(
    ("units", "small", "larger"),
    [(AMX, PASSES, ("weight_gradient",)), (AVX512_BF16, ("weight_gradient",), ())],
    ids=["AMX", "AVX512-BF16"],
)
def test_im2col_computes_small_maps_in_bfloat16(units, small, larger, calls, cpu):
    cpu(units)
    assert compare(16, 256, 4, torch.bfloat16, calls) == {f"im2col {name}" for name in small}
    assert compare(4, 256, 8, torch.bfloat16, calls) == {f"im2col {name}" for name in larger}
    assert not compare(1, 256, 16, torch.bfloat16, calls)


def test_with_avx512_bf16_winograd_computes_the_smallest_maps_with_the_most_channels_in_float32(calls, cpu):
    cpu(AVX512_BF16)
    assert {f"winograd {name}" for name in PASSES} <= compare(16, 512, 4, torch.float32, calls)
    assert not compare(16, 256, 4, torch.float32, calls)
    assert not compare(4, 512, 8, torch.float32, calls)


def test_without_bfloat16_units_the_rule_is_that_of_float32(calls):
    for images, size in ((16, 4), (4, 8), (1, 16)):
        assert {f"winograd {name}" for name in PASSES} <= compare(images, 256, size, torch.bfloat16, calls)


@pytest.mark.parametrize("padding", [1, "same", (0, 2)])
def test_pytorch_pads_the_convolutions_that_it_computes(padding, calls):
    x, weight = torch.randn(2, 8, 6, 7), torch.randn(8, 8, 3, 3)
    expected = F.conv2d(x, weight, padding=padding)
    assert torch.equal(ops.conv2d(x, weight, padding=padding, method="auto"), expected)
    assert not calls


def test_layers_that_the_rule_never_selects_are_unchanged():
    net = models.resnet18(num_classes=10, image_size=32)
    counts = swap_convolutions(net, "auto")
    assert counts == {"torch": 14, "auto": 6}
    assert [m.method for m in net.modules() if isinstance(m, ops.modules.Conv2d)] == ["auto"] * 6
    assert swap_convolutions(nn.Sequential(nn.Conv2d(512, 512, 1), nn.Conv2d(512, 512, 3, groups=512)), "auto") == {
        "torch": 2
    }
    assert auto.may_differ(torch.zeros(512, 512, 3, 3), ops.convolution.make_layout((3, 3), 1, 1, 1, 1))
