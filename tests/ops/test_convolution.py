"""Every convolution method matches PyTorch: values, gradients, shapes and errors."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab import ops
from cnnlab.ops.convolution import make_layout
from cnnlab.ops.layout import Layout
from cnnlab.ops.methods import METHODS, im2col
from cnnlab.ops.methods.loop import windows

CLOSE = {"rtol": 1e-10, "atol": 1e-11}
STRIDES = (1, 2, (3, 2))
PADDINGS = (0, 1, (2, 1), "valid", "same")
DILATIONS = (1, 2, (1, 3))
GROUPS = (1, 2, 4)


def tensors(size=(17, 11), kernel=(3, 2), groups=1, channels=4, out_channels=8, images=2):
    """Input, kernels and bias in float64 with requires_grad; their values depend only on the shapes."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((images, channels, *size), (out_channels, channels // groups, *kernel), (out_channels,))
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def supported(method, kernel, stride, dilation):
    return METHODS[method].supports(kernel, make_layout(kernel, stride, 0, dilation, 1))


def ours_of(method, tensors, index, arguments):
    """Our result if only the tensor at `index` requires a gradient."""
    return ops.conv2d(
        *(tensor if i == index else tensor.detach() for i, tensor in enumerate(tensors)), method=method, **arguments
    )


def same_as_torch(method, x, weight, bias, **arguments):
    """Assert that the values and the three gradients match PyTorch's."""
    ours, theirs = ops.conv2d(x, weight, bias, method=method, **arguments), F.conv2d(x, weight, bias, **arguments)
    torch.testing.assert_close(ours, theirs, **CLOSE)
    direction = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inputs = [tensor for tensor in (x, weight, bias) if tensor is not None]
    references = torch.autograd.grad(theirs, inputs, direction)
    together = torch.autograd.grad(ours, inputs, direction, retain_graph=True)
    separate = [torch.autograd.grad(ours_of(method, inputs, i, arguments), inputs[i], direction)[0] for i in (0, 1)]
    for mine, reference in zip((*together, *separate), (*references, *references[:2]), strict=True):
        torch.testing.assert_close(mine, reference, **CLOSE)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")  # torch pads a copy
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("groups", GROUPS)
def test_every_method_matches_torch(method, groups):
    size, images = ((5, 4), 1) if method == "loop" else ((17, 11), 2)
    checked = 0
    for kernel, stride, padding, dilation in product(((3, 3), (2, 3), (1, 1)), STRIDES, PADDINGS, DILATIONS):
        fits = all((k - 1) * d < s for k, d, s in zip(kernel, ops.size.pair(dilation), size, strict=True))
        if not supported(method, kernel, stride, dilation) or (padding == "same" and stride != 1) or not fits:
            continue
        x, weight, bias = tensors(size, kernel, groups, out_channels=4, images=images)
        same_as_torch(method, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("method", METHODS)
def test_gradients_match_finite_differences(method):
    x, weight, bias = tensors((5, 4), (3, 3), groups=2, channels=2, out_channels=4, images=1)
    assert torch.autograd.gradcheck(
        lambda *args: ops.conv2d(*args, padding=1, groups=2, method=method), (x, weight, bias)
    )


sizes = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(list(METHODS)),
    height=sizes, width=sizes, kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)), dilation=st.integers(1, 2),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)), groups=st.sampled_from([1, 2]), images=st.integers(0, 2),
)  # fmt: skip
def test_any_shapes_match_torch_or_raise(method, height, width, kernel, stride, dilation, padding, groups, images):
    if not supported(method, kernel, stride, dilation):
        method = "im2col"
    x, weight, bias = tensors((height, width), kernel, groups, channels=2, out_channels=2, images=images)
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    covers = [dilation * (k - 1) + 1 for k in kernel]
    if covers[0] > height + 2 * padding[0] or covers[1] > width + 2 * padding[1]:
        with pytest.raises(ValueError, match=r"the kernel covers \d+ pixels, the padded input has \d+"):
            ops.conv2d(x, weight, bias, method=method, **arguments)
    else:
        same_as_torch(method, x, weight, bias, **arguments)


