"""cnnlab in a notebook: trained networks, predictions and datasets, without a command line.

>>> import cnnlab
>>> trained = cnnlab.load("pretrained:lenet5-mnist")
>>> cnnlab.predict(trained, "drawings/*.png", top=1)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cnnlab.config.folders import data_root, logs_root
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.specs import SPECS
from cnnlab.errors import one_of
from cnnlab.machine.probes import device_type
from cnnlab.machine.setup import Machine, resolve_precision
from cnnlab.predict.image_paths import find_images
from cnnlab.predict.prediction import Predictor
from cnnlab.predict.rows import plain_rows
from cnnlab.reporting.frame import epochs_frame as epochs
from cnnlab.reporting.frame import runs_frame as runs
from cnnlab.runs.locate import locate_checkpoint
from cnnlab.runs.trained_network import Trained, load_trained

if TYPE_CHECKING:
    import pandas

__all__ = ["data", "epochs", "load", "predict", "runs"]


def load(checkpoint: str | Path, log_dir: str | Path | None = None) -> Trained:
    """Load a trained network.

    Args:
        checkpoint: a checkpoint file, a run folder, a run id, `latest`, or `pretrained:NAME`.
        log_dir: the folder of runs for a run id and `latest`; None for `logs`.

    Returns:
        The network in evaluation mode: `trained.net`, `trained.classes`, `trained.card`, and `trained.preprocess`,
        which brings images to it.

    Raises:
        UserError: there is none, or it cannot be used.
    """
    return load_trained(locate_checkpoint(str(Path(checkpoint).expanduser()), str(log_dir or logs_root())))


def predict(
    checkpoint: str | Path | Trained,
    images: str | Path | Sequence[str | Path],
    top: int = 3,
    fit: str = "crop",
    invert: str = "auto",
) -> "pandas.DataFrame":
    """Predict the classes of images.

    Args:
        checkpoint: what `load` takes, or what it returns.
        images: files, folders with all images below them, and patterns such as `photos/*.png`.
        top: number of classes per image, most probable first.
        fit: how an image becomes a square: `crop`, `pad` or `stretch`.
        invert: whether drawings are dark on light: `auto`, `yes` or `no`.

    Returns:
        A pandas data frame with the columns file, rank, class, probability and notes: what was done to the image. A
        file that cannot be read is a row without a class, whose note is the reason.

    Raises:
        ValueError: an argument has an unknown value, or there are no images.
        UserError: the checkpoint cannot be used.
    """
    import pandas

    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    trained = checkpoint if isinstance(checkpoint, Trained) else load(checkpoint)
    named = [images] if isinstance(images, str | Path) else images
    device = device_type("auto")
    machine = Machine(device, torch.get_num_threads(), resolve_precision("auto", device))
    predictor = Predictor(trained, machine, fit, invert, trained.card.get("tta", "none"))
    predictions = [
        prediction for batch in predictor.batches(find_images(named).files) for prediction in batch.predictions(top)
    ]
    frame = pandas.DataFrame(plain_rows(predictions, trained.classes))
    return frame.astype({"rank": "Int64", "probability": "float64"})


def data(name: str, root: str | Path | None = None, **options: Any) -> ImageDataModule:
    """Load a dataset, split into `train`, `val` and `test`.

    Args:
        name: `digits`, `mnist`, `fashion_mnist`, `cifar10`, `cifar100` or `image_folder`.
        root: folder of the datasets, or of the images of `image_folder`; None for $CNNLAB_DATA or `data`.
        options: of `cnnlab.data.datamodule.ImageDataModule`, such as `val_size`, `batch_size` and `limit`.

    Raises:
        ValueError: the name is unknown.
        UserError: the dataset cannot be read, or the sizes do not fit it.
    """
    one_of("name", name, SPECS, ValueError)
    module = ImageDataModule(name, data_root() if root is None else Path(root).expanduser(), **options)
    module.setup()
    return module
