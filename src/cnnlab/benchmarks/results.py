"""The result of a benchmark: printed as tables, written as JSON."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig

from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.folders import CONF
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.files import write_atomically, writing
from cnnlab.machine.probes import device_name
from cnnlab.machine.setup import Machine
from cnnlab.rendering.tables import aligned, render
from cnnlab.runs.git import git_state

Row = dict[str, Any]


@dataclass
class Result:
    """
    Attributes:
        facts: what was measured, on what.
        tables: rows by the table's title.
        notes: what the tables say, in sentences.
        timings: the seconds of every measured turn.
    """

    facts: dict[str, str]
    tables: dict[str, list[Row]]
    notes: list[str] = field(default_factory=list)
    timings: dict[str, Timing] = field(default_factory=dict)

    def text(self) -> str:
        blocks = [aligned(list(self.facts.items()))]
        for title, rows in self.tables.items():
            shown = [{name: figure(value) for name, value in row.items()} for row in rows]
            blocks.append(f"{title}\n{render(shown, 'table')}")
        return "\n\n".join([*blocks, *(["\n".join(self.notes)] if self.notes else [])])

    def show(self, cfg: BenchmarkConfig) -> None:
        """Print the text, and write all to a file below logs/bench/, which the next measurement of its kind replaces.

        Raises:
            UserError: the file cannot be written.
        """
        path = Path(cfg.log_dir) / "bench" / f"{cfg.bench}-{cfg.name}.json"
        content = {
            "bench": cfg.bench,
            "overrides": list(HydraConfig.get().overrides.task),
            **self.facts,
            "torch": torch.__version__,
            **git_state(CONF.parent),
            "tables": self.tables,
            "notes": self.notes,
            "seconds": {name: timing.seconds for name, timing in self.timings.items()},
        }
        with writing(f"log_dir={cfg.log_dir}: {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(content, indent=2) + "\n")
        print(f"{self.text()}\n\nwritten: {path}")


def figure(value: Any) -> Any:
    """A number as it is read: whole from 100 on, three digits below."""
    if isinstance(value, float):
        return round(value) if value >= 100 else float(f"{value:.3g}")
    return value


def facts_of(cfg: BenchmarkConfig, machine: Machine, data: ImageDataModule) -> dict[str, str]:
    """The head of most benchmarks."""
    shape = f"{data.batch_size} x {data.spec.in_channels} x {data.image_size} x {data.image_size}"
    return {
        "network": HydraConfig.get().runtime.choices["model"],
        "images": f"noise in the form of {data.name}, which needs no download; batches of {shape}",
        "device": f"{device_name(machine.device)}, threads: {machine.threads}, {machine.precision}",
        "turns": f"{cfg.rounds} of each, one after the other; figures are medians",
    }
