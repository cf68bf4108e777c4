"""The result of a benchmark, printed as tables and written as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig

from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.folders import SOURCE
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.files import write_atomically, writing
from cnnlab.machine.probes import device_name
from cnnlab.machine.setup import Machine
from cnnlab.rendering.tables import aligned, render
from cnnlab.runs.git import git_state

Row = dict[str, Any]


def speed_rows(heading: str, timings: Mapping[str, Timing], peaks: Mapping[str, int], batch_size: int) -> list[Row]:
    """One row per contender: its images/s, milliseconds per step, and peak memory."""
    return [
        {
            heading: name,
            **timing.rates("images/s", batch_size),
            "ms": 1000 * timing.median,
            "peak, MiB": peaks[name] >> 20,
        }
        for name, timing in timings.items()
    ]


@dataclass
class Result:
    """The result of a benchmark.

    Attributes:
        facts: the network, the images, the device and how the benchmark measured.
        tables: title -> rows.
        notes: sentences that summarize or explain the tables.
        timings: contender -> the seconds of each measured turn.
    """

    facts: dict[str, str]
    tables: dict[str, list[Row]]
    notes: list[str] = field(default_factory=list)
    timings: dict[str, Timing] = field(default_factory=dict)

    def text(self) -> str:
        """The facts, the tables and the notes, as they are printed."""
        blocks = [aligned(list(self.facts.items()))]
        for title, rows in self.tables.items():
            rounded = [{name: figure(value) for name, value in row.items()} for row in rows]
            blocks.append(f"{title}\n{render(rounded, 'table')}")
        return "\n\n".join(filter(None, [*blocks, "\n".join(self.notes)]))

    def show(self, cfg: BenchmarkConfig) -> None:
        """Print the text and write the result to LOG_DIR/bench/, replacing that of the same benchmark and network.

        Raises:
            UserError: the file cannot be written.
        """
        path = Path(cfg.log_dir) / "bench" / f"{cfg.bench}-{cfg.name}.json"
        content = {
            "bench": cfg.bench,
            "overrides": list(HydraConfig.get().overrides.task),
            **self.facts,
            "torch": torch.__version__,
            **git_state(SOURCE),
            "tables": self.tables,
            "notes": self.notes,
            "seconds": {name: timing.seconds for name, timing in self.timings.items()},
        }
        with writing(f"log_dir={cfg.log_dir}: {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(content, indent=2) + "\n")
        print(f"{self.text()}\n\nwritten: {path}")


def figure(value: Any) -> Any:
    """A float rounded for printing: to a whole number from 100 on, otherwise to three significant digits."""
    if isinstance(value, float):
        return round(value) if value >= 100 else float(f"{value:.3g}")
    return value


def facts_of(cfg: BenchmarkConfig, data: ImageDataModule, machine: Machine) -> dict[str, str]:
    """The facts that most benchmarks print first."""
    shape = f"{data.batch_size} x {data.spec.in_channels} x {data.image_size} x {data.image_size}"
    return {
        "network": HydraConfig.get().runtime.choices["model"],
        "images": f"noise in the form of {data.name}, without a download; batches of {shape}",
        "device": f"{device_name(machine.device)}, threads: {machine.threads}, {machine.precision}",
        "turns": f"{cfg.rounds} of each contender, alternately; values are medians",
    }
