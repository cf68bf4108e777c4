"""The card of a checkpoint, as this version of cnnlab accepts it from a file."""

from typing import Any, Self

from pydantic import ValidationError, model_validator

from cnnlab.config.fields import Pixels, Section, Seed, ValSize
from cnnlab.config.sections import DatasetName, Views
from cnnlab.limits import Count


class Network(Section):
    """The name of a builder in `cnnlab.models`, and its arguments."""

    name: str
    arguments: dict[str, Any]


class Images(Section):
    """The dataset and its split."""

    name: DatasetName
    val_size: ValSize
    split_seed: Seed
    train_size: Count | None
    limit: Count | None
    fingerprint: str


class Card(Section):
    """What `build.objects.build_card` writes."""

    format: int
    network: Network
    data: Images
    classes: list[str]
    image_size: Pixels
    mean: list[float]
    std: list[float]
    tta: Views = "none"  # older checkpoints lack it

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        stated = {"in_channels": len(self.mean), "num_classes": len(self.classes), "image_size": self.image_size}
        for name, value in stated.items():
            if self.network.arguments.get(name) != value:
                raise ValueError(f"the network's {name} must be {value}, got {self.network.arguments.get(name)!r}")
        if len(self.std) != len(self.mean) or min(self.std, default=0) <= 0:
            raise ValueError(f"std must have {len(self.mean)} numbers above 0, got {self.std}")
        return self


def problem_of(card: Any) -> str | None:
    """The first problem of a card, or None if it is valid."""
    try:
        Card.model_validate(card)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return None
