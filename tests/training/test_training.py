"""Losses, schedules and parameter groups; networks learn with their default recipes."""

from itertools import pairwise

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from cnnlab import models
from cnnlab.build.check import build_augmentation
from cnnlab.build.objects import build_classifier, build_datamodule
from cnnlab.build.targets import make
from cnnlab.config.compose import compose
from cnnlab.config.folders import CONF
from cnnlab.training.losses import CrossEntropy, Focal, SquaredError
from cnnlab.training.param_groups import param_groups
from cnnlab.training.schedules import Constant, Cosine, Linear, MultiStep, Plateau, Step
from tests.conftest import root_of

LOGITS = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1])
LOSSES = [CrossEntropy(), SquaredError(), Focal()]


@pytest.mark.parametrize("loss", LOSSES)
def test_labels_and_one_hot_targets_give_the_same_loss(loss):
    torch.testing.assert_close(loss(LOGITS, LABELS), loss(LOGITS, F.one_hot(LABELS, 5).double()))


@pytest.mark.parametrize("make", [CrossEntropy, SquaredError, Focal])
def test_label_smoothing_equals_the_loss_of_smoothed_targets(make):
    smoothed = 0.8 * F.one_hot(LABELS, 5) + 0.2 / 5
    torch.testing.assert_close(make(label_smoothing=0.2)(LOGITS, LABELS), make()(LOGITS, smoothed.double()))


def test_squared_error_equals_its_definition():
    expected = sum(((LOGITS[i] - F.one_hot(LABELS, 5)[i]) ** 2).sum() for i in range(7)) / 7
    torch.testing.assert_close(SquaredError()(LOGITS, LABELS), expected)


def test_focal_loss_equals_cross_entropy_without_gamma_and_torchvision_for_two_classes():
    torch.testing.assert_close(Focal(gamma=0)(LOGITS, LABELS), F.cross_entropy(LOGITS, LABELS))
    z, y = LOGITS[:, 0], (LABELS > 1).long()
    ours = Focal(gamma=2.0)(torch.stack((torch.zeros_like(z), z), dim=1), y)
    torch.testing.assert_close(ours, sigmoid_focal_loss(z, y.double(), alpha=-1, gamma=2.0, reduction="mean"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossEntropy(1.0), "label_smoothing must be a number of at least 0 and below 1, got 1.0"),
        (lambda: Focal(gamma=-1), "gamma must be a number of at least 0, got -1"),
        (lambda: Cosine(warmup=2), "warmup must be a number from 0 to 1, got 2"),
        (lambda: Step(period=0), "period must be a number above 0 and of at most 1, got 0"),
        (lambda: Plateau(factor=1), "factor must be a number above 0 and below 1, got 1"),
    ],
)
def test_invalid_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("schedule", "fractions", "factors"),
    [
        (Constant(), (0, 0.5, 1), (1, 1, 1)),
        (Constant(warmup=0.5), (0, 0.25, 0.5, 1), (0, 0.5, 1, 1)),
        (Step(period=0.3), (0, 0.29, 0.3, 0.6, 0.9), (1, 1, 0.1, 0.01, 0.001)),
        (MultiStep(milestones=[0.5, 0.75]), (0, 0.5, 0.75, 1), (1, 0.1, 0.01, 0.01)),
        (Cosine(), (0, 0.5, 1), (1, 0.5, 0)),
        (Linear(final=0.07, warmup=0.2, initial=0.1), (0, 0.1, 0.2, 0.6, 1), (0.1, 0.55, 1, 0.535, 0.07)),
        (Cosine(final=0.2, warmup=0.2, initial=0.1), (0, 0.1, 0.2, 0.6, 1), (0.1, 0.55, 1, 0.6, 0.2)),
    ],
)
def test_a_schedule_has_known_factors(schedule, fractions, factors):
    assert [schedule(fraction) for fraction in fractions] == pytest.approx(list(factors))


def test_weight_decay_applies_to_weights_only():
    net = models.resnet18(3, 10, 32)
    decayed, rest = param_groups(net)
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in rest["params"]} == {1}
    assert "weight_decay" not in decayed
    assert rest["weight_decay"] == 0.0
    assert sum(p.numel() for group in (decayed, rest) for p in group["params"]) == 11_173_962


