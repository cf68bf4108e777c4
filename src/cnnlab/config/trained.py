"""The keys of the commands that use a trained network; see `config/schema.py`."""

from typing import Literal

from cnnlab.config.fields import Count, Paths, PathText, TwoPaths, setting
from cnnlab.config.sections import Device, Evaluated, Format, Logs, Views


class EvalConfig(Logs):
    """`eval`: the accuracy of a trained network, or two compared."""

    checkpoint: PathText | TwoPaths = setting(
        ..., "a checkpoint file, a run folder, a run id, latest, or pretrained:NAME; two of them to compare",
        changes_weights=False,
    )  # fmt: skip
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


class PredictConfig(Logs):
    """`predict`: the classes of image files."""

    checkpoint: PathText = setting(
        ..., "a checkpoint file, a run folder, a run id, latest, or pretrained:NAME", changes_weights=False
    )
    images: Paths = setting(
        ..., "image files, folders with all images below them, and patterns, as [a.jpg,folder,'*.png']",
        changes_weights=False,
    )  # fmt: skip
    top: Count = setting(3, "classes to list for each image, most probable first", changes_weights=False)
    fit: Literal["crop", "pad", "stretch"] = setting(
        "crop", "how an image becomes a square; drawings for digits are centered instead", changes_weights=False
    )
    invert: Literal["auto", "yes", "no"] = setting(
        "auto", "whether drawings are dark on light; auto: those with a light border", changes_weights=False
    )
    tta: Views | None = setting(
        None, "views of an image over which predictions are averaged; null: as in training", changes_weights=False
    )
    batch_size: Count = setting(500, "images in each forward pass", changes_weights=False)
    format: Format = setting("table", "of the predictions", changes_weights=False)
    output: PathText | None = setting(None, "file of the predictions; null: the terminal", changes_weights=False)
    contact_sheet: bool = setting(False, "draw the images with their true and predicted classes", changes_weights=False)
    figures: PathText = setting("${log_dir}/predictions", "folder of the figures", changes_weights=False)
    trainer: Device = setting(..., "device and precision", changes_weights=False)
