"""What a network has learned: filters, stages, exciting images, mistakes, calibration and scores by class."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

from cnnlab import models
from cnnlab.explain.calibration import reliability
from cnnlab.explain.class_scores import class_scores
from cnnlab.explain.confident_mistakes import Mistake, confident_mistakes
from cnnlab.explain.exciting import excitation_of
from cnnlab.explain.first_layer import first_filters
from cnnlab.explain.last_map import NoMap
from cnnlab.explain.stages import stages_of
from tests.explain.small_networks import PatchDetector, with_patch


def test_the_first_filters_are_those_of_the_first_convolution():
    net = PatchDetector()
    name, weight = first_filters(net, with_patch())
    assert name == "conv"
    assert torch.equal(weight, net.conv.weight)


def test_a_network_without_convolutions_has_no_filters_and_no_stages():
    net = models.mlp(in_channels=1, num_classes=10, image_size=28).eval()
    with pytest.raises(ValueError, match="net must have a convolution"):
        first_filters(net, torch.zeros(1, 1, 28, 28))
    with pytest.raises(NoMap, match="net must have a feature map"):
        stages_of(net, torch.zeros(1, 1, 28, 28))


def test_the_stages_of_resnet20_are_the_last_maps_of_its_resolutions():
    net = models.resnet20(in_channels=3, num_classes=10, image_size=32).eval()
    stages = stages_of(net, torch.randn(1, 3, 32, 32))
    assert [tuple(stage.maps.shape) for stage in stages] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert [stage.name.partition(".")[0] for stage in stages] == ["conv2_x", "conv3_x", "conv4_x"]


def test_the_strongest_channel_varies_most_over_the_image():
    (stage,) = stages_of(PatchDetector(), with_patch())
    assert stage.strongest(1) == [0]


def test_the_bright_patch_excites_the_unit_for_bright_pixels_where_it_is():
    images = torch.cat([torch.zeros(1, 1, 20, 20), with_patch(), -with_patch()])
    found = excitation_of(PatchDetector(), images.split(2))
    assert found.images(unit=0, count=1) == [1]
    assert found.images(unit=1, count=1) == [2]
    row, column = found.positions[1, 0].tolist()
    assert 10 < row < 14
    assert 3 < column < 7


def test_selective_units_are_excited_by_few_images():
    images = torch.cat([torch.zeros(3, 1, 20, 20), with_patch(), -torch.ones(4, 1, 20, 20)])
    assert excitation_of(PatchDetector(), [images]).most_selective(1) == [0]


def test_the_most_confident_mistakes_of_each_class_come_first():
    logits = torch.tensor([[0.0, 1, 0], [0, 3, 0], [5, 0, 0], [0, 0, 2], [0, 2, 0]])
    found = confident_mistakes(logits, torch.tensor([0, 0, 0, 1, 1]), per_class=1)
    assert [(mistake.index, mistake.label, mistake.predicted) for mistake in found] == [(1, 0, 1), (3, 1, 2)]
    assert isinstance(found[0], Mistake)
    assert found[0].probability == pytest.approx(float(logits[1].softmax(0)[1]), abs=1e-6)


def logits_with(confidence: float, predicted: int) -> torch.Tensor:
    """Logits of two classes in which `predicted` has the probability `confidence`."""
    logits = torch.zeros(2)
    logits[predicted] = np.log(confidence / (1 - confidence))
    return logits


def test_the_calibration_error_of_a_worked_example():
    # Two images at 0.95, one of them right; two at 0.65, both right: (2 * |0.5 - 0.95| + 2 * |1 - 0.65|) / 4.
    logits = torch.stack([logits_with(c, 0) for c in (0.95, 0.95, 0.65, 0.65)])
    found = reliability(logits, torch.tensor([0, 1, 0, 0]), bins=10)
    assert found.error == pytest.approx((0.45 + 0.35) / 2, abs=1e-6)
    assert found.overconfidence == pytest.approx((0.45 - 0.35) / 2, abs=1e-6)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]


def test_the_calibration_error_equals_that_of_torchmetrics():
    random = torch.Generator().manual_seed(0)
    logits, labels = 3 * torch.randn(500, 7, generator=random), torch.randint(7, (500,), generator=random)
    expected = float(multiclass_calibration_error(logits, labels, num_classes=7, n_bins=15))
    assert reliability(logits, labels).error == pytest.approx(expected, abs=1e-5)


def test_scores_by_class_equal_those_of_scikit_learn():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 4])
    predicted = torch.tensor([0, 0, 1, 1, 2, 2, 2, 0, 0, 2])  # class 3 does not occur, class 4 is never predicted
    found = class_scores(multiclass_confusion_matrix(predicted, labels, num_classes=5))
    expected = precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0)
    assert np.allclose([found.precision, found.recall, found.f1], expected[:3])
    macro = precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0, average="macro")
    assert found.macro == pytest.approx(macro[:3])
