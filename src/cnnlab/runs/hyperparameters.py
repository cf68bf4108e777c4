"""A run in TensorBoard's HPARAMS tab, and its charts in the CUSTOM SCALARS tab."""

from typing import Any

import lightning as L
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # type: ignore[import-untyped]
from torch.utils.tensorboard.summary import hparams

from cnnlab.config.schema import TrainConfig
from cnnlab.runs.folder import Record
from cnnlab.runs.run_id import flatten, is_hashed, multi_process_keys
from cnnlab.training.callbacks.recorder import writer_of

# A chart shows all tags that match one of its regular expressions from their beginning.
CHARTS = {
    "training and validation": {
        "loss": ["Multiline", ["train/loss$", "val/loss$"]],
        "accuracy": ["Multiline", ["train/acc$", "val/acc$"]],
        "learning rate": ["Multiline", ["lr$"]],
        "training loss by step": ["Multiline", ["train/loss_by_step$"]],
    },
    "layers": {
        "norm of the weights": ["Multiline", ["weight_norms/"]],
        "norm of the gradient": ["Multiline", ["gradient_norms/"]],
    },
}


def log_charts(trainer: L.Trainer) -> None:
    """Log which metrics share a chart in the CUSTOM SCALARS tab."""
    if (writer := writer_of(trainer)) is not None:
        writer.add_custom_scalars(CHARTS)


def log_hyperparameters(trainer: L.Trainer, cfg: TrainConfig, record: Record) -> None:
    """Log once, with the final metrics, so that TensorBoard's HPARAMS tab compares runs by all that changes weights.

    The keys on the command line come first: TensorBoard takes the order of the columns from one of the runs.
    """
    if (writer := writer_of(trainer)) is None:
        return
    values = flatten(cfg.model_dump())
    steps = {f"augment.{step}" for step in cfg.augment}  # `augment` names them all
    parameters = {
        key: value for key, value in values.items() if is_hashed(key) and value is not None and key not in steps
    }
    parameters |= {f"trainer.{key}": value for key, value in multi_process_keys(cfg.trainer.model_dump()).items()}
    parameters |= {f"trainer.{key}": record[key] for key in ("precision", "threads")}  # what auto means here
    parameters |= {"seed": cfg.seed}
    metrics = {"val/acc_best": record["val/acc"], **{name: record.get(name) for name in ("test/acc", "test/loss")}}
    known = {name: value for name, value in metrics.items() if value is not None}
    typed = {override.partition("=")[0].lstrip("+~"): None for override in record["overrides"]}
    first = {key: parameters[key] for key in typed if key in parameters}
    for summary in _summaries(first | parameters, len(first), known):
        writer.file_writer.add_summary(summary, record["steps"])
    for name, value in known.items():
        writer.add_scalar(name, value, record["steps"])
    writer.flush()


def _summaries(parameters: dict[str, Any], varied: int, metrics: dict[str, float]) -> tuple[Any, ...]:
    """TensorBoard's three summaries of a run, in which the first `varied` parameters are marked as different."""
    plain = {key: value if isinstance(value, bool | int | float) else str(value) for key, value in parameters.items()}
    experiment, start, end = hparams(plain, metrics)
    plugin = experiment.value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin.content)
    for info in list(content.experiment.hparam_infos)[:varied]:
        info.differs = True
    plugin.content = content.SerializeToString()
    return experiment, start, end
