"""Reading a checkpoint that anyone may have made: plain data only, and a clear word on what is wrong with it."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from cnnlab.build.objects import CARD_FORMAT
from cnnlab.errors import UserError
from cnnlab.files import damage_in

CARD = {"format", "network", "data", "classes", "image_size", "mean", "std"}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint of this project; no code in it is run.

    Raises:
        UserError: there is none, it is truncated, it holds more than plain data, or it is not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"checkpoint must name a file, and there is none at {path}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is not a whole checkpoint: it is truncated, or another kind of file")
    if damage := damage_in(path):
        raise UserError(f"{path} is damaged: {damage}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} holds more than tensors and plain values, and was not loaded") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a whole checkpoint: {error}") from error
    if not isinstance(content, dict) or not set(content.get("cnnlab") or {}) >= CARD or "state_dict" not in content:
        raise UserError(f"{path} is a checkpoint of another program: it does not say its network and its data")
    if content["cnnlab"]["format"] != CARD_FORMAT:
        raise UserError(
            f"{path} has a card of format {content['cnnlab']['format']}, and this program reads {CARD_FORMAT}"
        )
    return content
