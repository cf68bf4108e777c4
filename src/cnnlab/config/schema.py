"""The one place that says which keys each command has: type, limits, default, meaning, effect on the weights.

The groups `model`, `augment`, `loss`, `optimizer` and `scheduler` are open: their keys are the arguments of what their
`_target_` names (`config/signatures.py`). Imports no torch, so that a mistake is reported within the first second.
"""

from typing import Literal, Self

from pydantic import model_validator

from cnnlab.config.fields import (
    FreeText,
    LearningRates,
    Name,
    Names,
    Open,
    PathText,
    Pixels,
    Search,
    Seed,
    Shown,
    Steps,
    setting,
)
from cnnlab.config.folders import options
from cnnlab.config.sections import (
    AnalyzedData,
    AnalyzedDevice,
    Callbacks,
    Convolution,
    Data,
    Format,
    LabDevice,
    Logger,
    Logs,
    Metric,
    Operators,
    ParamGroups,
    Trainer,
    Views,
)
from cnnlab.config.trained import EvalConfig, ExplainConfig, ExploreConfig, ExportConfig, PredictConfig
from cnnlab.limits import Count, Fraction, Natural

Bench = Literal["train", "data", "ops", "operators", "startup", "trainer", "recipe"]


class TrainConfig(Logs):
    """`train`: one network on one dataset."""

    name: Name = setting(
        "${hydra:runtime.choices.model}-${hydra:runtime.choices.data}", "the run's folder in log_dir",
        changes_weights=False,
    )  # fmt: skip
    seed: Seed = setting(0, "seed of weights, batch order, augmentation and dropout", changes_weights=True)
    conv: Convolution = setting("auto", "method that computes convolutions; auto: by shape", changes_weights=True)
    ops: Operators = setting(
        "library",
        "own: our convolution, pooling, linear, normalization, activation and dropout, instead of PyTorch's",
        changes_weights=True, hashed=False,
    )  # fmt: skip
    tta: Views = setting("none", "views of an image over which evaluation averages", changes_weights=True)
    monitor: Metric = setting("val/acc", "the metric of the best epoch", changes_weights=True)
    test: bool = setting(
        True, "false: do not read the test images; the same run can be tested later", changes_weights=False
    )
    fresh: bool = setting(False, "train a complete run again", changes_weights=False)
    retry: bool = setting(False, "try a failed run again", changes_weights=False)
    on_failure: Literal["continue", "stop"] = setting(
        "continue", "stop: after a failed job, start no other job of the sweep", changes_weights=False
    )
    model: Open = setting(..., "the network", changes_weights=True)
    data: Data = setting(..., "the images", changes_weights=True)
    augment: Steps = setting({}, "augmentation steps in order, by name", changes_weights=True)
    loss: Open = setting(..., "the loss", changes_weights=True)
    optimizer: Open = setting(..., "the optimizer", changes_weights=True)
    scheduler: Open = setting(..., "the schedule of the learning rate", changes_weights=True)
    learning_rates: LearningRates = setting(
        {}, "the network's own learning rate for each optimizer; optimizer.lr holds the one in use",
        changes_weights=False,
    )  # fmt: skip
    param_groups: ParamGroups = setting(..., "learning rates by kind of parameter", changes_weights=True)
    callbacks: Callbacks = setting(..., "what else happens during training", changes_weights=True)
    trainer: Trainer = setting(..., "epochs, device and precision", changes_weights=True)
    logger: Logger = setting(..., "where curves are written", changes_weights=False)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.ops == "own" and self.trainer.compile:
            raise ValueError("trainer.compile must be false with ops=own, got true")
        if self.ops == "own" and self.conv not in ("auto", "im2col"):
            raise ValueError(f"conv must be auto or im2col with ops=own, got {self.conv}")
        if self.data.val_size == 0:
            needed = "needs validation images: data.val_size must be above 0, got 0"
            if self.callbacks.early_stopping is not None:
                raise ValueError(f"callbacks.early_stopping {needed}")
            if str(self.scheduler.get("_target_")).endswith("Plateau"):
                raise ValueError(f"scheduler=plateau {needed}")
        if self.optimizer.get("fused") and self.trainer.precision == "16-mixed":
            # A fused step removes the loss scale only within the step, and these read the gradients before it.
            for section, key in ((self.trainer, "gradient_clip_val"), (self.callbacks, "gradient_norms")):
                if getattr(section, key):
                    raise ValueError(f"optimizer.fused must be false for {key} in trainer.precision=16-mixed, got true")
        return self


class TuneConfig(TrainConfig):
    """`tune`: a search for the hyperparameters of a run."""

    search: Search | None = setting(None, "the searched keys and their ranges", changes_weights=False)
    study: Name = setting(
        "${name}-${hydra:runtime.choices.search}", "the folder in log_dir/studies", changes_weights=False
    )
    trials: Count = setting(
        30, "of the whole study, however many processes work on it; a larger number continues it",
        changes_weights=False,
    )  # fmt: skip
    pruner: Literal["median", "halving", "none"] = setting(
        "median", "ends runs that fall behind", changes_weights=False
    )
    prune_after: Fraction = setting(
        0.25, "fraction of a run's epochs before which none is ended", changes_weights=False
    )
    confirm_seeds: Natural = setting(
        3, "other seeds with which the best trial and the default are trained again; 0: none", changes_weights=False
    )
    heartbeat: Count = setting(
        20, "seconds between a trial's heartbeats; a trial without one for three times as long is lost",
        changes_weights=False,
    )  # fmt: skip

    @model_validator(mode="after")
    def _can_search(self) -> Self:
        if self.search is None:
            raise ValueError(f"search must be given: search=CHOICE, one of: {options('search')}")
        if not self.monitor.startswith("val/"):
            raise ValueError(
                f"a search needs a validation metric: monitor must be val/acc or val/loss, got {self.monitor}"
            )
        if self.data.val_size == 0:
            raise ValueError("a search needs validation images: data.val_size must be above 0, got 0")
        return self


