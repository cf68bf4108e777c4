"""`analyze`: a network layer by layer, several compared, a trained one, one explained, or worked examples."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.analysis.convolutionize import convolutionize
from cnnlab.analysis.cost import TrainingMemory, states_of, training_memory
from cnnlab.analysis.explained import document, line_groups
from cnnlab.analysis.explanations import EXPLANATIONS
from cnnlab.analysis.layer_table import beside, in_words, layer_records
from cnnlab.analysis.statistics import statistics_records
from cnnlab.analysis.subject import Subject
from cnnlab.analysis.trace import trace
from cnnlab.analysis.trace_records import records_of, total_of
from cnnlab.analysis.worked import worked_records
from cnnlab.build.targets import make
from cnnlab.config.compose import compose
from cnnlab.config.folders import choices
from cnnlab.config.schema import AnalyzeConfig
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError, checking, one_of
from cnnlab.figures.class_map import draw_class_map
from cnnlab.figures.network_costs import draw_costs, draw_fields
from cnnlab.figures.structure import draw_structure
from cnnlab.files import writing
from cnnlab.image_spec import ImageSpec
from cnnlab.machine.setup import keep_freed_memory, resolve_precision, set_threads
from cnnlab.preprocessing import UnreadableImage, normalize
from cnnlab.rendering import tables

if TYPE_CHECKING:
    from cnnlab.runs.trained_network import Trained

SHAPE = {"in_channels", "num_classes", "image_size"}  # what a network is built for


def run(cfg: AnalyzeConfig) -> None:
    """Print or write what `cfg` asks for.

    Raises:
        UserError: the options ask for two things, or for one that is not available.
    """
    values = {"models": cfg.models, "checkpoint": cfg.checkpoint, "worked": cfg.worked, "explain": cfg.explain}
    asked = [key for key, value in values.items() if value]
    if len(asked) > 1:
        raise UserError(f"analyze shows one thing at a time, got {' and '.join(asked)}")
    if cfg.image is not None and cfg.checkpoint is None:
        raise UserError("image needs a trained network: checkpoint=PATH")
    if cfg.layers and (cfg.worked or cfg.explain or cfg.checkpoint):
        raise UserError("layers=true is for model= or for two models=")
    if cfg.layers:
        _show_layers(cfg)
    elif cfg.worked:
        tables.emit(tables.render(worked_records(), cfg.format), cfg.output)
    elif cfg.explain:
        _explain(cfg)
    elif cfg.models is not None:
        _compare(cfg)
    elif cfg.checkpoint is not None:
        _show_trained(cfg, cfg.checkpoint)
    else:
        _show_network(cfg, described(cfg, cfg.name, cfg.model))


def described(cfg: AnalyzeConfig, name: str, node: Mapping[str, Any]) -> Subject:
    """The network that the `conf/model` node describes, on the meta device."""
    target = str(node["_target_"]).rpartition(".")[2]
    one_of("model._target_", target, models.__all__)
    images, source = _images_of(cfg, target)
    with torch.device("meta"):
        net: nn.Module = make(node, "model", **images.network_arguments)
    with checking(f"model={name}"):
        return Subject(name, net, images, source, trace(net, images.in_channels, images.image_size))


def _images_of(cfg: AnalyzeConfig, target: str) -> tuple[ImageSpec, str]:
    """The images of the dataset if one is chosen, else the builder's default; values on the command line come first."""
    parameters = inspect.signature(getattr(models, target)).parameters
    values = {key: parameters[key].default for key in SHAPE}
    source = "the network's own"
    if cfg.data.name is not None:
        values, source = SPECS[cfg.data.name].images.network_arguments, f"of {cfg.data.name}"
    given = cfg.model_dump(include=SHAPE, exclude_none=True)
    values = values | given
    if not values["num_classes"]:
        raise UserError(f"the folders of data={cfg.data.name} name its classes: num_classes=N must be given")
    if given:
        source = "as given" if len(given) == len(SHAPE) else f"{source}, but {', '.join(given)} as given"
    return ImageSpec(**values), source


