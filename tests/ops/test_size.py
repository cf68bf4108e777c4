"""The arithmetic of sizes: textbook examples, PyTorch's results, and both notations of padding."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import ops
from cnnlab.ops.layout import CACHE, batch_parts
from cnnlab.ops.size import full_padding, size_through


def test_the_textbook_examples():
    assert ops.out_size(32, 3) == 30
    assert ops.out_size(8, 3, stride=2, padding=1) == 4
    assert ops.out_size(224, 11, stride=4, padding=2) == 55
    assert size_through(28, (5, 1, 2), (2, 2, 0), (5, 1, 0), (2, 2, 0)) == 5


@given(
    size=st.integers(1, 40), kernel=st.integers(1, 7), stride=st.integers(1, 5),
    padding=st.integers(0, 6), dilation=st.integers(1, 3),
)  # fmt: skip
def test_the_size_matches_torch(size, kernel, stride, padding, dilation):
    x, weight = torch.empty(1, 1, size, device="meta"), torch.empty(1, 1, kernel, device="meta")
    try:
        expected = F.conv1d(x, weight, stride=stride, padding=padding, dilation=dilation).shape[2]
    except RuntimeError:
        with pytest.raises(ValueError, match=r"the kernel covers \d+ pixels, the padded input has \d+"):
            ops.out_size(size, kernel, stride, padding, dilation)
    else:
        assert ops.out_size(size, kernel, stride, padding, dilation) == expected


@given(size=st.integers(7, 40), kernel=st.integers(1, 7), stride=st.integers(1, 5), total=st.integers(0, 9))
def test_total_padding_gives_the_same_size(size, kernel, stride, total):
    assert ops.out_size(size, kernel, stride, padding=(total // 2, total - total // 2)) == (
        (size - kernel + total + stride) // stride
    )


@given(size=st.integers(1, 40), kernel=st.integers(1, 7), dilation=st.integers(1, 3))
def test_same_padding_keeps_the_size_and_full_padding_covers_every_overlap(size, kernel, dilation):
    assert ops.out_size(size, kernel, padding=ops.same_padding(kernel, dilation), dilation=dilation) == size
    overlaps = size + dilation * (kernel - 1)
    assert ops.out_size(size, kernel, padding=full_padding(kernel, dilation), dilation=dilation) == overlaps


@pytest.mark.parametrize(
    ("count", "fraction"), [(10, 0.4), (100, 0.99), (9, 0.84), (3, 5.0), (128, 0.001), (0, 0.5), (1, 0)]
)
def test_parts_of_a_batch_cover_it_fit_the_cache_and_have_similar_sizes(count, fraction):
    parts = list(batch_parts(count, int(fraction * CACHE)))
    sizes = [part.stop - part.start for part in parts]
    assert [image for part in parts for image in range(part.start, part.stop)] == list(range(count))
    assert all(size == 1 or size * fraction <= 1 for size in sizes)
    assert all(size == sizes[0] for size in sizes[:-1])
    assert len(sizes) == 0 or sizes[-1] > sizes[0] / 2 - 1
