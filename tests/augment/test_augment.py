"""Steps are compared with torchvision element by element, given the same draws; every image has its own draws."""

import math
from dataclasses import replace

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from cnnlab.augment import (
    AlternatingFlip,
    Augmentation,
    BatchContext,
    ColorShift,
    CutMix,
    Cutout,
    GrowingCrop,
    MixUp,
    RandomCrop,
    RandomFlip,
    TrivialAugment,
)
from cnnlab.augment.mix import one_hot
from cnnlab.augment.trivial import OPERATIONS, apply_operation
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import denormalize, normalize
from cnnlab.preprocessing.pixels import _shift_and_scale

SHAPES = [(5, 3, 32, 32), (5, 1, 28, 28)]


def noise(shape) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def smooth(shape) -> torch.Tensor:
    """Smooth images, on which the rounding of nearest-neighbor sampling matters little."""
    small = noise((*shape[:2], 4, 4)).float()
    return torch.nn.functional.interpolate(small, shape[2:], mode="bilinear").to(torch.uint8)


def spec(channels: int = 3, size: int = 32, mirror: bool = True) -> ImageSpec:
    statistics = (0.4,) * channels, (0.2,) * channels, 0.05 * torch.eye(channels) + 0.01
    return ImageSpec(channels, size, 10, (), *statistics, mirror)


def test_random_crop_accepts_an_empty_batch():
    step, empty = RandomCrop(0.125), torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    assert step.apply(empty, step.draw(empty, torch.Generator())).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("shape", SHAPES)
def test_random_crop_pads_and_crops(shape):
    images, step = noise(shape), RandomCrop(0.125)
    padding = round(0.125 * shape[-1])
    draws = {"top": torch.tensor([0, 1, 2, 5, 2 * padding]), "left": torch.tensor([2 * padding, 3, 2, 0, 1])}
    for image, out, top, left in zip(images, step.apply(images, draws), draws["top"], draws["left"], strict=True):
        assert torch.equal(out, tv.crop(tv.pad(image, [padding] * 4), int(top), int(left), *shape[2:]))


@pytest.mark.parametrize("shape", SHAPES)
def test_random_crop_can_reflect_the_border(shape):
    images, side = noise(shape), shape[-1]
    padding = round(0.0625 * side)
    draws = {"top": torch.tensor([0, 1, 2, 3, 2 * padding]), "left": torch.tensor([2 * padding, 3, 2, 0, 1])}
    out = RandomCrop(0.0625, mode="reflect").apply(images, draws)
    for image, cropped, top, left in zip(images, out, draws["top"], draws["left"], strict=True):
        padded = tv.pad(image, [padding] * 4, padding_mode="reflect")
        assert torch.equal(cropped, tv.crop(padded, int(top), int(left), side, side))


def test_random_crop_draws_every_position():
    draws = RandomCrop(0.125).draw(noise((4000, 1, 32, 32)), torch.Generator().manual_seed(0))
    assert draws["top"].unique().tolist() == draws["left"].unique().tolist() == list(range(9))
    assert (draws["top"] != draws["left"]).any()


GROWING = GrowingCrop([(0.3, 0.75), (0.85, 0.875)])


@pytest.mark.parametrize(("progress", "size"), [(0, 24), (0.299, 24), (0.3, 28), (0.849, 28), (0.85, 32), (1, 32)])
def test_a_growing_crop_is_a_part_of_the_image_that_grows(progress, size):
    images, labels = noise((40, 3, 32, 32)), torch.arange(40)
    augment = Augmentation([GROWING], spec())
    assert augment.image_sizes == [24, 28, 32]
    x, _ = augment(images, labels, torch.Generator().manual_seed(0), BatchContext(0, 0, labels, progress))
    assert x.shape == (40, 3, size, size)
    assert x.is_contiguous(memory_format=torch.channels_last)
    positions = torch.randint(33 - size, (2, 40), generator=torch.Generator().manual_seed(0)).T.tolist()
    for image, crop, (top, left) in zip(normalize(images, spec()), x, positions, strict=True):
        torch.testing.assert_close(crop, image[:, top : top + size, left : left + size])


def test_a_growing_crop_of_resized_images_keeps_their_scale():
    images, labels = noise((4, 3, 64, 64)), torch.arange(4)
    augment = Augmentation([GrowingCrop([(0.5, 0.5)])], spec())
    x, _ = augment(images, labels, torch.Generator().manual_seed(0), BatchContext(0, 0, labels, 0.2))
    top, left = torch.randint(33, (2, 4), generator=torch.Generator().manual_seed(0))
    corners = [image[:, i : i + 32, j : j + 32] for image, i, j in zip(images, top, left, strict=True)]
    torch.testing.assert_close(x, normalize(torch.stack(corners), replace(spec(), image_size=16)))