def _memory_of(cfg: AnalyzeConfig, subject: Subject) -> TrainingMemory:
    """What training takes at the batch size, precision and optimizer of `cfg`."""
    states = states_of(lambda parameters: make(cfg.optimizer, "optimizer", parameters))
    precision = resolve_precision(cfg.trainer.precision, "cpu")
    images = subject.images
    return training_memory(subject.net, images.in_channels, images.image_size, cfg.data.batch_size, precision, states)


def _setting(cfg: AnalyzeConfig) -> str:
    optimizer = str(cfg.optimizer["_target_"]).rpartition(".")[2]
    return f"batch {cfg.data.batch_size}, {cfg.trainer.precision}, {optimizer}"


def _show_network(cfg: AnalyzeConfig, subject: Subject, statistics: Sequence[tables.Record] = ()) -> None:
    """Show one network's table and totals.

    Output for other programs is one table, in which the `statistics` of a row's name are further columns.
    """
    memory = _memory_of(cfg, subject)
    records = records_of(subject.trace)
    total = total_of(records)
    if cfg.format in tables.READ_BY_PEOPLE:
        with checking("measure=true"):
            lines = subject.lines(memory, _setting(cfg), cfg.measure)
        print(tables.aligned(lines) + "\n")
        tables.emit(tables.render(records, cfg.format, total), cfg.output)
        return
    by_name = {record["name"]: record for record in statistics}
    columns = dict.fromkeys(key for record in statistics for key in record)
    records = [record | {**columns, **by_name.get(record["name"], {}), **record} for record in records]
    is_json = cfg.format == "json"
    tables.emit(tables.render(records, cfg.format, total if is_json else None, subject.facts(memory)), cfg.output)


def _show_layers(cfg: AnalyzeConfig) -> None:
    """Show the layers of one network, or of two side by side."""
    if cfg.models is None:
        records = layer_records(described(cfg, cfg.name, cfg.model).trace)
        total = {"layer": "total"} | {key: sum(row[key] for row in records) for key in ("numbers", "memory", "weights")}
        total["size"] = in_words(total["numbers"])
        tables.emit(tables.render(records, cfg.format, total, numbers=("size",)), cfg.output)
        return
    if len(names := _model_names(cfg.models)) != 2:
        raise UserError(f"layers=true compares two networks, got {len(names)}: models=[lenet5,alexnet]")
    first, second = ((name, described(cfg, name, compose("analyze", [f"model={name}"]).model).trace) for name in names)
    tables.emit(tables.render(beside(first, second), cfg.format), cfg.output)


def _compare(cfg: AnalyzeConfig) -> None:
    """Show one row per network, and two figures."""
    traces, records = {}, []
    for name in _model_names(cfg.models or []):
        subject = described(cfg, name, compose("analyze", [f"model={name}"]).model)
        traces[name] = subject.trace
        records.append(subject.summary(_memory_of(cfg, subject)))
    for_people = cfg.format in tables.READ_BY_PEOPLE
    unused = {record["network"]: record.pop("unused_parameters") for record in records if for_people}
    facts = {
        "batch_size": cfg.data.batch_size,
        "precision": cfg.trainer.precision,
        "optimizer": cfg.optimizer["_target_"],
    }
    tables.emit(tables.render(records, cfg.format, facts=facts), cfg.output)
    if for_people:
        notes = [
            f"{name}: {count:,} more parameters that only training uses" for name, count in unused.items() if count
        ]
        notes.append(f"training: memory with {_setting(cfg)}")
        print("\n" + "\n".join(notes))
    folder = Path(cfg.figures)
    with writing(f"figures={folder}"):
        paths = draw_costs(traces, folder / "costs.png"), draw_fields(traces, folder / "receptive_fields.png")
    for path in paths:
        print(f"figure: {path}", file=sys.stdout if for_people else sys.stderr)


def _model_names(asked: list[str]) -> list[str]:
    """The names in `models=`, or those of all networks."""
    return choices("model") if "all" in asked else asked


