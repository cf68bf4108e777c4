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
