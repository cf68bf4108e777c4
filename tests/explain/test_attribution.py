"""Attribution maps of networks with a known answer, and of every network of conf/model."""

import sys

import pytest
import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.analysis.field import Axis, Field
from cnnlab.build.targets import make
from cnnlab.config.compose import compose
from cnnlab.explain.attribution import METHODS, attribution_map, baseline_of, class_activation_map, placed
from cnnlab.explain.last_map import last_map
from cnnlab.image_spec import Drawing, ImageSpec
from tests.analysis.subjects import MODELS, subject
from tests.explain.small_networks import PatchDetector, fraction_in_patch, with_patch

FIRST = torch.tensor([0])
LARGE = {"resnext29_8x64d", *(name for name in MODELS if name.startswith("vgg"))}  # over 3 s


@pytest.mark.parametrize("method", METHODS)
def test_a_detector_of_bright_pixels_looks_at_the_bright_patch(method):
    values = attribution_map(PatchDetector(), with_patch(), FIRST, method)[0]
    row, column = divmod(int(values.argmax()), 20)
    assert 10 <= row < 15
    assert 3 <= column < 8


@pytest.mark.parametrize("method", ["gradcam", "integrated_gradients"])
def test_nearly_all_of_the_map_is_at_the_patch(method):
    assert fraction_in_patch(attribution_map(PatchDetector(), with_patch(), FIRST, method)[0]) > 0.9


def test_cam_is_gradcam_times_the_number_of_positions_before_the_relu():
    net, x, classes = PatchDetector(), torch.randn(3, 1, 20, 20), torch.tensor([0, 1, 0])
    cam = class_activation_map(net, x, classes, "cam")
    assert torch.allclose(cam.relu(), 20 * 20 * class_activation_map(net, x, classes, "gradcam"), atol=1e-5)


def test_the_mean_of_cam_and_the_bias_are_the_logit():
    net, x, classes = PatchDetector(), torch.randn(3, 1, 20, 20), torch.tensor([0, 1, 0])
    logits = net(x).gather(1, classes[:, None])[:, 0]
    cam = class_activation_map(net, x, classes, "cam")
    assert torch.allclose(cam.mean((1, 2)) + net.fc.bias[classes], logits, atol=1e-5)


