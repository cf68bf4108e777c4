"""Class-activation maps of a few test images: what the network looks at where it is right, and where it is mistaken."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cnnlab.data.datamodule import Subset
from cnnlab.explain.attribution import attribution_map
from cnnlab.figures.overlay import FAINT, relative_values, scale_of
from cnnlab.reporting.page.thumbnails import sheet_of
from cnnlab.runs.trained_network import Trained

SIDE = 84  # of a tile in pixels, at least half of it and at most all of it
OPACITY = 0.9  # of the map where it is strongest
METHOD = "gradcam"


def example_maps(trained: Trained, subset: Subset, probabilities: Tensor, most: int) -> dict[str, Any] | None:
    """Grad-CAM of the predicted class, and of the true class of mistaken images; None for a network without maps.

    Args:
        subset: images whose predictions are known.
        probabilities: (N, num_classes) of these images.
        most: number of images that are right, and of those that are mistaken.

    Returns:
        `sheet`, and `examples`: true class, predicted class, probability and index of each image. Its tiles on the
        sheet are three in a row: the image, the map of the predicted class, and that of the true class.
    """
    chosen = torch.tensor([*_right(probabilities, subset.labels, most), *_mistaken(probabilities, subset.labels, most)])
    images, labels = subset[chosen]
    confidence, predicted = probabilities[chosen].max(1)
    net = trained.net.cpu()
    x = trained.preprocess(images)
    try:
        maps = [attribution_map(net, x, classes, METHOD) for classes in (predicted, labels)]
    except ValueError:
        return None
    shown = interpolate(images.float() / 255, x.shape[2:], mode="bilinear", antialias=True)
    tiles = [
        tile
        for i, image in enumerate(_enlarged(shown, "nearest").clamp(0, 1))
        for tile in (image.expand(3, -1, -1), *(blended(image, _enlarged(one[None, i : i + 1])[0, 0]) for one in maps))
    ]
    pixels = (255 * torch.stack(tiles)).round().to(torch.uint8)
    rows = zip(labels.tolist(), predicted.tolist(), confidence.tolist(), subset.indices[chosen].tolist(), strict=True)
    examples = [(true, guess, round(probability, 4), index) for true, guess, probability, index in rows]
    return {"examples": examples, "sheet": asdict(sheet_of(pixels, largest=SIDE))}


def blended(image: Tensor, values: Tensor) -> Tensor:
    """A map (H, W) in color over the faint gray image (C, H, W), as RGB (3, H, W) in [0, 1]."""
    gray = 1 - FAINT * (1 - image.mean(0))
    relative = relative_values(values)
    colors, low = scale_of(values)
    color = torch.from_numpy(colors(((relative - low) / (1 - low)).numpy())[..., :3]).permute(2, 0, 1).float()
    opacity = OPACITY * relative.abs().clamp(max=1).sqrt()
    return (1 - opacity) * gray + opacity * color


def _enlarged(images: Tensor, mode: str = "bilinear") -> Tensor:
    """Images or maps (N, C, H, W), small ones by a whole factor, so that a map is smooth over pixels that are seen."""
    factor = max(1, SIDE // images.shape[2])
    return interpolate(images, scale_factor=factor, mode=mode) if factor > 1 else images


def _right(probabilities: Tensor, labels: Tensor, most: int) -> Iterator[int]:
    """The first image of each class that is right, of the first `most` such classes."""
    right = (probabilities.argmax(1) == labels).nonzero().flatten()
    first: dict[int, int] = {}
    for index in right.tolist():
        first.setdefault(int(labels[index]), index)
    return iter(sorted(first.values(), key=lambda index: int(labels[index]))[:most])


def _mistaken(probabilities: Tensor, labels: Tensor, most: int) -> Iterator[int]:
    """The most confident mistake of each true class, of the `most` most confident ones."""
    confidence, predicted = probabilities.max(1)
    wrong = (predicted != labels).nonzero().flatten()
    first: dict[int, int] = {}
    for index in wrong[confidence[wrong].argsort(descending=True)].tolist():
        first.setdefault(int(labels[index]), index)
    return iter(list(first.values())[:most])
