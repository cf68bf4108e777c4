"""Test-time augmentation: which views of an image there are, and what they weigh."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from cnnlab.augment.views import VIEWS, check_tta, logits_of_views
from cnnlab.errors import UserError

X = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))


def moved(x: Tensor, top: int, left: int) -> Tensor:
    return tv.crop(tv.pad(x, [1] * 4, padding_mode="reflect"), top, left, 9, 9)


EXPECTED = {
    "none": [(1.0, X)],
    "flip": [(0.5, X), (0.5, tv.horizontal_flip(X))],
    "shift": [(0.5, X), (0.25, moved(X, 0, 0)), (0.25, moved(X, 2, 2))],
    "flip_shift": [
        (weight / 2, side)
        for weight, view in ((0.5, X), (0.25, moved(X, 0, 0)), (0.25, moved(X, 2, 2)))
        for side in (view, tv.horizontal_flip(view))
    ],
}


@pytest.mark.parametrize("tta", VIEWS)
def test_scores_are_the_weighted_mean_over_the_views(tta):
    weights = torch.randn(243, 4, generator=torch.Generator().manual_seed(1))

    def net(x: Tensor) -> Tensor:  # not linear, so that the mean of views is another thing than a view of the mean
        return (x.flatten(1) @ weights).tanh()

    expected = sum(weight * net(view) for weight, view in EXPECTED[tta])
    torch.testing.assert_close(logits_of_views(net, X, tta), expected)


def test_near_scores_are_told_apart_by_their_mean_also_in_16_bits():
    scores = iter([[4.0, 4.0], [4.0, 4.03125]])
    mean = logits_of_views(lambda x: torch.tensor([next(scores)], dtype=torch.bfloat16), X, "flip")
    assert mean.tolist() == [[4.0, 4.015625]]


def test_reflections_are_refused_where_they_change_what_is_shown():
    for tta in ("none", "shift"):
        check_tta(tta, mirror=False)
    for tta in ("flip", "flip_shift"):
        check_tta(tta, mirror=True)
        with pytest.raises(UserError, match=f"tta must be none or shift for .*, got '{tta}'"):
            check_tta(tta, mirror=False)
    with pytest.raises(UserError, match=r"tta must be one of \['none', 'flip', 'shift', 'flip_shift'\], got 'five'"):
        check_tta("five", mirror=True)