def test_images_are_whole_where_the_progress_is_unknown():
    images, labels = noise((4, 3, 32, 32)), torch.arange(4)
    assert Augmentation([GROWING], spec())(images, labels, torch.Generator())[0].shape == images.shape


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([(0.5, 0.75), (0.3, 0.5)], r"stages must have rising fractions of the run, got \[0.5, 0.3\]"),
        ([(0.5, 1.5)], "stages"),
        ([(1.0, 0.5)], "stages"),
    ],
)
def test_impossible_stages_are_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        GrowingCrop(stages)


def test_two_growing_crops_are_refused():
    with pytest.raises(ValueError, match="there must be at most one GrowingCrop, got 2"):
        Augmentation([GROWING, GROWING], spec())


@pytest.mark.parametrize("shape", SHAPES)
def test_random_flip_flips_the_drawn_images_left_to_right(shape):
    images = noise(shape)
    flip = torch.tensor([True, False, True, True, False])
    out = RandomFlip().apply(images, {"flip": flip})
    for image, flipped, drawn in zip(images, out, flip, strict=True):
        assert torch.equal(flipped, tv.horizontal_flip(image) if drawn else image)
    fraction = RandomFlip().draw(noise((4000, 1, 4, 4)), torch.Generator().manual_seed(0))["flip"].float().mean()
    assert fraction == pytest.approx(0.5, abs=0.03)


def flips(seed: int, epoch: int, indices: torch.Tensor) -> torch.Tensor:
    return AlternatingFlip().draw_for(BatchContext(seed, epoch, indices))["flip"]


def test_alternating_flip_flips_each_image_in_every_other_epoch():
    indices = torch.arange(20_000)
    first = flips(0, 0, indices)
    assert torch.equal(flips(0, 1, indices), ~first)
    assert torch.equal(flips(0, 2, indices), first)
    some = torch.tensor([19_999, 5, 7, 5])
    assert torch.equal(flips(0, 4, some), first[some])  # independent of the rest of the batch


def test_alternating_flip_starts_with_a_half_that_depends_on_the_seed():
    halves = torch.stack([flips(seed, 0, torch.arange(20_000)) for seed in (0, 1, 2**32 - 1)]).float()
    assert (halves.mean(1) - 0.5).abs().max() < 0.015  # 4 standard deviations
    assert torch.corrcoef(halves).fill_diagonal_(0).abs().max() < 0.03
    neighbors = torch.stack((halves[0, :-1], halves[0, 1:]))
    assert torch.corrcoef(neighbors)[0, 1].abs() < 0.03


def test_alternating_flip_shows_both_orientations_in_two_epochs():
    images, labels = noise((6, 3, 32, 32)), torch.arange(6)
    augment = Augmentation([AlternatingFlip()], spec())
    even, odd = (
        augment(images, labels, torch.Generator(), BatchContext(3, epoch, torch.arange(6)))[0] for epoch in (0, 1)
    )
    torch.testing.assert_close(odd, even.flip(-1))
    assert {torch.equal(side, image) for side, image in zip(even, normalize(images, spec()), strict=True)} == {
        True,
        False,
    }
    assert Augmentation([AlternatingFlip()], spec(mirror=False)).image_steps == []


def test_cutout_fills_a_square_that_may_extend_beyond_the_border():
    images = torch.full((3, 3, 32, 32), 9, dtype=torch.uint8)
    mean = round(255 * 0.4)
    out = Cutout(0.5, spec()).apply(images, {"y": torch.tensor([16, 0, 31]), "x": torch.tensor([16, 0, 16])})
    assert torch.equal(out[0], tv.erase(images[0], 8, 8, 16, 16, torch.full((1, 1, 1), mean, dtype=torch.uint8)))
    assert (out[1] == mean).sum() == 3 * 8 * 8
    assert (out[2] == mean).sum() == 3 * 9 * 16


def test_color_shift_follows_the_principal_components():
    """Two perfectly correlated channels and an independent one have known principal components."""
    covariance = torch.tensor([[0.04, 0.04, 0.0], [0.04, 0.04, 0.0], [0.0, 0.0, 0.01]])
    step = ColorShift(0.1, ImageSpec(3, 8, 10, (), (0.5,) * 3, (0.2,) * 3, covariance))
    images = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    out = step.apply(images, {"alpha": torch.tensor([[0.0, 0.0, 1.0]])})  # the last eigenvalue is the largest, 0.08
    shift = 255 * 0.08 / math.sqrt(2)
    assert (out[0, :2].float() - 100).abs().unique().tolist() == [round(shift)]
    assert out[0, 2].unique().tolist() == [100]