def test_biases_have_a_weight_decay_of_their_own():
    net = models.resnet18(num_classes=10, image_size=32)
    groups = param_groups(net, bias_weight_decay=0.3)
    decays = {id(p): group.get("weight_decay") for group in groups for p in group["params"]}
    for name, p in net.named_parameters():
        assert decays[id(p)] == (0.3 if name.endswith("bias") else 0.0 if p.ndim == 1 else None)
    assert {group.get("lr_factor", 1.0) for group in groups} == {1.0}


def test_biases_have_their_own_learning_rate_with_every_optimizer(data_root):
    for choice in ("sgd", "adam", "muon"):
        options = [f"optimizer={choice}", "param_groups.bias_lr_factor=8", "scheduler=constant", "trainer.max_steps=2"]
        cfg = compose("train", ["model=cnn", f"data.root={data_root}", "scheduler.warmup=0.5", *options])
        module = build_datamodule(cfg)
        trainer = quick_trainer(max_epochs=1, limit_val_batches=0)
        model = build_classifier(cfg, module)
        trainer.fit(model, datamodule=module)
        lr_by_id = {id(p): group["lr"] for group in trainer.optimizers[0].param_groups for p in group["params"]}
        lr = {name: lr_by_id[id(p)] for name, p in model.net.named_parameters()}
        assert lr["classifier.bias"] == lr["blocks.0.norm.bias"] == pytest.approx(8 * lr["classifier.weight"])
        assert lr["blocks.0.norm.weight"] == lr["classifier.weight"]
        assert len(lr) == 3 * 3 + 2


def quick_trainer(**options) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, **{"enable_checkpointing": False} | options,
    )  # fmt: skip


@pytest.mark.parametrize("model", ["cnn", "lenet5", "mlp", pytest.param("resnet18", marks=pytest.mark.slow)])
@pytest.mark.parametrize("data", ["digits", "cifar10"])
def test_the_training_loss_decreases_with_the_default_recipe(model, data, small_datasets):
    steps = {"resnet18": 12}.get(model, 60)
    size = ["data.image_size=16"] if model == "resnet18" else []
    arguments = [f"model={model}", f"data={data}", f"data.root={root_of(small_datasets, data)}", "data.val_size=0"]
    cfg = compose("train", [*arguments, "data.batch_size=16", f"trainer.max_steps={steps}", "augment=none", *size])
    module = build_datamodule(cfg)
    model = build_classifier(cfg, module)
    losses: list[float] = []

    class RecordLoss(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            losses.append(outputs["loss"].item())

    trainer = quick_trainer(max_epochs=1000, limit_val_batches=0, callbacks=[RecordLoss()])
    trainer.fit(model, datamodule=module)
    assert len(losses) == steps
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def flat_weights(module: L.LightningModule) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()])