@pytest.mark.parametrize("method", METHODS)
def test_the_input_is_unchanged_and_an_empty_batch_a_single_image_and_no_bias_work(method):
    x, weight, bias = (tensor.detach() for tensor in tensors((5, 4), (3, 3)))
    before = x.clone(), weight.clone()
    ops.conv2d(x, weight, bias, padding=1, method=method)
    assert torch.equal(x, before[0])
    assert torch.equal(weight, before[1])
    assert ops.conv2d(x[:0], weight, padding=1, method=method).shape == (0, 8, 5, 4)
    torch.testing.assert_close(ops.conv2d(x[0], weight, method=method), F.conv2d(x[0], weight), **CLOSE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_both_memory_formats_give_the_same_result(method, layout):
    x, weight, bias = tensors((6, 5), (3, 3), channels=2, out_channels=2)
    same_as_torch(method, x.detach().to(memory_format=layout).requires_grad_(), weight, bias, padding=1)


@pytest.mark.parametrize("method", METHODS)
def test_autocast_computes_in_bfloat16_and_returns_float32_gradients(method):
    x, weight, bias = (tensor.detach().float().requires_grad_() for tensor in tensors((5, 4), (3, 3), images=1))
    with torch.autocast("cpu", torch.bfloat16):
        y = ops.conv2d(x, weight, bias, padding=1, method=method)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(y.float(), F.conv2d(x, weight, bias, padding=1), rtol=0.05, atol=0.2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adjoint", [False, True])
def test_a_backward_pass_under_autocast_keeps_the_types_of_its_tensors(method, adjoint):
    x, weight = (tensor.detach().float().requires_grad_() for tensor in tensors((5, 4), (3, 3), channels=8)[:2])
    convolve = ops.conv_transpose2d if adjoint else ops.conv2d
    loss = convolve(x, weight, padding=1, method=method).square().sum()
    expected = torch.autograd.grad(loss, (x, weight), retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(loss, (x, weight))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_without_bfloat16_units_products_are_computed_in_float32_and_rounded_once(method, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    rounded = [tensor.detach().bfloat16() for tensor in tensors((5, 4), (3, 3))[:2]]
    x, weight = (tensor.clone().requires_grad_() for tensor in rounded)
    exact = [tensor.float().requires_grad_() for tensor in rounded]
    expected = ops.conv2d(*exact, padding=1, method=method)
    with torch.autocast("cpu", torch.bfloat16):
        y = ops.conv2d(x, weight, padding=1, method=method)
    y.sum().backward()
    expected.sum().backward()
    # The order of the float32 sums depends on the CPU, so a value may round to the next number in bfloat16.
    ulp = {"rtol": 2**-7, "atol": 1e-5}
    torch.testing.assert_close(y, expected.bfloat16(), **ulp)
    torch.testing.assert_close(x.grad, exact[0].grad.bfloat16(), **ulp)
    torch.testing.assert_close(weight.grad, exact[1].grad.bfloat16(), **ulp)


@pytest.mark.parametrize("method", ["loop", "shifted", "im2col", "fft"])
def test_conv1d_matches_torch(method):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((2, 4, 13), (6, 2, 3), (6,)))
    for padding in (0, 1, "same"):
        ours = ops.conv1d(x, weight, bias, padding=padding, groups=2, method=method)
        torch.testing.assert_close(ours, F.conv1d(x, weight, bias, padding=padding, groups=2), **CLOSE)
    if method != "fft":
        ours = ops.conv1d(x, weight, stride=2, padding=2, dilation=2, groups=2, method=method)
        torch.testing.assert_close(ours, F.conv1d(x, weight, stride=2, padding=2, dilation=2, groups=2), **CLOSE)
    assert ops.conv1d(x[0], weight, groups=2, method=method).shape == (6, 11)


def test_the_true_convolution_commutes_and_the_cross_correlation_does_not():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, 1, n, n, generator=generator, dtype=torch.float64) for n in (5, 3))
    torch.testing.assert_close(ops.true_conv2d(a, b, padding="full"), ops.true_conv2d(b, a, padding="full"), **CLOSE)
    crossed = ops.conv2d(a, b, padding="full"), ops.conv2d(b, a, padding="full")
    assert not torch.allclose(*crossed)
    torch.testing.assert_close(crossed[0], ops.flip_kernel(crossed[1]), **CLOSE)


def test_the_true_convolution_multiplies_polynomials():
    x, weight = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[0.0, 1.0, 0.5]]])
    assert ops.true_conv1d(x, weight, padding="full").flatten().tolist() == [0.0, 1.0, 2.5, 4.0, 1.5]


def test_full_same_and_valid_padding_give_the_expected_sizes():
    x, weight = torch.ones(1, 1, 7, 6), torch.ones(1, 1, 3, 4)
    shapes = {padding: tuple(ops.conv2d(x, weight, padding=padding).shape[2:]) for padding in ("full", "same", "valid")}
    assert shapes == {"full": (9, 9), "same": (7, 6), "valid": (5, 3)}