def oracle(name: str, image: torch.Tensor, strength: float) -> torch.Tensor:
    affine = {
        "angle": 0.0,
        "translate": [0, 0],
        "scale": 1.0,
        "shear": [0.0, 0.0],
        "interpolation": InterpolationMode.NEAREST,
    }
    degrees = math.degrees(math.atan(strength))
    return {
        "identity": lambda: image,
        "shear_x": lambda: tv.affine(image, **affine | {"shear": [degrees, 0.0], "center": [0, 0]}),
        "shear_y": lambda: tv.affine(image, **affine | {"shear": [0.0, degrees], "center": [0, 0]}),
        "translate_x": lambda: tv.affine(image, **affine | {"translate": [int(strength), 0]}),
        "translate_y": lambda: tv.affine(image, **affine | {"translate": [0, int(strength)]}),
        "rotate": lambda: tv.rotate(image, strength),
        "brightness": lambda: tv.adjust_brightness(image, 1 + strength),
        "color": lambda: tv.adjust_saturation(image, 1 + strength),
        "contrast": lambda: tv.adjust_contrast(image, 1 + strength),
        "sharpness": lambda: tv.adjust_sharpness(image, 1 + strength),
        "posterize": lambda: tv.posterize(image, 8 - round(strength)),
        "solarize": lambda: tv.solarize(image, 255 - strength),
        "autocontrast": lambda: tv.autocontrast(image),
        "equalize": lambda: tv.equalize(image),
    }[name]()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_trivial_augment_operations_match_torchvision(name, shape):
    images = smooth(shape)
    largest, signed = OPERATIONS[name]
    strength = largest * torch.tensor([0.0, 0.3, 0.5, 0.77, 1.0])
    if signed:
        strength *= torch.tensor([1, -1, 1, -1, 1])
    out = apply_operation(name, images, strength) if name != "identity" else images
    for image, ours, s in zip(images, out, strength, strict=True):
        difference = (ours.int() - oracle(name, image, s.item()).int()).abs()
        assert (difference > 1).float().mean() <= (0.03 if name in ("shear_x", "shear_y", "rotate") else 0)


def test_trivial_augment_applies_the_drawn_operation_to_each_image():
    images = smooth((600, 3, 32, 32))
    step = TrivialAugment()
    draws = step.draw(images, torch.Generator().manual_seed(0))
    assert draws["operation"].unique().tolist() == list(range(len(OPERATIONS)))
    out = step.apply(images, draws)
    for i in (0, 1, 2, 3):
        name = list(OPERATIONS)[draws["operation"][i]]
        alone = images[i : i + 1]
        if name != "identity":
            alone = apply_operation(name, alone, draws["strength"][i : i + 1])
        assert torch.equal(out[i : i + 1], alone)


def test_mixup_averages_images_and_targets():
    x, targets = torch.randn(4, 3, 8, 8), one_hot(torch.arange(4), 10)
    draws = {"fraction": torch.tensor([1.0, 0.25, 0.5, 0.0]), "partner": torch.tensor([1, 2, 3, 0])}
    mixed, blended = MixUp(0.2).mix(x, targets, draws)
    for i, (fraction, partner) in enumerate(zip(draws["fraction"], draws["partner"], strict=True)):
        torch.testing.assert_close(mixed[i], fraction * x[i] + (1 - fraction) * x[partner])
        torch.testing.assert_close(blended[i], fraction * targets[i] + (1 - fraction) * targets[partner])


def test_cutmix_pastes_the_partners_box_and_weights_the_labels_by_pixels():
    x = torch.arange(2.0)[:, None, None, None].expand(2, 3, 16, 16).contiguous()
    centers = {"y": torch.tensor([8, 0]), "x": torch.tensor([8, 0])}
    draws = {"fraction": torch.tensor([0.75, 0.75]), "partner": torch.tensor([1, 0])} | centers
    mixed, blended = CutMix(1.0).mix(x, one_hot(torch.tensor([0, 1]), 2), draws)
    assert mixed[0].sum() == 3 * 8 * 8
    assert blended[0].tolist() == [0.75, 0.25]
    assert (mixed[1] == 0).sum() == 3 * 4 * 4  # clipped at the corner
    assert blended[1].tolist() == [1 / 16, 15 / 16]


@pytest.mark.parametrize("step", [MixUp(0.2), CutMix(1.0)])
def test_mixing_draws_for_every_image_and_targets_sum_to_one(step):
    images = noise((64, 3, 32, 32))
    augment = Augmentation([step], spec())
    _, targets = augment(images, torch.arange(64) % 10, torch.Generator().manual_seed(0))
    torch.testing.assert_close(targets.sum(1), torch.ones(64))
    draws = step.draw(images, torch.Generator().manual_seed(0))
    assert len(draws["fraction"].unique()) > 32
    assert sorted(draws["partner"].tolist()) == list(range(64))