class BenchmarkConfig(TrainConfig):
    """`benchmark`: the time that this training takes."""

    bench: Bench = setting("train", "what to time", changes_weights=False)
    rounds: Count = setting(10, "measured rounds of each contender, after two warm-up rounds", changes_weights=False)
    profile: bool = setting(False, "bench=train: also a table per layer", changes_weights=False)


class AnalyzeConfig(Logs):
    """`analyze`: a network layer by layer, several compared, or a trained one."""

    name: Name = setting("${hydra:runtime.choices.model}", "the network's name in tables", changes_weights=False)
    models: Names | None = setting(
        None, "networks to compare in one table and two figures, or all", changes_weights=False
    )
    checkpoint: PathText | None = setting(
        None, "a trained network: a checkpoint file, a run folder, a run id, or latest", changes_weights=False
    )
    worked: bool = setting(False, "show the worked examples of what layers cost", changes_weights=False)
    layers: bool = setting(
        False, "one row per layer with sizes in numbers, as textbooks count; with two models=, side by side",
        changes_weights=False,
    )  # fmt: skip
    explain: bool = setting(
        False, "write a Markdown page that explains each layer of a classic network", changes_weights=False
    )
    image: PathText | None = setting(
        None, "with checkpoint: an image file over which the network's logits are drawn", changes_weights=False
    )
    in_channels: Count | None = setting(None, "null: the network's own, or the dataset's", changes_weights=False)
    num_classes: Count | None = setting(None, "null: the network's own, or the dataset's", changes_weights=False)
    image_size: Pixels | None = setting(None, "null: the network's own, or the dataset's", changes_weights=False)
    measure: bool = setting(
        False, "compare the receptive field with one measured from gradients", changes_weights=False
    )
    format: Format = setting("table", "of the table", changes_weights=False)
    output: PathText | None = setting(None, "file of the table; null: the terminal", changes_weights=False)
    figures: PathText = setting("${log_dir}/analysis", "folder of the figures", changes_weights=False)
    model: Open = setting(..., "the network", changes_weights=False)
    optimizer: Open = setting(..., "the optimizer, for the training memory", changes_weights=False)
    augment: Steps = setting({}, "not used by analyze", changes_weights=False)
    learning_rates: LearningRates = setting({}, "not used by analyze", changes_weights=False)
    data: AnalyzedData = setting(..., "the images", changes_weights=False)
    trainer: AnalyzedDevice = setting(..., "precision and threads", changes_weights=False)


class ReportConfig(Logs):
    """`report`: the runs of a folder in one table."""

    group_by: Names | None = setting(
        None, "keys by which runs are grouped, of the record too, as device; run: no groups; null: all but the seed",
        changes_weights=False,
    )  # fmt: skip
    where: Names | None = setting(
        None, "conditions on the same keys, as 'model=resnet18 test/acc>0.9', with = != < <= > >=",
        changes_weights=False,
    )  # fmt: skip
    sort: FreeText | None = setting(
        None, "key to sort by, as test/acc; -test/acc: highest first; null: by name", changes_weights=False
    )
    format: Format = setting("table", "of the table", changes_weights=False)
    output: PathText | None = setting(None, "file of the table; null: the terminal", changes_weights=False)
    plot: bool = setting(True, "draw the groups' curves", changes_weights=False)
    page: bool = setting(
        False, "also write report.html, one page that opens anywhere: of one run if where= or log_dir leave one, else "
        "of all", changes_weights=False,
    )  # fmt: skip
    evaluate: bool | None = setting(
        None, "page=true: evaluate the trained networks for mistakes and calibration; null: of up to 20 runs",
        changes_weights=False,
    )  # fmt: skip
    figures: PathText = setting("${log_dir}/report", "folder of the figures and of report.html", changes_weights=False)


class ShowConfig(Logs):
    """`show`: the images of a dataset before training."""

    seed: Seed = setting(0, "seed of the choice of images and of augmentation", changes_weights=False)
    images: Shown = setting(40, "training images in the grid", changes_weights=False)
    versions: Shown = setting(6, "augmented versions of an image", changes_weights=False)
    figures: PathText = setting(
        "${log_dir}/show/${hydra:runtime.choices.data}", "folder of the figures and of TensorBoard's events",
        changes_weights=False,
    )  # fmt: skip
    data: Data = setting(..., "the images", changes_weights=False)
    augment: Steps = setting({}, "augmentation steps in order, by name", changes_weights=False)


class LabConfig(Logs):
    """`lab`: the experiments of the study notes."""

    lab: FreeText = setting(..., "an experiment's name, or all", changes_weights=False)
    image: PathText | None = setting(
        None, "image file for the experiments on a photograph; null: scikit-learn's", changes_weights=False
    )
    seed: Seed = setting(0, "seed of the experiments' random numbers", changes_weights=False)
    figures: PathText = setting("${log_dir}/lab", "folder of the figures, numbers and pages", changes_weights=False)
    trainer: LabDevice = setting(..., "threads", changes_weights=False)


COMMANDS: dict[str, type[Logs]] = {
    "train": TrainConfig,
    "tune": TuneConfig,
    "benchmark": BenchmarkConfig,
    "eval": EvalConfig,
    "predict": PredictConfig,
    "explain": ExplainConfig,
    "explore": ExploreConfig,
    "export": ExportConfig,
    "analyze": AnalyzeConfig,
    "report": ReportConfig,
    "show": ShowConfig,
    "lab": LabConfig,
}
