"""The keys of the commands that use a trained network; see `config/schema.py`."""

from typing import Literal

from cnnlab.config.fields import PathText, setting
from cnnlab.config.sections import Device, Evaluated, Logs, Views


class EvalConfig(Logs):
    """`eval`: the accuracy of a trained network."""

    checkpoint: PathText = setting(..., "a checkpoint file, a run folder, a run id, or latest", changes_weights=False)
    split: Literal["test", "val", "train"] = setting("test", "the evaluated images", changes_weights=False)
    tta: Views | None = setting(
        None, "views of an image over which evaluation averages; null: as in training", changes_weights=False
    )
    output: PathText | None = setting(None, "file of the result; null: beside the figure", changes_weights=False)
    figures: PathText | None = setting(
        None, "folder of the figure; null: figures in the checkpoint's run folder", changes_weights=False
    )
    data: Evaluated = setting(..., "the images", changes_weights=False)
    trainer: Device = setting(..., "device and precision", changes_weights=False)


class ExportConfig(Logs):
    """`export`: a trained network for other programs."""

    checkpoint: PathText = setting(
        ..., "a checkpoint file, a run folder, a run id, latest, or pretrained:NAME", changes_weights=False
    )
    format: Literal["onnx", "safetensors"] = setting("onnx", "of the file", changes_weights=False)
    preprocessing: bool = setting(
        True, "format=onnx: the model takes bytes and gives probabilities; false: normalized images and logits",
        changes_weights=False,
    )  # fmt: skip
    output: PathText | None = setting(
        None, "the file; null: named for network, data and run, in log_dir/exports", changes_weights=False
    )
    data: Evaluated = setting(..., "the images with which the file is checked", changes_weights=False)