def _explain(cfg: AnalyzeConfig) -> None:
    """Show the network in words, which describe its published form only, and draw it."""
    one_of("explain=true: model", cfg.name, EXPLANATIONS)
    one_of("explain=true: format", cfg.format, tables.READ_BY_PEOPLE)
    published = compose("analyze", [f"model={cfg.name}"])
    changed = [key for key in ("model", *sorted(SHAPE)) if getattr(cfg, key) != getattr(published, key)]
    changed += ["data"] if cfg.data.name is not None else []
    if changed:
        raise UserError(f"explain=true is about the network as published, so {', '.join(changed)} cannot be changed")
    taken = described(cfg, cfg.name, cfg.model).trace
    others = None
    if difference := EXPLANATIONS[cfg.name].difference:
        others = described(cfg, difference.other, compose("analyze", [f"model={difference.other}"]).model).trace
    command = f"python src/analyze.py model={cfg.name} explain=true"
    tables.emit(document(cfg.name, taken, others, command), cfg.output)
    explanation, folder = EXPLANATIONS[cfg.name], Path(cfg.figures)
    with writing(f"figures={folder}"):
        lines = line_groups(taken, explanation.why)
        path = draw_structure(explanation.title, taken, lines, folder / f"{cfg.name}_layers.png")
    print(f"figure: {path}", file=sys.stderr)  # the page alone is printed to stdout


def _show_trained(cfg: AnalyzeConfig, path: str) -> None:
    """Show the network of a checkpoint with statistics of its weights and activations, or its logits over an image."""
    from cnnlab.runs.trained_network import load_network  # reading data needs Lightning, which takes seconds to import

    given = cfg.model_dump(include=SHAPE, exclude_none=True)
    if given or cfg.data.name is not None:
        raise UserError(f"a checkpoint has its own images, so {', '.join(given) or 'data'} cannot be given with it")
    keep_freed_memory()
    set_threads(cfg.trainer.threads)
    trained = load_network(path, "analyze")
    if cfg.image is not None:
        _draw_class_map(Path(cfg.image), Path(cfg.figures), trained)
        return
    images, which = _validation_images(cfg, trained)
    spec = trained.preprocess.spec
    with checking(f"checkpoint={cfg.checkpoint}"):
        records = statistics_records(trained.net, images)
        traced = trace(trained.net, spec.in_channels, spec.image_size)
    name, data = trained.card["network"]["name"], trained.card["data"]["name"]
    _show_network(cfg, Subject(name, trained.net, spec, f"trained on {data}", traced), records)
    if cfg.format in tables.READ_BY_PEOPLE:
        print(f"\nweights, and activations on {len(images):,} {which} images\n")
        tables.emit(tables.render(records, cfg.format), cfg.output, suffix="statistics")


def _validation_images(cfg: AnalyzeConfig, trained: "Trained") -> tuple[Tensor, str]:
    """One batch of normalized validation images, or of training images if the run had no validation."""
    from cnnlab.runs.evaluation import datamodule_of

    data = datamodule_of(cfg.data, trained.card)
    subset, which = (data.val, "validation") if len(data.val) else (data.train, "training (there is no validation)")
    images, _ = next(iter(data.eval_dataloader(subset)))
    return trained.preprocess(images), which


def _draw_class_map(file: Path, figures: Path, trained: "Trained") -> None:
    """Draw the logits that the network, made convolutional, has all over an image."""
    preprocess = trained.preprocess
    size = preprocess.spec.image_size
    try:
        image = preprocess.read(file)
    except UnreadableImage as error:
        raise UserError(f"image={file} cannot be read: {error}") from error
    channels, height, width = image.shape
    if min(height, width) < size:
        raise UserError(f"image must be at least {size} x {size} pixels, got {width} x {height}")
    with checking(f"image={file}"):
        convolutional = convolutionize(trained.net, channels, size)
        field = trace(convolutional, channels, (height, width)).rows[-1].field
    x = normalize(image[None], preprocess.spec, resize=False)
    with torch.no_grad():
        logits = convolutional(x)[0]
    assert field is not None
    title = f"{trained.name}, at {logits.shape[1]} x {logits.shape[2]} positions"
    path = figures / f"class_map_{file.stem}.png"
    with writing(f"figures={figures}"):
        draw_class_map(image / 255, logits, field, list(trained.classes), title, path)
    print(f"figure: {path}")
