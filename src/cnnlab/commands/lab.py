"""`lab`: the experiments of the study notes."""

import importlib
import json
import time
from pathlib import Path

from cnnlab.config.schema import LabConfig
from cnnlab.errors import checking
from cnnlab.figures.style import save
from cnnlab.files import write_atomically, writing
from cnnlab.lab.finding import Finding, Settings
from cnnlab.lab.notebook import EXPERIMENTS, index_page
from cnnlab.lab.photograph import photograph
from cnnlab.machine.setup import keep_freed_memory, set_threads


def run(cfg: LabConfig) -> None:
    """Run the experiment that `cfg.lab` names, or `all`, and write the results to `cfg.figures`.

    Raises:
        UserError: the image cannot be used, or a result cannot be written.
    """
    image, folder = None if cfg.image is None else Path(cfg.image), Path(cfg.figures)
    if image is not None:
        with checking():
            photograph(image)  # before the first experiment runs
    keep_freed_memory()
    settings = Settings(image, cfg.seed, set_threads(cfg.trainer.threads))
    with writing(f"figures={folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    findings = {name: _run(name, settings, folder) for name in (EXPERIMENTS if cfg.lab == "all" else (cfg.lab,))}
    if cfg.lab == "all":
        index = folder / "index.html"
        with writing(f"figures={folder}"):
            write_atomically(index, index_page(findings))
        print(f"all experiments  {index}")


def _run(name: str, settings: Settings, folder: Path) -> Finding:
    began = time.perf_counter()
    finding: Finding = importlib.import_module(f"cnnlab.lab.{name}").experiment(settings)
    values = {"title": finding.title, **finding.values}
    with writing(f"figures={folder}"):
        write_atomically(folder / f"{name}.json", json.dumps(values, indent=2) + "\n")
        path = save(finding.figure, folder / f"{name}.png")
    print(f"{name}: {finding.title}\n\n{finding.text}\n\nfigure  {path}  ({time.perf_counter() - began:.1f} s)\n")
    return finding
