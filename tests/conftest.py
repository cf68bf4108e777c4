"""Fixtures that many tests share: data without downloads, and commands as a user types them."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in parallel; must be set before importing torch

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.config.compose import compose
from cnnlab.data import cache, specs
from cnnlab.data.specs import SPECS

REPOSITORY = Path(__file__).resolve().parents[1]

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def threads():
    """Restores torch's number of threads, which some tests set."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """A data folder in which `digits` is cached once for all tests."""
    root = tmp_path_factory.mktemp("data")
    cache.load("digits", root, download=False)
    return root


@pytest.fixture
def places(tmp_path, data_root) -> list[str]:
    """Overrides that keep a run's logs in `tmp_path` and its data offline."""
    return [f"log_dir={tmp_path / 'logs'}", f"data.root={data_root}", "data.download=false"]


@pytest.fixture
def configure(places):
    """Composes the configuration of a run with its logs in `tmp_path`."""
    return lambda *overrides: compose("train", [*places, *overrides])


@pytest.fixture
def command(data_root, tmp_path) -> Command:
    """Runs `python SCRIPT ARGUMENTS` in the repository with logs in `tmp_path`; a variable of None is unset."""

    def run(script: str, *arguments: str, logs: bool = True, timeout: float = 120, **environment: str | None):
        places = [f"log_dir={tmp_path / 'logs'}"] if logs else []
        variables = os.environ | {"CNNLAB_DATA": str(data_root)} | environment
        return subprocess.run(
            [sys.executable, script, *arguments, *places],
            cwd=REPOSITORY,
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


def write_tree(root: Path, classes: list[str], per_class: int, size: tuple[int, int], mode: str, seed: int = 0) -> None:
    """Write ROOT/CLASS/*.png: noise around a different brightness per class, so that the classes can be learned."""
    random = np.random.default_rng(seed)
    channels = () if mode == "L" else (3,)
    for label, name in enumerate(classes):
        folder = root / name
        folder.mkdir(parents=True)
        level = 255 * (label + 0.5) / len(classes)
        for i in range(per_class):
            pixels = np.clip(random.normal(level, 20, (size[1], size[0], *channels)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:04}.png")


@pytest.fixture(scope="session")
def small_trees(tmp_path_factory, data_root) -> tuple[Path, dict[str, int]]:
    """A root with a few noise images of every dataset as image folders, and the number of images per split."""
    root = tmp_path_factory.mktemp("small")
    counts = {}
    for name, spec in SPECS.items():
        if name == "digits":
            continue
        classes = [c.replace("/", "_") for c in spec.images.classes] or ["cat", "dog"]
        per_class = 8 if len(classes) <= 10 else 2
        side, mode = spec.images.image_size, "L" if spec.images.in_channels == 1 else "RGB"
        for split in ("train", "test"):
            write_tree(root / name / split, classes, per_class, (side, side), mode)
        counts[name] = per_class * len(spec.images.classes)
    (root / ".cnnlab").mkdir()
    for file in (data_root / ".cnnlab").glob("digits-*.pt"):
        (root / ".cnnlab" / file.name).symlink_to(file)
    return root, counts


@pytest.fixture
def small_datasets(small_trees, monkeypatch) -> Path:
    """The root of `small_trees`, whose numbers of images replace those of the specs; digits are the real ones."""
    root, counts = small_trees
    for name, count in counts.items():
        monkeypatch.setitem(specs.SPECS, name, replace(SPECS[name], train_size=count, test_size=count))
    return root


def root_of(small: Path, name: str) -> Path:
    """The `data.root` of one dataset in `small_datasets`."""
    return small / name if name == "image_folder" else small


@pytest.fixture(scope="session")
def real_root() -> Path:
    """The folder of the real datasets; tests that use it are skipped if it has none."""
    root = Path(os.environ.get("CNNLAB_DATA", REPOSITORY / "data"))
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip(f"the real datasets are not under {root}")
    return root
