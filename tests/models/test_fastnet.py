"""FastNet's whitening layer, its identity initialization, and training in bfloat16."""

import pytest
import torch
from torch import nn

from cnnlab import models


def smooth_images(channels: int, side: int) -> torch.Tensor:
    """Return noise with correlated neighboring pixels and channels, as in natural images."""
    noise = torch.randn(40, channels, side, side, generator=torch.Generator().manual_seed(0))
    return nn.functional.avg_pool2d(noise + noise.mean(1, keepdim=True), 3, stride=1, padding=1) * 3 + 0.5


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_whitened_patches_are_uncorrelated_with_unit_variance(channels, side):
    net, images = models.fastnet(channels, 10, side), smooth_images(channels, side)
    net.whiten(images)
    with torch.no_grad():
        out = net.whitening(images).transpose(0, 1).flatten(1)
    half = len(out) // 2
    assert half == channels * 4
    torch.testing.assert_close(out[:half].cov(), torch.eye(half), atol=0.02, rtol=0)
    torch.testing.assert_close(out[half:], -out[:half])


def test_only_the_whitening_filters_and_the_norms_scales_are_frozen():
    net = models.fastnet(widths=(8, 8, 8))
    net.whiten(smooth_images(3, 32))
    scales = [f"block{block}.norm{norm}.weight" for block in (1, 2, 3) for norm in (1, 2)]
    assert [name for name, p in net.named_parameters() if not p.requires_grad] == ["whitening.weight", *scales]
    assert all(torch.equal(net.get_parameter(name), torch.ones(8)) for name in scales)
    assert "whitening.weight" in net.state_dict()
    assert torch.equal(net.whitening.bias, torch.zeros(24))


def test_the_first_filters_of_a_dirac_convolution_are_the_identity():
    x = torch.randn(2, 24, 9, 9)
    block = models.fastnet(dirac=True).block1
    torch.testing.assert_close(block.conv1(x)[:, :24], x)
    assert not torch.equal(block.conv1(x)[:, 24:48], x)  # the other filters are random
    assert not torch.allclose(models.fastnet(dirac=False).block1.conv1(x)[:, :24], x)


def test_dirac_with_fewer_filters_than_inputs():
    x = torch.randn(2, 24, 9, 9)
    torch.testing.assert_close(models.fastnet(widths=(8, 8, 8)).block1.conv1(x), x[:, :8])


def test_training_in_mixed_precision_reduces_the_loss():
    torch.manual_seed(0)
    net = models.fastnet(widths=(8, 16, 16))
    x, labels = smooth_images(3, 32)[:8], torch.arange(8)
    net.whiten(smooth_images(3, 32))
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1.0, momentum=0.8, nesterov=True)
    losses = []
    for _ in range(15):
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(net(x).float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
