"""Each benchmark on small networks: the tables are complete. The speed of this machine is not tested."""

import json
import re
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from cnnlab import models
from cnnlab.analysis.cost import count_macs
from cnnlab.augment import RandomCrop
from cnnlab.benchmarks import convolutions, loops, rates
from cnnlab.benchmarks.child import NoMoreTurns
from cnnlab.benchmarks.convolutions import Shape, bounds, contenders_for, shapes_of
from cnnlab.benchmarks.layers import layer_rows
from cnnlab.benchmarks.loading import bench as bench_data
from cnnlab.benchmarks.noise import NoiseData
from cnnlab.benchmarks.overhead import bench as bench_trainer
from cnnlab.benchmarks.results import figure
from cnnlab.benchmarks.startup import first_step
from cnnlab.build.trainer import build_trainer
from cnnlab.commands.benchmark import run as run_bench
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.ops.layout import Layout
from cnnlab.training.callbacks import Checkpoints, Display, History, NetworkGraph

TINY = ["model=mlp", "data.batch_size=8", "rounds=1"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(rates, "SIDE", 64)
    monkeypatch.setattr(loops, "steps_per_turn", lambda macs: 1)


def run(tmp_path, capsys, *arguments):
    """Run a benchmark; returns its record and what it prints."""
    cfg = compose("benchmark", [*TINY, f"log_dir={tmp_path}", *arguments])
    run_bench(cfg)
    return json.loads((tmp_path / "bench" / f"{cfg.bench}-{cfg.name}.json").read_text()), capsys.readouterr().out


@pytest.mark.slow
def test_bench_train_times_our_step_three_bare_forms_and_the_plain_script(tmp_path, capsys):
    found, printed = run(tmp_path, capsys, "bench=train", "profile=true", "model=lenet5")
    steps = {row["step"]: row for row in found["tables"]["training steps"]}
    assert list(steps) == ["train.py", *loops.FORMS, "plain PyTorch"]
    for name, row in steps.items():
        assert len(found["seconds"][name]) == 1
        assert row["slowest"] <= row["images/s"] <= row["fastest"]
        assert row["peak, MiB"] > 100
        assert name in printed
    assert "noise in the form of digits" in printed
    assert re.search(r"All convolutions together reach \d+ % of that rate", printed)
    layers = {row["layer"]: row for row in found["tables"]["the step of train.py by layer"]}
    assert {"augmentation", "optimizer", "cross_entropy"} < set(layers)
    assert sum(row["of the step, %"] for row in layers.values()) == pytest.approx(100, abs=2)


def test_bench_data_and_bench_trainer_print_the_comparison_and_its_target(monkeypatch):
    monkeypatch.setattr("cnnlab.benchmarks.loading.TARGETS", {"lenet5": 15})
    found = bench_data(compose("benchmark", [*TINY, "bench=data"]))
    assert [row["batches by"] for row in found.tables["augmented, normalized batches"]] == ["cnnlab", "plain PyTorch"]
    (fraction,) = found.tables["cnnlab's fraction of a training step"]
    assert fraction["step of"] == "lenet5"
    seconds = {name: timing.median for name, timing in found.timings.items()}
    assert fraction["fraction"] == pytest.approx(100 * seconds["batches of lenet5"] / seconds["lenet5"])
    found = bench_trainer(compose("benchmark", [*TINY, "bench=trainer", "model=lenet5"]))
    assert [row["loop"] for row in found.tables["training steps"]] == ["Trainer", "bare loop"]
    assert "the target is at least 0.85" in found.notes[0]


@pytest.mark.slow
def test_bench_startup_measures_each_part_of_a_process(data_root):
    seconds = first_step([f"data.root={data_root}", "logger=none"])
    parts = ["Python", "import hydra", "import torch", "import lightning", "import cnnlab.runs.run"]
    parts += ["configuration", "data", "network", "run folder", "trainer", "first step"]
    assert list(seconds) == parts
    assert all(value > 0 for value in seconds.values())


def test_a_failing_train_py_is_reported(monkeypatch):
    monkeypatch.setattr("sys.executable", "false")
    with pytest.raises(UserError, match=r"train\.py ended before its first step"):
        first_step([])


def test_bench_ops_times_each_pass_of_each_convolution_by_each_method(tmp_path, capsys):
    found, printed = run(tmp_path, capsys, "bench=ops", "model=cnn", "model.blocks=1", "data.batch_size=2")
    rows = [row for row in found["tables"]["milliseconds per pass of a layer"] if row["type"] == "float32"]
    assert {row["layer"] for row in rows} == {"1 to 32, 3x3, 28x28"}
    assert [row["pass"] for row in rows] == ["forward", "weight gradient"]
    for row in rows:
        assert row[row["best"]] == min(row[way] for way in convolutions.WAYS)
    assert "what a step takes at least" in printed


def test_bench_operators_compares_the_whole_network_on_both(tmp_path, capsys):
    options = ("bench=operators", "model=lenet5", "data.batch_size=2", "rounds=1")
    found, printed = run(tmp_path, capsys, *options)
    assert [row["operators"] for row in found["tables"]["training steps"]] == ["PyTorch", "our operators"]
    assert "A step on our operators takes" in printed


def test_frozen_filters_have_no_gradient_passes():
    net = models.fastnet(in_channels=3, num_classes=10, image_size=32)
    net.whiten(torch.randn(50, 3, 32, 32))
    first, second, *_ = shapes_of(net, 3, 32)
    assert first.passes == ("forward",)
    assert second.passes == ("forward", "input gradient", "weight gradient")


def test_resnet18_has_20_convolutions_of_11_shapes():
    shapes = shapes_of(models.resnet18(in_channels=3, num_classes=10, image_size=32), 3, 32)
    assert len(shapes) == 11
    assert shapes.total() == 20
    assert [str(shape) for shape in shapes][:3] == [
        "3 to 64, 3x3, 32x32",
        "64 to 64, 3x3, 32x32",
        "64 to 128, 3x3/2, 32x32",
    ]
    assert [shape.for_input for shape in shapes] == [False] + 10 * [True]
    macs = sum(count * shape.operations(1) for shape, count in shapes.items()) // 2
    assert macs + 512 * 10 == count_macs(models.resnet18(in_channels=3, num_classes=10, image_size=32), 3, 32)


@pytest.mark.parametrize("groups", [1, 2])
def test_every_method_computes_the_same_passes(groups, monkeypatch):
    """The contenders return the result and gradients of PyTorch's convolution."""
    shape = Shape(4, 6, (3, 3), Layout((1, 1), ((1, 1), (1, 1)), (1, 1), groups), (7, 5), for_input=True)
    torch.manual_seed(0)
    noise = [torch.randn(size) for size in ((2, 4, 7, 5), (6, 4 // groups, 3, 3), (2, 6, 7, 5))]
    x, weight, gradient = noise
    monkeypatch.setattr(torch, "randn", partial(lambda remaining, *size, device: remaining.pop(0), list(noise)))
    found = {name: call() for name, call in contenders_for(shape, 2, torch.float32, "cpu").items()}
    x.requires_grad_(), weight.requires_grad_()
    y = F.conv2d(x, weight, padding=1, groups=groups)
    expected = dict(zip(convolutions.PASSES, (y, *torch.autograd.grad(y, (x, weight), gradient)), strict=True))
    assert len(found) == 12
    for name, got in found.items():
        part = name.partition(", ")[0]
        result = got if isinstance(got, torch.Tensor) else next(value for value in got if value is not None)
        assert torch.allclose(result, expected[part], atol=1e-4), name


def test_the_bound_of_a_step_is_the_sum_of_the_best_passes_of_all_layers():
    row = {"type": "float32", "torch": 4.0, "im2col": 2.0}
    rows = [row | {"layers": 3, "best": "im2col"}, row | {"layers": 1, "best": "torch"}]
    by_torch, best = bounds(rows, images=10)
    assert (by_torch["ms"], best["ms"]) == (16, 10)
    assert best["images/s"] == pytest.approx(1000)


def test_a_step_has_three_times_the_forward_operations_without_the_gradient_of_the_images():
    net = models.lenet5()
    first = 28 * 28 * 25 * 6
    assert rates.step_operations(net, 4, 1, 28) == 4 * 2 * (3 * count_macs(net, 1, 28) - first)


@pytest.mark.parametrize(
    ("model", "precision"), [("resnet20", "32-true"), ("resnet20", "bf16-mixed"), ("fastnet", "32-true")]
)
def test_the_operations_of_the_layers_add_up_to_those_of_the_step(model, precision):
    arguments = [f"model={model}", "data=cifar10", "data.batch_size=2", f"trainer.precision={precision}"]
    cfg = compose("benchmark", arguments)
    parts = loops.noise_parts(cfg, 2)
    model = parts.model
    rows = layer_rows(model, parts.machine, next(iter(parts.data.train_dataloader())), 1, {"float32": 1e9})
    milliseconds = [row["forward, ms"] + row["backward, ms"] for row in rows]
    operations = sum(row["GFLOP/s"] * 1e6 * ms for row, ms in zip(rows, milliseconds, strict=True) if row["GFLOP/s"])
    assert operations == pytest.approx(rates.step_operations(model.net, 2, 3, 32), rel=1e-6)
    weights = {name.rpartition(".")[0] for name, p in model.net.named_parameters() if p.requires_grad}
    timed = {row["layer"] for row in rows if row["backward, ms"] > 0}
    assert weights <= timed


def test_noise_has_the_form_and_all_classes_of_the_dataset():
    data = NoiseData(compose("benchmark", ["data=cifar100"]), 2000)
    images, labels, _ = next(iter(data.train_dataloader()))
    assert images.dtype == torch.uint8
    assert images.shape == (128, 3, 32, 32)
    assert len(data.train.labels.unique()) == 100
    assert len(labels) == 128


class ThreeSteps:
    """Turns that end after three steps."""

    steps = 0

    def before_step(self) -> None:
        self.steps += 1
        if self.steps > 3:
            raise NoMoreTurns


def test_the_trainer_is_configured_as_in_a_run(monkeypatch):
    made, make = [], build_trainer
    monkeypatch.setattr(loops, "build_trainer", lambda *arguments: made.append(make(*arguments)) or made[-1])
    with pytest.raises(NoMoreTurns):
        loops.run_trainer(ThreeSteps(), compose("benchmark", [*TINY, "augment=translate"]), 64)
    (trainer,) = made
    assert {type(callback) for callback in trainer.callbacks} >= {History, Checkpoints, Display, NetworkGraph}
    assert trainer.global_step == 3
    assert [type(step) for step in trainer.lightning_module.augmentation.image_steps] == [RandomCrop]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench=magic"], r"bench must be one of \['train', 'data', 'ops', .*, got 'magic'"),
        (["rounds=0"], "rounds must be a whole number of at least 1, got 0"),
        (["profile=1"], "profile must be true or false, got 1"),
        (["trainer=ddp"], "a benchmark's runs have one process each, got 2"),
        (["bench=ops", "profile=true"], "profile=true is for bench=train, got bench=ops"),
        (["profile=true", "trainer.compile=true"], "profile=true measures layers, which"),
        (["trainer.precision=16-mixed"], "trainer.precision=bf16-mixed or 32-true, got 16-mixed"),
        (["data.batch_size=0"], "data.batch_size must be a whole number of at least 1, got 0"),
        (["data=image_folder"], r"data.name must be one of .*, got 'image_folder'"),
        (["bench=ops"], "bench=ops needs a network with convolutions, got model=mlp"),
    ],
)
def test_mistakes_are_reported(arguments, message, tmp_path, capsys):
    with pytest.raises(UserError, match=message):
        run(tmp_path, capsys, *arguments)


def test_an_unwritable_folder_is_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("cnnlab.benchmarks.startup.first_step", lambda arguments: {"Python": 0.1})
    (tmp_path / "bench").touch()
    with pytest.raises(UserError, match=r"log_dir=.* cannot be written: "):
        run(tmp_path, capsys, "bench=startup")


def test_numbers_are_printed_with_three_digits():
    assert [figure(value) for value in (1234.5, 12.345, 0.012345, "torch", None, 7)] == [
        1234,
        12.3,
        0.0123,
        "torch",
        None,
        7,
    ]


@pytest.mark.slow
def test_our_data_path_is_20_times_as_fast_as_the_plain_loader(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr("cnnlab.benchmarks.loading.TARGETS", {})
    found = bench_data(compose("benchmark", ["bench=data", "model=resnet18", "data=cifar10", "rounds=5"]))
    assert found.timings["plain PyTorch"].median > 20 * found.timings["cnnlab"].median


@pytest.mark.slow
def test_the_trainer_costs_lenet5_at_most_15_percent_of_speed_and_10_percent_of_memory(monkeypatch):
    monkeypatch.undo()
    found = bench_trainer(compose("benchmark", ["bench=trainer", "model=lenet5", "data=mnist", "rounds=20"]))
    assert found.timings["bare loop"].median > 0.85 * found.timings["Trainer"].median
    trainer, bare = (row["peak, MiB"] for row in found.tables["training steps"])
    assert trainer <= 1.1 * bare
