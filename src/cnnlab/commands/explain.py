"""`explain`: where a trained network looks in an image, and what it has learned."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.build.objects import network_from_card
from cnnlab.commands import learned
from cnnlab.commands.early import PARTS
from cnnlab.commands.explained import Explained, Shown
from cnnlab.commands.learned import Part
from cnnlab.config.trained import ExplainConfig
from cnnlab.errors import UserError, one_of
from cnnlab.explain.attribution import NAMES, attribution_map, baseline_of
from cnnlab.explain.checks import SHIFTS, Check, area_under, check_map
from cnnlab.figures.explanation import draw_explanation
from cnnlab.files import free_path, write_atomically, writing
from cnnlab.machine.setup import prepare
from cnnlab.rendering import tables
from cnnlab.rendering.numbers import percent
from cnnlab.runs.trained_network import load_network

FEW = 3  # figures that are listed


def run(cfg: ExplainConfig) -> None:
    """Show each part of `cfg.show`: print its numbers, draw its figures, and write the numbers to `explain.json`.

    Raises:
        UserError: the images, the method or the network do not allow it, or a file cannot be written.
    """
    work = Explained(cfg, load_network(cfg.checkpoint, "explain"), prepare(cfg.trainer))
    asked = PARTS if "all" in cfg.show else tuple(dict.fromkeys(cfg.show))
    print(f"network  {work.trained.name}, from {cfg.checkpoint}")
    facts: dict[str, Any] = {"network": work.trained.card["network"], "data": work.trained.card["data"]}
    for name in asked:
        with writing(f"figures={work.folder}"):
            part = _part(name, work, is_alone=len(asked) == 1)
        if part is not None:
            facts[name] = part.facts
            print(f"\n{name}\n{part.text}\n{_places(part)}".rstrip())
    output = work.folder / "explain.json"
    with writing(f"figures={work.folder}"):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, json.dumps(facts, indent=2) + "\n")
    print(f"\nresult  {output}")


def _places(part: Part) -> str:
    """Where the figures are, in few lines."""
    if len(part.figures) > FEW:
        return f"figures  {part.figures[0]} to {part.figures[-1].name}, {len(part.figures)} files"
    return "\n".join(f"figure  {path}" for path in part.figures)


def _part(name: str, work: Explained, is_alone: bool) -> Part | None:
    """One part; None with a printed note if this network does not have it and others are asked for, too."""
    make: Callable[[Explained], Part] = _maps if name == "maps" else getattr(learned, name)
    try:
        return make(work)
    except ValueError as error:
        if is_alone or name not in ("filters", "features"):
            raise UserError(str(error) if name == "maps" else f"show={name}: {error}") from error
        print(f"\nnote: show={name} is left out: {error}")
        return None


def _maps(work: Explained) -> Part:
    """A map of each image with its check."""
    method, net = work.cfg.method, work.net
    target = _target(work)
    baseline = baseline_of(work.trained.preprocess.spec).to(work.machine.device)
    random_net = _with_random_weights(work)
    facts: list[dict[str, Any]] = []
    figures: list[Path] = []
    for shown in work.images:
        x = work.normalized(shown.pixels[None])
        with torch.no_grad():
            probabilities = net(x).softmax(1)[0]
        label = int(probabilities.argmax()) if target is None else target
        chosen = torch.tensor([label], device=x.device)
        values = attribution_map(net, x, chosen, method, baseline)[0]
        random_values = attribution_map(random_net, x, chosen, method, baseline)[0]
        check = check_map(net, x[0], label, values, random_values, baseline)
        title = _title(work, shown, label, float(probabilities[label]))
        path = free_path(work.folder / f"{method}_{shown.file_name}.png", figures)
        figures.append(draw_explanation(work.visible(x)[0], values.cpu(), _curves(check), title, path))
        facts.append(_facts(work, shown, label, float(probabilities[label]), values) | _areas(check))
    return Part(_text(method, facts), figures, {"method": method, "images": facts})


def _target(work: Explained) -> int | None:
    """The class that `target` names, or None for the predicted class."""
    if work.cfg.target is None:
        return None
    one_of("target", work.cfg.target, work.trained.classes)
    return work.trained.classes.index(work.cfg.target)


def _with_random_weights(work: Explained) -> nn.Module:
    """The same network before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = network_from_card(work.trained.card)
    return net.eval().to(work.machine.device)


def _title(work: Explained, shown: Shown, label: int, probability: float) -> str:
    classes = work.trained.classes
    truth = "" if shown.label is None else f", true class {classes[shown.label]}"
    what = f"{NAMES[work.cfg.method]} for {classes[label]} ({100 * probability:.1f} %)"
    return f"{what}{truth}; {Path(shown.name).name}, {work.trained.name}"


def _curves(check: Check) -> dict[str, Tensor]:
    return {"map": check.of_map, "shifted map": check.of_shifted, "untrained network": check.of_random_network}


def _facts(work: Explained, shown: Shown, label: int, probability: float, values: Tensor) -> dict[str, Any]:
    classes = work.trained.classes
    return {
        "image": shown.name,
        "true_class": None if shown.label is None else classes[shown.label],
        "class": classes[label],
        "probability": probability,
        "notes": list(shown.notes),
        "is_zero": not bool(values.any()),
    }


def _areas(check: Check) -> dict[str, Any]:
    """Areas under the curves, the probability at their end, and the similarity."""
    areas = {name.replace(" ", "_"): area_under(curve) for name, curve in _curves(check).items()}
    return areas | {"similarity": check.similarity, "baseline": float(check.of_map[-1])}


def _row(facts: dict[str, Any]) -> dict[str, str]:
    """A row of the table for people."""
    return {
        "image": Path(facts["image"]).name,
        "class": facts["class"],
        "probability": percent(facts["probability"]),
        "map": f"{facts['map']:.3f}",
        "shifted": f"{facts['shifted_map']:.3f}",
        "untrained": f"{facts['untrained_network']:.3f}",
        "similarity": "" if facts["similarity"] is None else f"{facts['similarity']:+.2f}",
    }


def _notes(facts: dict[str, Any]) -> list[str]:
    """What is to know about a map and its image."""
    notes = list(facts["notes"])
    if facts["is_zero"]:
        notes.append("zero map: no channel of the last map speaks for the class where it is active")
    elif facts["baseline"] > facts["probability"] / 2:
        notes.append("deletion cannot judge this map: the empty image has this class, too")
    return [f"{Path(facts['image']).name}: {note}" for note in notes]


def _text(method: str, facts: list[dict[str, Any]]) -> str:
    rows = [_row(one) for one in facts]
    beaten = {name: sum(one["map"] < one[name] for one in facts) for name in ("shifted_map", "untrained_network")}
    lines = [
        f"{NAMES[method]} for the logit of the class. map, shifted, untrained: the mean",
        "probability of the class while the pixels with the largest values are deleted;",
        "lower is better.",
        "",
        tables.render(rows, "table", numbers=("probability", "map", "shifted", "untrained", "similarity")),
        "",
        f"shifted: the same map at {SHIFTS} random positions; worse for {beaten['shifted_map']} of {len(facts)} images",
        "untrained: the map of the same network with random weights; worse for "
        f"{beaten['untrained_network']} of {len(facts)}",
        "similarity: rank correlation with the untrained network's map; a map with a",
        "similarity near 1 does not show what was learned",
        *(note for one in facts for note in _notes(one)),
    ]
    return "\n".join(lines)