class DenseBehindMap(nn.Module):
    """The last map comes out of a function, and each position has its own weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, kernel_size=3)
        self.fc = nn.Linear(3 * 6 * 6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.conv(x)).flatten(1))


def test_hirescam_multiplies_gradient_and_activation_at_each_position():
    torch.manual_seed(0)
    net, x = DenseBehindMap(), torch.randn(2, 1, 8, 8)
    activations = torch.tanh(net.conv(x))
    expected = (net.fc.weight[1].view(3, 6, 6) * activations).sum(1)
    assert torch.allclose(class_activation_map(net, x, torch.tensor([1, 1]), "hirescam"), expected, atol=1e-6)


def test_gradcam_weights_channels_by_their_mean_gradient():
    torch.manual_seed(0)
    net, x = DenseBehindMap(), torch.randn(1, 1, 8, 8)
    weights = net.fc.weight[0].view(3, 6, 6).mean((1, 2))
    expected = (weights[:, None, None] * torch.tanh(net.conv(x))[0]).sum(0).relu()
    assert torch.allclose(class_activation_map(net, x, FIRST, "gradcam")[0], expected, atol=1e-6)


def test_cam_refuses_layers_behind_the_map():
    with pytest.raises(ValueError, match="method=cam needs a network whose logits are a linear function of the means"):
        attribution_map(DenseBehindMap(), torch.randn(1, 1, 8, 8), FIRST, "cam")


def test_cam_refuses_a_layer_that_is_not_linear_behind_the_means():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, kernel_size=3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 8), nn.ReLU(),
        nn.Linear(8, 2),
    )  # fmt: skip
    with pytest.raises(ValueError, match="method=cam needs"):
        attribution_map(net, torch.randn(2, 1, 8, 8), torch.tensor([0, 1]), "cam")


def test_the_largest_fall_of_the_logit_is_where_the_patch_is_occluded():
    values = attribution_map(PatchDetector(), with_patch(), FIRST, "occlusion")[0]
    assert float(values[12, 5]) == pytest.approx(float(values.max()))


def test_integrated_gradients_sum_to_the_difference_of_the_logits():
    torch.manual_seed(0)
    net, x, classes = DenseBehindMap(), torch.randn(3, 1, 8, 8), torch.tensor([0, 1, 1])
    baseline = torch.full((1, 8, 8), 0.3)
    sums = attribution_map(net, x, classes, "integrated_gradients", baseline).sum((1, 2))
    differences = (net(x) - net(baseline[None])).gather(1, classes[:, None])[:, 0]
    assert torch.allclose(sums, differences, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_each_image_has_the_map_that_it_has_alone(method):
    net, x, classes = PatchDetector(), torch.randn(3, 1, 20, 20), torch.tensor([0, 1, 0])
    together = attribution_map(net, x, classes, method)
    alone = torch.cat([attribution_map(net, x[i : i + 1], classes[i : i + 1], method) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_images_and_gradients_of_the_weights_are_untouched():
    net, x = PatchDetector(), with_patch()
    before = x.clone()
    for method in METHODS:
        attribution_map(net, x, FIRST, method)
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_network_without_maps_is_told_what_works():
    net = models.mlp(in_channels=1, num_classes=10, image_size=28).eval()
    with pytest.raises(ValueError, match=r"method=gradcam needs a feature map, .*: use method=occlusion or integ"):
        attribution_map(net, torch.randn(1, 1, 28, 28), FIRST)
    assert attribution_map(net, torch.randn(1, 1, 28, 28), FIRST, "occlusion").shape == (1, 28, 28)


def test_an_unknown_method_and_a_missing_package_are_reported(monkeypatch):
    with pytest.raises(ValueError, match=r"method must be one of \['gradcam', .* got 'lime'"):
        attribution_map(PatchDetector(), with_patch(), FIRST, "lime")
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(ValueError, match=r"method=occlusion needs Captum: pip install -e '.\[explain\]'"):
        attribution_map(PatchDetector(), with_patch(), FIRST, "occlusion")


def test_a_map_lies_at_the_centers_of_its_receptive_fields():
    axis = Axis(first=2, last=5, jump=4)  # centers at 4, 8 and 12 pixels from the edge
    maps = torch.tensor([[[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]])
    values = placed(maps, Field(axis, axis), (16, 16))[0]
    assert torch.allclose(values[7:9, 7:9], torch.full((2, 2), 0.875**2))  # half a pixel from the center, each way
    assert torch.equal(values[:4], torch.zeros(4, 16))


def test_a_map_without_a_field_is_spread_over_the_image():
    assert torch.allclose(placed(torch.ones(2, 3, 3), None, (9, 8)), torch.ones(2, 9, 8))


def test_the_baseline_is_black_for_drawings_and_the_mean_for_photographs():
    photographs = ImageSpec(3, 32, 10, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))
    drawings = ImageSpec(1, 28, 10, mean=(0.13,), std=(0.31,), drawing=Drawing(20, "mass"))
    assert not baseline_of(photographs).any()
    assert torch.allclose(baseline_of(drawings), torch.full((1, 28, 28), -0.13 / 0.31))


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in MODELS if name != "mlp"]
)
def test_the_last_map_of_every_network_is_that_of_its_trace(model):
    torch.manual_seed(0)
    net = make(compose("analyze", [f"model={model}"]).model, "model").eval()
    found = subject(model).trace
    x, classes = torch.randn(2, *found.shape), torch.tensor([0, 1])
    result = last_map(net, x, classes)
    assert result.activations.shape[1:] == result.gradients.shape[1:] == found.rows[found.last_map].shape
    values = attribution_map(net, x, classes)
    assert values.shape == (2, *found.shape[1:])
    assert values.isfinite().all()
