"""Test-time augmentation: the views of an image and their weights."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from cnnlab.augment.views import VIEWS, check_tta, logits_of_views

X = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))


def shifted(x: Tensor, top: int, left: int) -> Tensor:
    return tv.crop(tv.pad(x, [1] * 4, padding_mode="reflect"), top, left, 9, 9)


EXPECTED = {
    "none": [(1.0, X)],
    "flip": [(0.5, X), (0.5, tv.horizontal_flip(X))],
    "shift": [(0.5, X), (0.25, shifted(X, 0, 0)), (0.25, shifted(X, 2, 2))],
    "flip_shift": [
        (weight / 2, side)
        for weight, view in ((0.5, X), (0.25, shifted(X, 0, 0)), (0.25, shifted(X, 2, 2)))
        for side in (view, tv.horizontal_flip(view))
    ],
}


@pytest.mark.parametrize("tta", VIEWS)
def test_logits_are_the_weighted_mean_over_the_views(tta):
    weights = torch.randn(243, 4, generator=torch.Generator().manual_seed(1))

    def net(x: Tensor) -> Tensor:  # nonlinear, so that averaging logits differs from averaging views
        return (x.flatten(1) @ weights).tanh()

    expected = sum(weight * net(view) for weight, view in EXPECTED[tta])
    torch.testing.assert_close(logits_of_views(net, X, tta), expected)


def test_the_mean_distinguishes_close_logits_in_16_bits():
    logits = iter([[4.0, 4.0], [4.0, 4.03125]])
    mean = logits_of_views(lambda x: torch.tensor([next(logits)], dtype=torch.bfloat16), X, "flip")
    assert mean.tolist() == [[4.0, 4.015625]]


def test_flips_are_refused_if_a_reflection_changes_the_label():
    for tta in ("none", "shift"):
        check_tta(tta, mirror=False)
    for tta in ("flip", "flip_shift"):
        check_tta(tta, mirror=True)
        with pytest.raises(ValueError, match=f"^tta must be none or shift for .*, got '{tta}'"):
            check_tta(tta, mirror=False)
    with pytest.raises(ValueError, match=r"^tta must be one of \['none', 'flip', 'shift', 'flip_shift'\], got 'five'"):
        check_tta("five", mirror=True)
