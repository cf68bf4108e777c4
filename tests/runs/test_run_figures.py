"""What a run leaves besides its record: figures, predictions per image, and records by step and layer."""

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from cnnlab.runs.predictions import Predictions
from cnnlab.runs.run import train
from tests.conftest import write_tree
from tests.runs.test_run import QUICK, folder_of, weights

ALWAYS = {"inputs", "class_distribution", "curves", "loss_by_step", "layer_norms", "confusion"}


def names_in(folder) -> set[str]:
    return {path.stem for path in (folder / "figures").glob("*.png")}


@pytest.mark.parametrize(
    ("overrides", "missing", "split"),
    [
        (["trainer=smoke"], set(), "test"),
        (["trainer=smoke", "test=false"], set(), "val"),
        (["trainer=smoke", "data.val_size=0"], set(), "test"),
        (["trainer=smoke", "data.val_size=0", "test=false"], {"confusion"}, None),
    ],
)
def test_every_run_has_its_figures_and_the_predictions_of_one_set(configure, overrides, missing, split, capsys):
    cfg = configure("logger=none", *overrides)
    folder = folder_of(cfg, train(cfg))
    assert names_in(folder) >= (ALWAYS | {"filters"}) - missing
    assert (folder / "predictions.npz").exists() is (split is not None)
    assert split is None or Predictions.load(folder / "predictions.npz").split == split
    assert "warning" not in capsys.readouterr().out


def test_long_and_non_latin_class_names_are_drawn(configure, tmp_path, capsys):
    write_tree(tmp_path / "images", ["猫", "собака", "a very long name of a class " * 3], 12, (32, 32), "RGB")
    cfg = configure(
        "data=image_folder", f"data.root={tmp_path / 'images'}", "data.image_size=32", "data.batch_size=8",
        "trainer.max_epochs=1", "model=mlp", "augment=mixup",
    )  # fmt: skip
    folder = folder_of(cfg, train(cfg))
    assert names_in(folder) >= ALWAYS
    assert "warning" not in capsys.readouterr().out


def test_the_predictions_are_those_of_the_recorded_accuracy(configure):
    cfg = configure(*QUICK, "trainer.limit_eval_batches=1", "data.eval_batch_size=50")
    record = train(cfg)
    found = Predictions.load(folder_of(cfg, record) / "predictions.npz")
    assert len(found.indices) == 50
    assert (found.predicted == found.labels).double().mean() == pytest.approx(record["test/acc"])
    loss = torch.nn.functional.cross_entropy(found.logits, found.labels)
    assert loss.item() == pytest.approx(record["test/loss"], rel=1e-2)  # the file has float16
    assert found.confusion().trace() == (found.predicted == found.labels).sum()


def test_mistakes_are_ordered_by_confidence():
    logits = torch.tensor([[9.0, 0.0], [0.0, 1.0], [0.0, 5.0], [2.0, 0.0]])
    labels = torch.tensor([0, 0, 0, 1])
    found = Predictions("test", torch.arange(4), labels, logits.argmax(1), logits)
    assert found.most_confident_mistakes(2).tolist() == [2, 3]


def test_damaged_predictions_are_reported(tmp_path):
    path = tmp_path / "predictions.npz"
    logits = torch.randn(100, 10)
    Predictions("test", torch.arange(100), torch.zeros(100).long(), logits.argmax(1), logits).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="damaged"):
        Predictions.load(path)


def test_training_records_losses_by_step_norms_and_filters(configure):
    cfg = configure(*QUICK, "data.batch_size=16", "trainer.max_epochs=25", "trainer.precision=32-true")
    folder = folder_of(cfg, train(cfg))
    last = folder / "checkpoints" / "last.ckpt"
    states, net = torch.load(last, weights_only=True)["callbacks"], weights(last)
    losses, norms, filters = (states[name] for name in ("StepLosses", "LayerNorms", "FirstFilters"))
    assert losses["steps"].tolist() == list(range(1, 8 * 25 + 1))
    assert norms["layers"] == ["c1", "c3", "c5", "f6", "output"]
    assert norms["weights"].shape == norms["gradients"].shape == (25, 5)
    assert norms["weights"][-1, 0] == pytest.approx(net["net.c1.weight"].norm().item())
    assert bool((norms["gradients"] > 0).all())
    assert filters["epochs"] == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25]
    assert torch.equal(filters["filters"][-1][1], net["net.c1.weight"])


def test_tensorboard_has_the_figures_each_epoch_once_and_training_beside_validation(configure):
    cfg = configure("trainer.max_epochs=2", "data.limit=64", "seed=3")
    folder = folder_of(cfg, train(cfg))
    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()
    assert set(tags["images"]) >= {"inputs/augmented", "filters/first_layer", "figures/confusion", "figures/curves"}
    assert [event.step for event in events.Scalars("weight_norms/c1")] == [2, 4]
    assert [event.step for event in events.Scalars("train/loss_by_step")] == [1, 2, 3, 4]
    (layout,) = events.Tensors("custom_scalars__config__")
    chart = Layout.FromString(layout.tensor_proto.string_val[0]).category[0].chart[0]
    assert list(chart.multiline.tag) == ["train/loss$", "val/loss$"]
    content = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
    columns = [info.name for info in HParamsPluginData.FromString(content).experiment.hparam_infos]
    assert columns[:3] == ["trainer.max_epochs", "data.limit", "seed"]
    assert "augment" in columns
    assert "augment.crop" not in columns  # the same as augment