@pytest.mark.parametrize("method", ["loop", "shifted", "im2col"])
@pytest.mark.parametrize(
    ("stride", "padding", "extra", "dilation", "groups"),
    [
        (1, 0, 0, 1, 1),
        (2, 1, 1, 1, 1),
        ((3, 2), (1, 0), (2, 0), 1, 2),
        (2, 2, 1, 2, 1),
        (2, 0, 1, 1, 1),
        (1, 0, 1, 2, 1),
        (1, (2, 0), (1, 2), 3, 2),
    ],
)
def test_the_transposed_convolution_matches_torch(method, stride, padding, extra, dilation, groups):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 6 // groups, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, generator=generator, dtype=torch.float64, requires_grad=True)
    arguments = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    ours = ops.conv_transpose2d(x, weight, bias, **arguments, method=method)
    theirs = F.conv_transpose2d(x, weight, bias, **arguments)
    torch.testing.assert_close(ours, theirs, **CLOSE)
    for mine, reference in zip(
        torch.autograd.grad(ours.square().sum(), (x, weight, bias)),
        torch.autograd.grad(theirs.square().sum(), (x, weight, bias)),
        strict=True,
    ):
        torch.testing.assert_close(mine, reference, **CLOSE)


def test_the_transposed_convolution_is_the_adjoint_of_the_convolution():
    x, weight, _ = tensors((9, 7), (3, 3))
    forward = ops.conv2d(x, weight, stride=2, padding=1)
    y = torch.randn(forward.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    back = ops.conv_transpose2d(y, weight, stride=2, padding=1)
    assert back.shape == x.shape
    torch.testing.assert_close((forward * y).sum(), (x * back).sum(), **CLOSE)


def test_im2col_and_col2im_match_unfold_and_fold_of_torch():
    x, _, _ = tensors((7, 6), (3, 2))
    layout = Layout((2, 1), ((1, 1), (0, 0)), (1, 2))
    columns = im2col.im2col(x.detach(), (3, 2), layout)
    theirs = F.unfold(x.detach(), (3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 1))
    torch.testing.assert_close(columns.permute(0, 5, 3, 4, 1, 2).reshape(theirs.shape), theirs)
    folded = F.fold(theirs, (7, 6), (3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 1))
    torch.testing.assert_close(im2col.col2im(columns, (7, 6), layout), folded)


def test_the_loop_visits_each_output_once():
    visited = [position for position, _ in windows((2, 2, 4, 5), (2, 1, 3, 3), Layout(groups=2))]
    assert len(visited) == len(set(visited)) == 2 * 2 * 4 * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(1, 3, 5, 5)}, "x must have 4 channels for this weight and groups=1, got 3"),
        ({"x": torch.ones(5, 5)}, "x must have 3 or 4 dimensions, got 2"),
        ({"weight": torch.ones(2, 4, 6, 3)}, "kernel_size must fit .* covers 6 pixels, the padded input has 5"),
        ({"weight": torch.ones(4, 3, 3)}, "weight must have 4 dimensions, got 3"),
        ({"weight": torch.ones(3, 2, 3, 3), "groups": 2}, "groups must divide the 3 output channels, got 2"),
        ({"bias": torch.ones(3)}, r"bias must have shape \(2,\), got \(3,\)"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"dilation": (1, 0)}, r"dilation must be at least 1, got \(1, 0\)"),
        ({"groups": 0}, "groups must be at least 1, got 0"),
        ({"padding": -1}, "padding must be at least 0, got -1"),
        ({"padding": "around"}, "padding must be a number, a pair or one of .*, got 'around'"),
        ({"padding": "same", "stride": 2}, r"stride must be 1 with padding='same', got \(2, 2\)"),
        ({"method": "magic"}, "method must be one of .*, got 'magic'"),
        ({"method": "winograd", "stride": 2}, r"method must support 3x3 kernels with stride \(2, 2\).*'winograd'"),
        ({"method": "fft", "dilation": 2}, r"method must support 3x3 kernels .* dilation \(2, 2\), got 'fft'"),
    ],
)  # fmt: skip
def test_invalid_arguments_raise(change, message):
    arguments = {"x": torch.ones(1, 4, 5, 5), "weight": torch.ones(2, 4, 3, 3), **change}
    with pytest.raises(ValueError, match=message):
        ops.conv2d(**arguments)


def test_invalid_arguments_of_a_transposed_convolution_raise():
    x, weight = torch.ones(1, 3, 4, 4), torch.ones(4, 2, 3, 3)
    with pytest.raises(ValueError, match="x must have 4 channels for this weight, got 3"):
        ops.conv_transpose2d(x, weight)
    with pytest.raises(ValueError, match="output_padding must be below stride or dilation, got 1 at stride 1"):
        ops.conv_transpose2d(torch.ones(1, 4, 4, 4), weight, output_padding=1)
