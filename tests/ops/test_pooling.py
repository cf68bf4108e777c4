"""Pooling matches PyTorch by both methods, and works with any function."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab import ops

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def image(size=(17, 11), images=2):
    x = torch.randn(images, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.requires_grad_()


def same(ours, theirs, x):
    """Assert that the values and the gradient match."""
    torch.testing.assert_close(ours, theirs, **CLOSE)
    direction = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (mine,) = torch.autograd.grad(ours, x, direction, retain_graph=True)
    (reference,) = torch.autograd.grad(theirs, x, direction, retain_graph=True)
    torch.testing.assert_close(mine, reference, **CLOSE)


KERNELS = ((2, None, 0), (3, 2, 1), ((3, 2), (2, 3), (1, 0)), (3, 1, 1), ((1, 4), (1, 2), (0, 2)))


@pytest.mark.parametrize(("ceil_mode", "dilation"), list(product((False, True), (1, 2))))
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), KERNELS)
def test_max_pooling_matches_torch(kernel_size, stride, padding, ceil_mode, dilation):
    x = image()
    arguments = (kernel_size, stride, padding, dilation, ceil_mode)
    same(ops.max_pool2d(x, *arguments), F.max_pool2d(x, *arguments), x)
    for method in ("loop", "shifted"):
        pooled = ops.pool2d(x, lambda windows: windows.amax(-1), *arguments, fill=-torch.inf, method=method)
        same(pooled, F.max_pool2d(x, *arguments), x)


@pytest.mark.parametrize(("ceil_mode", "count_include_pad"), list(product((False, True), (False, True))))
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), KERNELS)
def test_average_pooling_matches_torch(kernel_size, stride, padding, ceil_mode, count_include_pad):
    x = image()
    arguments = (kernel_size, stride, padding, ceil_mode, count_include_pad)
    same(ops.avg_pool2d(x, *arguments), F.avg_pool2d(x, *arguments), x)


def test_l2_and_global_average_pooling_match_torch():
    x = image()
    same(ops.l2_pool2d(x, 3, 2), F.lp_pool2d(x, 2, 3, 2), x)
    same(ops.global_avg_pool2d(x), F.adaptive_avg_pool2d(x, 1), x)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 9), width=st.integers(1, 9), kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3), fraction=st.sampled_from([0, 1]), ceil_mode=st.booleans(), images=st.integers(0, 2),
)  # fmt: skip
def test_any_shapes_match_torch_or_raise(height, width, kernel, stride, fraction, ceil_mode, images):
    x = image((height, width), images)
    padding = (fraction * (kernel[0] // 2), fraction * (kernel[1] // 2))
    try:
        largest = F.max_pool2d(x, kernel, stride, padding, 1, ceil_mode)
    except RuntimeError:
        with pytest.raises(ValueError, match=r"the kernel covers \d+ pixels, the padded input has \d+"):
            ops.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode)
        return
    same(ops.max_pool2d(x, kernel, stride, padding, 1, ceil_mode), largest, x)
    same(ops.avg_pool2d(x, kernel, stride, padding, ceil_mode), F.avg_pool2d(x, kernel, stride, padding, ceil_mode), x)


@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d, ops.l2_pool2d])
def test_gradients_match_finite_differences(pool):
    x = image((5, 4), 1)
    assert torch.autograd.gradcheck(lambda x: pool(x, 2, 1), (x,))


def test_l2_pooling_has_a_zero_gradient_for_a_window_of_zeros():
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    ops.l2_pool2d(x, 2).sum().backward()
    assert not x.grad.any()


def test_a_custom_function_can_pool():
    x = torch.tensor([[[1.0, 2.0, 5.0, 4.0], [3.0, 9.0, 0.0, 1.0]]])
    middle = ops.pool2d(x, lambda windows: windows.median(-1).values, 2)
    assert middle.tolist() == [[[2.0, 1.0]]]
    assert torch.equal(middle, ops.pool2d(x, lambda windows: windows.median(-1).values, 2, method="loop"))


def test_a_single_image_an_empty_batch_and_nan_match_torch():
    x = image().detach()
    torch.testing.assert_close(ops.max_pool2d(x[0], 3, 2, 1), F.max_pool2d(x[0], 3, 2, 1))
    torch.testing.assert_close(ops.avg_pool2d(x[0], 3, 2, 1), F.avg_pool2d(x[0], 3, 2, 1))
    assert ops.max_pool2d(x[:0], 2).shape == (0, 3, 8, 5)
    x[0, 0, 0, 0] = torch.nan
    assert ops.max_pool2d(x, 2)[0, 0, 0, 0].isnan()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": 2}, "padding must be at most half of the kernel's 3 pixels, got 2"),
        ({"kernel_size": 0}, "kernel_size, stride and dilation must be at least 1, got 0, None and 1"),
        ({"kernel_size": 6}, "the kernel covers 6 pixels, the padded input has 5"),
        ({"method": "magic"}, "method must be one of .*, got 'magic'"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        ops.pool2d(**{"x": torch.ones(1, 1, 5, 5), "function": torch.sum, "kernel_size": 3, **arguments})
