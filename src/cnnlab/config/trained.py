"""The keys of the commands that use a trained network; see `config/schema.py`."""

from typing import Literal

from cnnlab.config.fields import FreeText, Names, Numbers, Paths, PathText, Shown, TwoPaths, setting
from cnnlab.config.sections import Device, Evaluated, Format, Logs, Views
from cnnlab.limits import Count


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
    explain: Literal["gradcam", "cam", "hirescam", "occlusion", "integrated_gradients"] | None = setting(
        None, "draw where the network looks in each image, by this method", changes_weights=False
    )
    figures: PathText = setting("${log_dir}/predictions", "folder of the figures", changes_weights=False)
    trainer: Device = setting(..., "device and precision", changes_weights=False)


class ExplainConfig(Logs):
    """`explain`: where a trained network looks, and what it has learned."""

    checkpoint: PathText = setting(
        ..., "a checkpoint file, a run folder, a run id, latest, or pretrained:NAME", changes_weights=False
    )
    show: Names = setting(
        ["maps", "filters", "features"],
        "of maps, filters, features, excite, mistakes, calibration and scores, or all",
        changes_weights=False,
    )
    images: Paths | None = setting(
        None, "image files, folders and patterns to explain; null: one image of each class, at most ten",
        changes_weights=False,
    )  # fmt: skip
    method: Literal["gradcam", "cam", "hirescam", "occlusion", "integrated_gradients"] = setting(
        "gradcam", "that computes the maps", changes_weights=False
    )
    target: FreeText | None = setting(
        None, "the class whose logit is explained; null: the predicted class", changes_weights=False
    )
    units: Numbers | None = setting(
        None, "channels of the last feature map for show=excite; null: eight that few images excite",
        changes_weights=False,
    )  # fmt: skip
    fit: Literal["crop", "pad", "stretch"] = setting(
        "crop", "how an image file becomes a square; drawings for digits are centered instead", changes_weights=False
    )
    invert: Literal["auto", "yes", "no"] = setting(
        "auto", "whether drawings are dark on light; auto: those with a light border", changes_weights=False
    )
    split: Literal["test", "val", "train"] = setting("test", "the images of the dataset", changes_weights=False)
    figures: PathText | None = setting(
        None, "folder of the figures; null: figures/explain in the checkpoint's run folder", changes_weights=False
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


class ExploreConfig(Logs):
    """`explore`: a page in which a trained network shows each of its sums."""

    checkpoint: PathText | TwoPaths = setting(
        ..., "a checkpoint file, a run folder, a run id, latest, or pretrained:NAME; two of them side by side",
        changes_weights=False,
    )  # fmt: skip
    images: Shown = setting(16, "test images that the page carries", changes_weights=False)
    language: Literal["en", "zh"] = setting("en", "of the page when it opens", changes_weights=False)
    output: PathText = setting("${log_dir}/explorer.html", "the page", changes_weights=False)
    data: Evaluated = setting(..., "the images", changes_weights=False)
