"""Which values a configuration may have. Imports no torch: a wrong value is reported within the first second."""

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cnnlab.config.compose import CONF, names, options
from cnnlab.errors import UserError, one_of

CONVOLUTIONS = ("auto", "torch", "loop", "shifted", "im2col", "fft", "winograd")
BENCHES = ("train", "data", "ops", "startup", "trainer")


def is_int(minimum: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def or_null(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or rule(value)


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_number(minimum: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value >= minimum


def is_seed(value: Any) -> bool:
    return is_int(0)(value) and value < 2**32


def is_limit(value: Any) -> bool:
    """A number or a fraction; null means all."""
    return is_int(1)(value) or (isinstance(value, float) and 0 < value < 1)


def is_size(value: Any) -> bool:
    """A fraction below 1 or a number."""
    return is_int(0)(value) or (isinstance(value, float) and 0 <= value < 1)


RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "seed": ("a whole number from 0 to 4294967295", is_seed),
    "test": ("true or false", is_bool),
    "fresh": ("true or false", is_bool),
    "retry": ("true or false", is_bool),
    "worked": ("true or false", is_bool),
    "measure": ("true or false", is_bool),
    "profile": ("true or false", is_bool),
    "rounds": ("a whole number of at least 1", is_int(1)),
    "explain": ("true or false", is_bool),
    "in_channels": ("null or a whole number of at least 1", or_null(is_int(1))),
    "num_classes": ("null or a whole number of at least 1", or_null(is_int(1))),
    "image_size": ("null or a number of pixels", or_null(is_int(1))),
    "data.download": ("true or false", is_bool),
    "data.image_size": ("null or a number of pixels", or_null(is_int(1))),
    "data.batch_size": ("a whole number of at least 1", is_int(1)),
    "data.eval_batch_size": ("a whole number of at least 1", is_int(1)),
    "data.val_size": ("0, a fraction below 1 or a number of images", is_size),
    "data.train_size": ("null or a number of images", or_null(is_int(1))),
    "data.limit": ("null or a number of images", or_null(is_int(1))),
    "data.split_seed": ("a whole number from 0 to 4294967295", is_seed),
    "trainer.threads": ("auto or a whole number of at least 1", lambda value: value == "auto" or is_int(1)(value)),
    "trainer.max_epochs": ("a whole number of at least 1", is_int(1)),
    "trainer.max_steps": ("null or a whole number of at least 1", or_null(is_int(1))),
    "trainer.devices": ("a whole number of at least 1", is_int(1)),
    "trainer.num_nodes": ("a whole number of at least 1", is_int(1)),
    "trainer.sync_batchnorm": ("true or false", is_bool),
    "trainer.compile": ("true or false", is_bool),
    "trainer.gradient_clip_val": ("null or a number", or_null(is_number(0.0))),
    "trainer.limit_train_batches": ("null, a fraction below 1 or a number of batches", or_null(is_limit)),
    "trainer.limit_eval_batches": ("null, a fraction below 1 or a number of batches", or_null(is_limit)),
    "param_groups.bias_lr_factor": ("a number of at least 0", is_number(0.0)),
    "callbacks.averaging.decay": ("a number from 0 to 1", lambda value: is_number(0)(value) and value <= 1),
    "callbacks.gradient_norms.every": ("a whole number of at least 1", is_int(1)),
    "logger.tensorboard.graph": ("true or false", is_bool),
    "logger.tensorboard.images": ("a whole number of at least 0", is_int(0)),
    "optimizer.fused": ("true or false", is_bool),
    "optimizer.lr": ("a number of at least 0", is_number(0.0)),
    "trials": ("a whole number of at least 1", is_int(1)),
    "prune_after": ("a fraction from 0 to 1", lambda value: is_number(0)(value) and value <= 1),
    "confirm_seeds": ("a whole number of at least 0", is_int(0)),
    "heartbeat": ("a whole number of seconds, at least 1", is_int(1)),
}


CHOICES = {
    "data.name": (None, *names("data")),  # None where `analyze` shows a network by itself
    "monitor": ("val/acc", "val/loss", "train/acc", "train/loss"),
    "conv": CONVOLUTIONS,
    "on_failure": ("continue", "stop"),
    "bench": BENCHES,
    "pruner": ("median", "halving", "none"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
}

# These read the gradients before the step; a fused step removes float16's loss scale only within the step.
NEED_UNSCALED = ("trainer.gradient_clip_val", "callbacks.gradient_norms")


def check(cfg: DictConfig) -> None:
    """Raise UserError for the first value of `cfg` that no run can use."""
    for key, (allowed, rule) in RULES.items():
        value = OmegaConf.select(cfg, key, default=_ABSENT)
        if value is not _ABSENT and not rule(value):
            raise UserError(f"{key} must be {allowed}, got {value!r}")
    for key, choices in CHOICES.items():
        value = OmegaConf.select(cfg, key, default=_ABSENT)
        if value is not _ABSENT:
            one_of(key, value, choices)
    for group, keys in _base_keys().items() if "monitor" in cfg else ():
        for key in cfg.get(group) or {}:
            if key not in keys:
                raise UserError(f"unknown key {group}.{key}; {group} has: {', '.join(sorted(keys))}")
    if "study" in cfg:
        _check_search(cfg)
    if OmegaConf.select(cfg, "data.val_size") == 0:
        _check_without_validation(cfg)
    if OmegaConf.select(cfg, "optimizer.fused") and cfg.trainer.precision == "16-mixed":
        for key in NEED_UNSCALED:
            if OmegaConf.select(cfg, key):
                raise UserError(f"optimizer.fused must be false for {key} in trainer.precision=16-mixed, got true")


def _check_search(cfg: DictConfig) -> None:
    if "search" not in cfg:
        raise UserError(f"search must be given: search=CHOICE, one of: {options('search')}")
    if not cfg.monitor.startswith("val/"):
        raise UserError(f"a search needs a validation metric: monitor must be val/acc or val/loss, got {cfg.monitor}")


def _base_keys() -> dict[str, set[str]]:
    """The keys of the groups whose files only refine conf/base.yaml; a key added with + would be ignored."""
    base: Any = OmegaConf.load(CONF / "base.yaml")
    groups = {group: {*base[group]} for group in ("data", "trainer", "callbacks", "logger", "param_groups")}
    return groups | {"data": groups["data"] | {"name", "epochs"}}


def _check_without_validation(cfg: DictConfig) -> None:
    if "search" in cfg:
        raise UserError("a search needs validation images: data.val_size must be above 0, got 0")
    if OmegaConf.select(cfg, "callbacks.early_stopping") is not None:
        raise UserError("callbacks.early_stopping needs validation images: data.val_size must be above 0, got 0")
    if str(OmegaConf.select(cfg, "scheduler._target_")).endswith("Plateau"):
        raise UserError("scheduler=plateau needs validation images: data.val_size must be above 0, got 0")


_ABSENT = object()