STEPS = {
    "crop": RandomCrop(0.125), "flip": RandomFlip(), "cutout": Cutout(0.5, spec()),
    "color": ColorShift(0.1, spec()), "trivial": TrivialAugment(), "mixup": MixUp(0.2), "cutmix": CutMix(1.0),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_a_step_depends_only_on_the_generator_preserves_its_input_and_draws_for_every_image(step):
    images, labels = smooth((1, 3, 32, 32)).expand(32, -1, -1, -1).contiguous(), torch.arange(32) % 10
    before = images.clone()
    augment = Augmentation([step], spec())
    first, _ = augment(images, labels, torch.Generator().manual_seed(1))
    again, _ = augment(images, labels, torch.Generator().manual_seed(1))
    other, _ = augment(images, labels, torch.Generator().manual_seed(2))
    assert torch.equal(first, again)
    assert torch.equal(images, before)
    if step not in (STEPS["mixup"], STEPS["cutmix"]):  # all images are equal here, so mixing has no effect
        assert not torch.equal(first, other)
        assert len({image.sum().item() for image in first}) > 1


@pytest.mark.parametrize("names", [["crop", "flip", "color"], ["trivial", "cutout"], ["crop", "mixup"], ["cutmix"]])
def test_a_part_of_a_batch_equals_that_part_of_the_augmented_batch(names):
    images, labels = smooth((12, 3, 32, 32)), torch.arange(12) % 10
    augment = Augmentation([AlternatingFlip(), *(STEPS[name] for name in names)], spec())
    context = BatchContext(seed=0, epoch=1, indices=torch.arange(12))
    full = augment(images, labels, torch.Generator().manual_seed(1), context)
    for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
        values = augment(images, labels, torch.Generator().manual_seed(1), context, part)
        for value, expected in zip(values, full, strict=True):
            assert torch.equal(value, expected[part])


def test_denormalize_inverts_normalize():
    images = noise((4, 3, 32, 32))
    mean, std = (0.1, 0.4, 0.7), (0.2, 0.3, 0.5)
    of_channels = replace(spec(), mean=mean, std=std)
    x = normalize(images, of_channels)
    shift, scale = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    torch.testing.assert_close(x, (images / 255 - shift) / scale, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(denormalize(x, of_channels), images / 255, rtol=1e-5, atol=1e-5)
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_normalize_resizes_to_the_image_size():
    images = noise((2, 1, 28, 28))
    x = normalize(images, spec(channels=1, size=32))
    expected = (tv.resize(images / 255, [32, 32], antialias=True) - 0.4) / 0.2
    torch.testing.assert_close(x, expected, rtol=1e-4, atol=1e-4)


def test_normalization_made_in_evaluation_can_be_used_in_training():
    images, of_evaluation = noise((2, 3, 6, 6)), replace(spec(size=6), mean=(0.11, 0.22, 0.33))
    with torch.inference_mode():
        evaluated = normalize(images, of_evaluation)
    x, weight = normalize(images, of_evaluation), torch.ones(3, requires_grad=True)
    (x * weight[:, None, None]).sum().backward()
    assert torch.equal(x, evaluated)
    assert not any(
        constant.is_inference() for constant in _shift_and_scale(of_evaluation.mean, (0.2,) * 3, 36, x.device)
    )


def test_normalization_follows_the_spec_and_the_input_size():
    images = noise((2, 3, 6, 6))
    other = replace(spec(size=6), std=(0.1,) * 3)
    torch.testing.assert_close(normalize(images, other), 2 * normalize(images, spec(size=6)))
    assert torch.equal(normalize(images[..., :4, :4], spec(size=4)), normalize(images, spec(size=6))[..., :4, :4])


def test_a_step_that_depends_on_the_epoch_needs_a_context():
    with pytest.raises(ValueError, match="context must be a BatchContext for AlternatingFlip, got None"):
        Augmentation([AlternatingFlip()], spec())(noise((2, 3, 8, 8)), torch.arange(2), torch.Generator())


def test_flips_are_omitted_if_a_reflection_changes_the_label():
    augment = Augmentation([RandomCrop(0.1), RandomFlip()], spec(mirror=False))
    assert [type(step) for step in augment.image_steps] == [RandomCrop]
    assert [type(step) for step in augment.left_out] == [RandomFlip]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomCrop(0.6, "reflect"), "padding must be at most 0.5 with mode=reflect, got 0.6"),
        (lambda: RandomCrop(0.1, "wrap"), r"mode must be one of \['zeros', 'reflect'\], got 'wrap'"),
        (lambda: RandomCrop(2), "padding must be a number from 0 to 1, got 2"),
        (lambda: Cutout(0, spec()), "size must be a number above 0 and of at most 1, got 0"),
        (lambda: MixUp(0), "alpha must be a number above 0, got 0"),
    ],
)
def test_invalid_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()
