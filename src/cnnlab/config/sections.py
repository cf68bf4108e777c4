"""The sections of the configuration: `data`, `trainer`, `callbacks`, `logger`, `param_groups`."""

from typing import Literal

from pydantic import Field

from cnnlab.config.fields import (
    FreeText,
    Part,
    PathText,
    Pixels,
    Processes,
    Section,
    Seed,
    ValSize,
    setting,
)
from cnnlab.config.folders import data_root, logs_root
from cnnlab.limits import Count, Fraction, Natural, NonNegative

DatasetName = Literal["digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "image_folder"]
Convolution = Literal["auto", "torch", "loop", "shifted", "im2col", "fft", "winograd"]
Operators = Literal["library", "own"]
Metric = Literal["val/acc", "val/loss", "train/acc", "train/loss"]
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
Views = Literal["none", "flip", "shift", "flip_shift"]
Format = Literal["table", "markdown", "csv", "json"]
Threads = Literal["auto"] | Processes


class Source(Section):
    """Where the images are."""

    root: PathText = Field(
        default_factory=data_root,
        description="folder of the datasets; for data=image_folder, of the images. Default: $CNNLAB_DATA, else data",
        json_schema_extra={"changes_weights": False, "hashed": True},
    )
    download: bool = setting(True, "download a dataset that is not there", changes_weights=False)
    mirror: FreeText | None = setting(
        None, "URL of a folder with the official files, in place of the origin", changes_weights=False
    )


class Evaluated(Source):
    """The images that a trained network sees."""

    eval_batch_size: Count = setting(500, "images per batch in evaluation", changes_weights=False)


class Data(Evaluated):
    """The training, validation and test images."""

    name: DatasetName = setting(..., "the dataset, set by data=", changes_weights=True)
    epochs: Count = setting(..., "epochs of training that suit the dataset; trainer.max_epochs", changes_weights=False)
    image_size: Pixels | None = setting(None, "side in pixels; null: the dataset's own", changes_weights=True)
    batch_size: Count = setting(128, "images per training step, over all processes", changes_weights=True)
    val_size: ValSize = setting(
        0.1, "fraction or number of the training images held out for validation; 0: none", changes_weights=True
    )
    split_seed: Seed = setting(0, "seed of the draw of the validation images", changes_weights=True)
    order_seed: Seed | None = setting(
        None, "seed of the order of the training images; null: seed", changes_weights=True, hashed=False
    )
    train_size: Count | None = setting(
        None, "size of a stratified subset of the training images; at most as many are used for validation",
        changes_weights=True,
    )  # fmt: skip
    limit: Count | None = setting(None, "the most images in each of the three sets", changes_weights=True)


class Device(Section):
    """How a command uses the machine."""

    accelerator: Literal["auto", "cpu", "gpu"] = setting(
        "auto", "auto: a CUDA GPU if there is one, else the CPU", changes_weights=False
    )
    precision: Precision = setting(
        "auto", "auto: bf16-mixed on hardware with bfloat16 units, else 32-true", changes_weights=True
    )
    threads: Threads = setting("auto", "CPU threads of each process", changes_weights=True)


class Trainer(Device):
    """How long and on which devices to train."""

    devices: Processes = setting(
        1, "processes per node: one per GPU, or several that divide the CPUs", changes_weights=True
    )
    num_nodes: Processes = setting(1, "machines that train together", changes_weights=True)
    sync_batchnorm: bool = setting(False, "batch norm over the batch of all processes; for GPUs", changes_weights=True)
    compile: bool = setting(
        False, "torch.compile the network's training pass; the first steps then take long", changes_weights=True,
        hashed=False,
    )  # fmt: skip
    max_epochs: Count = setting("${data.epochs}", "epochs of training", changes_weights=True)
    max_steps: Count | None = setting(None, "the most training steps", changes_weights=True)
    gradient_clip_val: NonNegative | None = setting(None, "the largest norm of the gradient", changes_weights=True)
    limit_train_batches: Part | None = setting(
        None, "number or fraction of the training batches in each epoch", changes_weights=True
    )
    limit_eval_batches: Part | None = setting(
        None, "number or fraction of the batches in each evaluation", changes_weights=True
    )


class EarlyStopping(Section):
    """Ends training when `monitor` no longer improves."""

    patience: Count = setting(..., "epochs without improvement before the end", changes_weights=True)
    min_delta: NonNegative = setting(..., "the smallest change that is an improvement", changes_weights=True)


class Averaging(Section):
    """Evaluates and saves an exponential moving average of the weights."""

    decay: Fraction = setting(..., "weight of the earlier average in each step", changes_weights=True)


class GradientNorms(Section):
    """Logs the norm of each layer's gradient."""

    every: Count = setting(..., "steps between two measurements", changes_weights=False)


class Callbacks(Section):
    """Chosen by name, as callbacks=[early_stopping,averaging]."""

    early_stopping: EarlyStopping | None = setting(None, "end training early", changes_weights=True)
    averaging: Averaging | None = setting(None, "average the weights", changes_weights=True)
    gradient_norms: GradientNorms | None = setting(None, "log gradient norms", changes_weights=False)


class TensorBoard(Section):
    """Curves, images and the graph of the network in TensorBoard."""

    images: Natural = setting(..., "augmented training images to show; 0: none", changes_weights=False)
    graph: bool = setting(..., "show the network's graph", changes_weights=False)


class Logger(Section):
    """Chosen by name; metrics.csv and result.json are always written."""

    tensorboard: TensorBoard | None = setting(None, "write TensorBoard events", changes_weights=False)


class ParamGroups(Section):
    """Learning rate, relative to optimizer.lr, and weight decay of the biases."""

    bias_lr_factor: NonNegative = setting(1.0, "factor of the learning rate of biases", changes_weights=True)
    bias_weight_decay: NonNegative = setting(0.0, "weight decay of biases", changes_weights=True, hashed=False)


class Logs(Section):
    """Every command has a folder of runs."""

    log_dir: PathText = Field(
        default_factory=logs_root,
        description="folder of all runs. Default: logs",
        json_schema_extra={"changes_weights": False, "hashed": True},
    )


class AnalyzedData(Evaluated):
    """The dataset whose size, channels and classes a network is analyzed for."""

    name: DatasetName | None = setting(None, "set by data=; null: the network's own input", changes_weights=False)
    epochs: Count | None = setting(None, "not used by analyze", changes_weights=False)
    batch_size: Count = setting(128, "images per training step, for the training memory", changes_weights=False)


class AnalyzedDevice(Section):
    """For the training memory, and the statistics of a trained network."""

    precision: Precision = setting("32-true", "precision of training, for the training memory", changes_weights=False)
    threads: Threads = setting("auto", "CPU threads", changes_weights=False)


class LabDevice(Section):
    """The experiments run on the CPU."""

    threads: Threads = setting("auto", "CPU threads", changes_weights=False)
