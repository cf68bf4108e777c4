"""Reading checkpoints safely: plain data only, checked for damage, with a clear message about what is wrong."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from cnnlab.build.objects import CARD_FORMAT
from cnnlab.errors import UserError
from cnnlab.files import damage_in
from cnnlab.runs.card import problem_of
from cnnlab.runs.weights import SUFFIX, read_weights

CARD = {"format", "network", "data", "classes", "image_size", "mean", "std"}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint or a safetensors file of this project; no code in it is run.

    Raises:
        UserError: there is no such file, or it is truncated, damaged, holds more than plain data, or was not written by
            this project.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"checkpoint must be a file, and there is none at {path}")
    content = read_weights(path) if path.suffix == SUFFIX else _read_zip(path)
    card, state = (content.get(key) if isinstance(content, dict) else None for key in ("cnnlab", "state_dict"))
    check_card(path, card if isinstance(state, dict) else None)
    assert isinstance(state, dict)
    if not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()):
        raise UserError(f"{path} must have tensors as weights")
    return content


def check_card(path: Path, card: Any) -> None:
    """Raise UserError unless `card`, read from `path`, is one that this version of cnnlab can use."""
    if not isinstance(card, dict) or not set(card) >= CARD:
        raise UserError(f"{path} was not written by cnnlab: it does not name its network and its data")
    if (found := card["format"]) != CARD_FORMAT:
        raise UserError(f"{path} has a card of format {found}, and this version of cnnlab reads {CARD_FORMAT}")
    if problem := problem_of(card):
        raise UserError(f"{path} has a card that cannot be used: {problem}")


def _read_zip(path: Path) -> Any:
    """The content of a file of torch.save."""
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is not a complete checkpoint: it is truncated, or another kind of file")
    if damage := damage_in(path):
        raise UserError(f"{path} is damaged: {damage}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} holds more than tensors and plain values, and was not loaded") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a complete checkpoint: {error}") from error