def test_the_learning_rate_follows_the_schedule_and_gradients_are_clipped(data_root):
    cfg = compose(
        "train", [f"data.root={data_root}", "optimizer=sgd", "optimizer.momentum=0", "optimizer.nesterov=false",
                  "optimizer.weight_decay=0", "trainer.max_steps=10", "scheduler=multistep", "scheduler.warmup=0"]
    )  # fmt: skip
    module = build_datamodule(cfg)
    model = build_classifier(cfg, module)
    learning_rates, norms = [], []

    class RecordSteps(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            learning_rates.append(trainer.optimizers[0].param_groups[0]["lr"])
            self.before = flat_weights(pl_module)

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            norms.append((flat_weights(pl_module) - self.before).norm().item())

    trainer = quick_trainer(max_epochs=1, gradient_clip_val=0.01, callbacks=[RecordSteps()])
    trainer.fit(model, datamodule=module)
    assert learning_rates == pytest.approx([0.05] * 5 + [0.005] * 2 + [0.0005] * 3)
    assert all(norm <= 1.05 * 0.01 * lr for norm, lr in zip(norms, learning_rates, strict=True))


@pytest.mark.parametrize("steps", [3, 14])
def test_the_statistics_of_batch_norm_are_the_mean_over_the_first_steps(data_root, steps):
    cfg = compose("train", [f"data.root={data_root}", "model=cnn", f"trainer.max_steps={steps}"])
    module = build_datamodule(cfg)
    model = build_classifier(cfg, module)
    norm = model.net.blocks[0].norm
    means: list[torch.Tensor] = []
    norm.register_forward_pre_hook(lambda norm, x: means.append(x[0].mean((0, 2, 3)).detach()))
    quick_trainer(max_epochs=2, limit_val_batches=0).fit(model, datamodule=module)
    expected = torch.stack(means[:10]).mean(0)
    for mean in means[10:]:
        expected = torch.lerp(expected, mean, 0.1)
    assert len(means) == steps
    torch.testing.assert_close(norm.running_mean, expected, rtol=1e-4, atol=1e-6)
    assert norm.momentum == pytest.approx(max(0.1, 1 / steps))


def test_images_grow_with_the_progress_of_the_run(small_datasets):
    cfg = compose(
        "train", ["data=cifar10", "model=fastnet", "model.widths=[8,8,8]", "augment=growing_flip", "data.val_size=0",
                  f"data.root={small_datasets}", "data.batch_size=8", "trainer.max_steps=20"]
    )  # fmt: skip
    module = build_datamodule(cfg)
    model = build_classifier(cfg, module)
    sizes: list[int] = []
    model.net.register_forward_pre_hook(lambda net, x: sizes.append(x[0].shape[-1]))
    quick_trainer(max_epochs=9, limit_val_batches=0).fit(model, datamodule=module)
    assert sizes == [24] * 7 + [32] * 13


@pytest.mark.parametrize(("whitening_images", "frozen"), [(5, [0] * 4 + [1] * 6), (0, [0] * 10)])
def test_the_biases_of_a_whitening_layer_are_frozen_after_a_part_of_the_run(small_datasets, whitening_images, frozen):
    cfg = compose(
        "train", ["data=cifar10", "model=fastnet", "model.widths=[8,8,8]", "model.bias_until=0.4", "augment=none",
                  f"model.whitening_images={whitening_images}", "data.val_size=0", f"data.root={small_datasets}",
                  "data.batch_size=8", "trainer.max_steps=10"]
    )  # fmt: skip
    module = build_datamodule(cfg)
    model = build_classifier(cfg, module)
    biases: list[torch.Tensor] = []
    model.net.register_forward_pre_hook(lambda net, x: biases.append(net.whitening.bias.detach().clone()))
    quick_trainer(max_epochs=9, limit_val_batches=0).fit(model, datamodule=module)
    biases.append(model.net.whitening.bias.detach())
    assert [int(torch.equal(before, after)) for before, after in pairwise(biases)] == frozen


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "muon"])
@pytest.mark.parametrize(
    "model", ["lenet5", *(pytest.param(m, marks=pytest.mark.slow) for m in ("cnn", "mlp", "resnet18"))]
)
def test_a_network_learns_the_digits_with_every_optimizer(model, optimizer, data_root):
    cfg = compose(
        "train", [f"model={model}", f"optimizer={optimizer}", f"data.root={data_root}", "trainer.max_steps=120"]
    )
    module = build_datamodule(cfg)
    trainer = quick_trainer(max_epochs=3)
    trainer.fit(build_classifier(cfg, module), datamodule=module)
    assert trainer.callback_metrics["val/acc"] > 0.5


def test_every_optimizer_configuration_builds_an_optimizer():
    for path in (CONF / "optimizer").glob("*.yaml"):
        optimizer = make(
            compose("train", [f"optimizer={path.stem}"]).optimizer, "optimizer", param_groups(models.lenet5())
        )
        assert isinstance(optimizer, torch.optim.Optimizer)


def test_augmentation_is_the_same_in_every_precision(small_datasets):
    cfg = compose(
        "train", ["data=cifar10", "model=cnn", "augment=alexnet", f"data.root={small_datasets}", "data.batch_size=8"]
    )
    data = build_datamodule(cfg)
    model = build_classifier(cfg, data)
    batch = next(iter(data.train_dataloader()))
    expected, _ = model.augmented(batch, 0)
    with torch.autocast("cpu", torch.bfloat16):
        x, _ = model.augmented(batch, 0)
    assert torch.equal(x, expected)


def test_an_augmentation_step_that_is_null_is_omitted(small_datasets):
    cfg = compose(
        "train",
        ["data=cifar10", "augment=crop_flip", "augment.flip=null", f"data.root={small_datasets}", "data.batch_size=8"],
    )
    steps = build_augmentation(cfg.augment, build_datamodule(cfg).spec).image_steps
    assert [type(step).__name__ for step in steps] == ["RandomCrop"]
