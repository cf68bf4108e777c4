"""The lab's list of experiments; each is run, printed, and kept as a JSON file and a picture."""

import importlib
import json
import time
from html import escape
from pathlib import Path

from omegaconf import DictConfig

from cnnlab.errors import UserError, one_of
from cnnlab.figures.style import save
from cnnlab.files import write_atomically, writing
from cnnlab.lab.finding import Finding, Settings
from cnnlab.machine.setup import keep_freed_memory, set_threads

# In the order of the study notes; each is a file of this package.
EXPERIMENTS = (
    "edges",
    "laplacian",
    "learn_kernel",
    "padding_stride",
    "channels",
    "pooling",
    "receptive_field",
    "conv_vs_dense",
    "correlation_vs_convolution",
    "bottleneck",
    "separable",
    "dropout",
    "speed",
    "vanishing_gradient",
)

OF_A_PHOTOGRAPH = ("laplacian", "learn_kernel", "pooling")


def run_lab(cfg: DictConfig) -> None:
    """Run the experiment that `cfg.lab` names, or `all`, into `cfg.folder`.

    Raises:
        UserError: there is no such experiment, or its result cannot be written.
    """
    one_of("lab", cfg.lab, ("all", *EXPERIMENTS))
    if cfg.image is not None and cfg.lab not in ("all", *OF_A_PHOTOGRAPH):
        raise UserError(f"image= is for lab={', '.join(OF_A_PHOTOGRAPH)} or all, got lab={cfg.lab}")
    folder = Path(cfg.folder)
    image = None if cfg.image is None else Path(cfg.image)
    keep_freed_memory()
    settings = Settings(image, cfg.seed, set_threads(cfg.trainer.threads))
    with writing(f"folder={folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    findings = {name: _run(name, settings, folder) for name in (EXPERIMENTS if cfg.lab == "all" else (cfg.lab,))}
    if cfg.lab == "all":
        index = folder / "index.html"
        with writing(f"folder={folder}"):
            write_atomically(index, index_page(findings))
        print(f"all of them  {index}")


def _run(name: str, settings: Settings, folder: Path) -> Finding:
    began = time.perf_counter()
    finding: Finding = importlib.import_module(f"cnnlab.lab.{name}").experiment(settings)
    values = {"title": finding.title, **finding.values}
    with writing(f"folder={folder}"):
        write_atomically(folder / f"{name}.json", json.dumps(values, indent=2) + "\n")
        path = save(finding.picture, folder / f"{name}.png")
    print(f"{name}: {finding.title}\n\n{finding.text}\n\npicture  {path}  ({time.perf_counter() - began:.1f} s)\n")
    return finding


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>cnnlab: the experiments</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
section {{ margin: 3rem 0; border-top: 1px solid #ddd; }}
img {{ max-width: 100%; }}
pre {{ background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 0.8rem; }}
nav {{ columns: 3; }}
</style>
</head>
<body>
<h1>The experiments</h1>
<nav>{links}</nav>
{sections}
</body>
</html>
"""


def index_page(findings: dict[str, Finding]) -> str:
    """One page with every experiment: title, picture, text."""
    links = "".join(f'<div><a href="#{name}">{name}</a></div>' for name in findings)
    sections = "\n".join(
        f'<section id="{name}">\n<h2>{name}</h2>\n<p>{escape(finding.title)}</p>\n'
        f'<img src="{name}.png" alt="{escape(finding.title)}">\n'
        f"<details><summary>numbers</summary><pre>{escape(finding.text)}</pre></details>\n</section>"
        for name, finding in findings.items()
    )
    return PAGE.format(links=links, sections=sections)
