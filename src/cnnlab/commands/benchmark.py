"""`benchmark`: the time that training takes on this machine, and the parts that it consists of."""

import importlib

from cnnlab.benchmarks.results import Result
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.errors import UserError

# The module that measures what `bench=` names.
MODULES = {
    "train": "steps", "data": "loading", "ops": "convolutions", "operators": "operators", "startup": "startup",
    "trainer": "overhead", "recipe": "recipes",
}  # fmt: skip


def run(cfg: BenchmarkConfig) -> None:
    """Measure what `bench=` names, print it and write it to a file.

    Raises:
        UserError: there is no such benchmark, or its options do not fit.
    """
    if (processes := cfg.trainer.devices * cfg.trainer.num_nodes) > 1:
        raise UserError(
            f"a benchmark's runs have one process each, got {processes} (trainer.devices x trainer.num_nodes)"
        )
    if cfg.trainer.precision == "16-mixed":
        raise UserError("a benchmark has no loss scale: trainer.precision=bf16-mixed or 32-true, got 16-mixed")
    if cfg.profile and cfg.bench != "train":
        raise UserError(f"profile=true is for bench=train, got bench={cfg.bench}")
    if cfg.profile and cfg.trainer.compile:
        raise UserError("profile=true measures layers, which trainer.compile=true fuses: got both")
    result: Result = importlib.import_module(f"cnnlab.benchmarks.{MODULES[cfg.bench]}").bench(cfg)
    result.show(cfg)
