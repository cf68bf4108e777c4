"""Gradient norms: values, order, and no effect on training."""

import csv
from pathlib import Path

import pytest
import torch

from cnnlab.build.objects import build_classifier, build_datamodule
from cnnlab.runs.run import train
from cnnlab.training.callbacks.gradient_norms import layer_weights
from tests.analysis.subjects import subject

CONSTANT_WEIGHTS = (
    "callbacks=gradient_norms", "optimizer=sgd", "optimizer.lr=0", "data.limit=60", "data.batch_size=20",
    "trainer.max_epochs=2", "trainer.precision=32-true", "augment=none", "logger=none",
)  # fmt: skip


def rows_of(cfg) -> list[dict[str, str]]:
    (path,) = (Path(cfg.log_dir) / cfg.name).glob("*/metrics.csv")
    with path.open() as stream:
        return list(csv.DictReader(stream))


def expected_norms(cfg) -> dict[str, torch.Tensor]:
    """Return the gradient norm of each layer at each step of the first epoch, for constant weights."""
    data = build_datamodule(cfg)
    model = build_classifier(cfg, data)
    norms: dict[str, list[torch.Tensor]] = {}
    for images, labels, _ in data.train_dataloader():
        x, targets = model.augmentation(images, labels, torch.Generator())
        model.zero_grad()
        model.loss(model.net(x), targets).backward()
        for name, layer in model.net.named_children():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                norms.setdefault(name, []).append(layer.weight.grad.square().sum().sqrt())
    return {name: torch.stack(values) for name, values in norms.items()}


@pytest.mark.parametrize(("every", "measured"), [(1, [0, 1, 2]), (2, [0, 2]), (9, [0])])
def test_the_mean_of_an_epoch_covers_its_measured_steps_before_clipping(configure, every, measured):
    cfg = configure(*CONSTANT_WEIGHTS, f"callbacks.gradient_norms.every={every}", "trainer.gradient_clip_val=1e-4")
    train(cfg)
    expected = {f"gradient/{name}": float(norms[measured].mean()) for name, norms in expected_norms(cfg).items()}
    first, _ = rows_of(cfg)
    recorded = {name: float(value) for name, value in first.items() if name.startswith("gradient/")}
    assert list(recorded) == ["gradient/c1", "gradient/c3", "gradient/c5", "gradient/f6", "gradient/output"]
    assert recorded == pytest.approx(expected, rel=1e-4)


def test_measuring_adds_columns_and_does_not_change_the_run(configure):
    plain = ("trainer.max_epochs=2", "data.limit=60", "data.batch_size=20", "logger=none")
    without = train(configure(*plain))
    first, second = rows_of(configure())
    assert not any(name.startswith("gradient/") for name in first)
    assert train(configure(*plain, "callbacks=gradient_norms", "fresh=true"))["test/loss"] == without["test/loss"]
    measured = rows_of(configure())
    assert [row["val/loss"] for row in measured] == [first["val/loss"], second["val/loss"]]
    assert all(float(row["gradient/c1"]) > 0 for row in measured)


@pytest.mark.parametrize("model", ["lenet5_1998", "resnet18", "plain18", "googlenet", "mobilenet_v1", "vgg16"])
def test_layer_weights_are_in_the_order_of_the_forward_pass(model):
    net, rows = subject(model).net, [row.name for row in subject(model).trace.rows if row.macs]
    assert [name for name in layer_weights(net) if name in rows] == rows
