"""What `analyze` does: a network taken apart, several compared, a trained one measured."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from cnnlab import models
from cnnlab.analysis.cost import TrainingMemory, states_of, training_memory
from cnnlab.analysis.explained import EXPLANATIONS, document
from cnnlab.analysis.measured_field import measured_field
from cnnlab.analysis.records import FLOAT_BYTES, records_of, size_of, total_of
from cnnlab.analysis.trace import Trace, trace
from cnnlab.analysis.worked import worked_records
from cnnlab.build.targets import make
from cnnlab.config.compose import CONF, compose
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError, one_of
from cnnlab.figures.network_costs import draw_costs, draw_fields
from cnnlab.files import writing
from cnnlab.image_spec import ImageSpec
from cnnlab.machine.setup import resolve_precision
from cnnlab.rendering import tables
from cnnlab.rendering.numbers import memory_text

FORM = ("in_channels", "num_classes", "image_size")


@dataclass(frozen=True)
class Form:
    """What a network is built for, and who says so."""

    images: ImageSpec
    source: str

    def __str__(self) -> str:
        return f"{self.images}, {self.images.num_classes:,} classes ({self.source})"


def analyze(cfg: DictConfig) -> None:
    """Print or write what `cfg` asks for.

    Raises:
        UserError: two things are asked for at once, or what is asked for is not there.
    """
    one_of("format", cfg.format, tables.FORMATS)
    asked = [key for key in ("models", "checkpoint", "worked", "explain") if cfg[key]]
    if len(asked) > 1:
        raise UserError(f"analyze shows one thing at a time, got {' and '.join(asked)}")
    if cfg.picture is not None and cfg.checkpoint is None:
        raise UserError("picture needs a trained network: checkpoint=PATH")
    if cfg.worked:
        tables.emit(tables.render(worked_records(), cfg.format), cfg.output)
    elif cfg.explain:
        _explain(cfg)
    elif cfg.models is not None:
        _compare(cfg)
    elif cfg.checkpoint is not None:
        from cnnlab.commands.analyze_trained import (
            analyze_trained,  # it needs Lightning for the data, which takes seconds
        )

        analyze_trained(cfg)
    else:
        form, net = described(cfg, cfg.model)
        show_network(cfg, cfg.name, net, form)


def described(cfg: DictConfig, node: DictConfig) -> tuple[Form, nn.Module]:
    """The network that a `conf/model` node describes, without values, and what it is built for."""
    target, options = _arguments(node)
    name = target.rpartition(".")[2]
    one_of("model._target_", name, models.__all__)
    builder = getattr(models, name)
    form = form_of(cfg, builder)
    try:
        with torch.device("meta"):
            return form, builder(**options, **form.images.network_arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: {error}") from error


def _arguments(node: DictConfig) -> tuple[str, dict[str, Any]]:
    """What a node builds, and with which arguments."""
    options = OmegaConf.to_container(node)
    assert isinstance(options, dict)
    plain = {str(key): value for key, value in options.items()}
    return str(plain.pop("_target_")), plain


def form_of(cfg: DictConfig, builder: Callable[..., nn.Module]) -> Form:
    """The dataset's form where one is chosen, else the builder's own; single values given on the command line first."""
    parameters = inspect.signature(builder).parameters
    values = {key: parameters[key].default for key in FORM}
    source = "the network's own"
    if cfg.data.name is not None:
        values = SPECS[cfg.data.name].images.network_arguments
        source = f"of {cfg.data.name}"
    given = {key: cfg[key] for key in FORM if cfg[key] is not None}
    values |= given
    if not values["num_classes"]:
        raise UserError(f"the folders of data={cfg.data.name} name its classes: num_classes=N must be given")
    if given:
        source += f", but {', '.join(given)} as given" if len(given) < len(FORM) else ""
    return Form(ImageSpec(**values), source="as given" if len(given) == len(FORM) else source)


def memory_of(cfg: DictConfig, net: nn.Module, form: Form) -> TrainingMemory:
    """What training takes at the batch size, precision and optimizer of `cfg`."""
    states = states_of(lambda parameters: make(cfg.optimizer, "optimizer", parameters))
    precision = resolve_precision(cfg.trainer.precision, "cpu")
    return training_memory(net, form.images.in_channels, form.images.image_size, cfg.data.batch_size, precision, states)


def show_network(
    cfg: DictConfig, name: str, net: nn.Module, form: Form, statistics: Sequence[tables.Record] = ()
) -> None:
    """Show the table of one network, and its totals.

    What is for another program is one table, in which `statistics` are further columns of the rows of their name.
    """
    taken = trace(net, form.images.in_channels, form.images.image_size)
    memory = memory_of(cfg, net, form)
    records = records_of(taken)
    total = total_of(records)
    if cfg.format in tables.READ_BY_PEOPLE:
        print(tables.aligned(_facts_text(cfg, name, net, form, taken, memory)) + "\n")
        tables.emit(tables.render(records, cfg.format, total), cfg.output)
        return
    facts = {
        "network": name,
        **form.images.network_arguments,
        "parameters": taken.parameters,
        "unused_parameters": taken.unused,
    }
    facts |= {"depth": taken.depth, "field": size_of(taken.field), "training_memory": asdict(memory)}
    by_name = {record["name"]: record for record in statistics}
    columns = dict.fromkeys(key for record in statistics for key in record)
    records = [record | {**columns, **by_name.get(record["name"], {}), **record} for record in records]
    tables.emit(tables.render(records, cfg.format, total if cfg.format == "json" else None, facts), cfg.output)


def _facts_text(
    cfg: DictConfig, name: str, net: nn.Module, form: Form, taken: Trace, memory: TrainingMemory
) -> list[tuple[str, str]]:
    unused = f", of them {taken.unused:,} that evaluation does not use" if taken.unused else ""
    return [
        ("network", name),
        ("input", str(form)),
        ("parameters", f"{taken.parameters:,}{unused}"),
        ("multiply-accumulates", f"{taken.total('macs'):,} an image"),
        ("layers", f"{taken.depth} on the longest way, counting convolutions and fully connected layers"),
        ("receptive field", _field_text(cfg, net, taken)),
        ("training memory", f"{memory_text(memory.total)} with {_setting(cfg)}:"),
        ("", ", ".join(f"{part} {memory_text(size)}" for part, size in asdict(memory).items())),
    ]


def _field_text(cfg: DictConfig, net: nn.Module, taken: Trace) -> str:
    if taken.last_map is None:
        return "the whole image, as there is no map"
    size = size_of(taken.field)
    text = f"{size}{' pixels' if isinstance(size, int) else ''} at {taken.rows[taken.last_map].name}"
    if not cfg.measure:
        return text
    measured = measured_field(net, taken)
    if measured == taken.field:
        return f"{text}, and the same measured from gradients"
    return f"{text}, but measured from gradients {size_of(measured)}"


def _setting(cfg: DictConfig) -> str:
    optimizer = str(cfg.optimizer._target_).rpartition(".")[2]
    return f"batch {cfg.data.batch_size}, {cfg.trainer.precision}, {optimizer}"


def _explain(cfg: DictConfig) -> None:
    """The network in words, which are about its published form and no other."""
    one_of("explain=true: model", cfg.name, EXPLANATIONS)
    one_of("explain=true: format", cfg.format, tables.READ_BY_PEOPLE)
    published = compose("analyze", [f"model={cfg.name}"])
    changed = [key for key in ("model", *FORM) if cfg[key] != published[key]]
    changed += ["data"] if cfg.data.name is not None else []
    if changed:
        raise UserError(f"explain=true is about the network as published, so {', '.join(changed)} cannot be changed")
    other = compose("analyze", [f"model={EXPLANATIONS[cfg.name].other}"]).model
    taken, others = (
        trace(net, form.images.in_channels, form.images.image_size)
        for form, net in (described(cfg, node) for node in (cfg.model, other))
    )
    tables.emit(document(cfg.name, taken, others, f"python src/analyze.py model={cfg.name} explain=true"), cfg.output)


def _compare(cfg: DictConfig) -> None:
    """One row a network, and two pictures."""
    traces, records = {}, []
    for name in _models(cfg.models):
        form, net = described(cfg, compose("analyze", [f"model={name}"]).model)
        traces[name] = trace(net, form.images.in_channels, form.images.image_size)
        records.append(_summary(name, form, traces[name], memory_of(cfg, net, form)))
    for_people = cfg.format in tables.READ_BY_PEOPLE
    heads = {record["network"]: record.pop("unused_parameters") for record in records if for_people}
    facts = {"batch_size": cfg.data.batch_size, "precision": cfg.trainer.precision, "optimizer": cfg.optimizer._target_}
    tables.emit(tables.render(records, cfg.format, facts=facts), cfg.output)
    if for_people:
        notes = [f"{name}: {count:,} more parameters that only training uses" for name, count in heads.items() if count]
        notes.append(f"training: memory with {_setting(cfg)}")
        print("\n" + "\n".join(notes))
    folder = Path(cfg.figures)
    with writing(f"figures={folder}"):
        paths = draw_costs(traces, folder / "costs.png"), draw_fields(traces, folder / "receptive_fields.png")
    for path in paths:
        print(f"picture: {path}", file=sys.stdout if for_people else sys.stderr)


def _summary(name: str, form: Form, taken: Trace, memory: TrainingMemory) -> dict[str, Any]:
    """A network's row in the comparison."""
    return {
        "network": name,
        "input": "x".join(map(str, taken.shape)),
        "classes": form.images.num_classes,
        "layers": taken.depth,
        "parameters": taken.parameters - taken.unused,
        "unused_parameters": taken.unused,
        "macs": taken.total("macs"),
        "operations": taken.total("operations"),
        "activations": FLOAT_BYTES * taken.total("values"),
        "field": size_of(taken.field),
        "training_memory": memory.total,
    }


def _models(asked: Any) -> list[str]:
    """The names of `models=`, which is a list, one name, or `all`."""
    every = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
    if asked == "all":
        return every
    names = [asked] if isinstance(asked, str) else list(asked)
    for name in names:
        one_of("models", name, ["all", *every])
    return names


run = analyze
