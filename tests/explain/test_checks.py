"""Deletion curves and rank correlation, on a network and maps whose answers are known."""

import pytest
import torch

from cnnlab.explain.checks import area_under, check_map, deletion_curves, rank_correlation
from tests.explain.small_networks import PatchDetector, with_patch

BLACK = torch.zeros(1, 20, 20)


def test_the_curve_of_a_perfect_map_falls_faster_than_a_random_one():
    image, random = with_patch()[0], torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    perfect, other = deletion_curves(PatchDetector(), image, 0, torch.stack([image[0], random]), BLACK)
    assert area_under(perfect) < area_under(other)
    assert (perfect <= other + 1e-6).all()


def test_a_curve_begins_with_the_image_and_ends_with_the_baseline():
    net, image = PatchDetector(), with_patch()[0]
    (curve,) = deletion_curves(net, image, 0, torch.rand(1, 20, 20), BLACK)
    ends = net(torch.stack([image, BLACK])).softmax(1)[:, 0]
    assert torch.allclose(curve[[0, -1]], ends)


def test_equal_values_are_not_deleted_in_the_order_of_the_rows():
    image = with_patch(top=0, left=0)[0]
    (curve,) = deletion_curves(PatchDetector(), image, 0, torch.zeros(1, 20, 20), BLACK)
    assert curve[5] > (curve[0] + 3 * curve[-1]) / 4  # a quarter of the pixels is a fourth of the patch, not all


def test_the_check_of_a_perfect_map_beats_shifted_and_random_maps():
    image, random = with_patch()[0], torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    check = check_map(PatchDetector(), image, 0, image[0], random, BLACK)
    assert area_under(check.of_map) < min(area_under(check.of_shifted), area_under(check.of_random_network))
    assert check.similarity == pytest.approx(rank_correlation(image[0], random))


def test_the_area_under_a_straight_line_is_its_mean():
    assert area_under(torch.linspace(1, 0, 21)) == pytest.approx(0.5)


def test_rank_correlation_depends_on_the_order_only():
    values = torch.rand(5, 5)
    assert rank_correlation(values, values**3) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, torch.zeros(5, 5)) is None
