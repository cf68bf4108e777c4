"""What many tests share: data without a network, and the commands as a user types them."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests run side by side; set before torch is imported

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
    """Some tests set torch's threads, which all share."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """A folder in which `digits` is cached once for all tests."""
    root = tmp_path_factory.mktemp("data")
    cache.load("digits", root, download=False)
    return root


@pytest.fixture
def places(tmp_path, data_root) -> list[str]:
    """Overrides of a run with its logs in `tmp_path`."""
    return [f"log_dir={tmp_path / 'logs'}", f"data.root={data_root}", "data.download=false"]


@pytest.fixture
def configure(places):
    """Composes a run with its logs in `tmp_path`."""
    return lambda *overrides: compose("train", [*places, *overrides])


@pytest.fixture
def command(data_root, tmp_path) -> Command:
    """Runs `python <script> <arguments>` from the repository with logs in `tmp_path`; None unsets a variable."""

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
    """ROOT/CLASS/*.png: noise around a brightness of the class's own, so that there is something to learn."""
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
    """A root in which every dataset has a few pictures of noise as image folders, and their numbers a split."""
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
    """The root of `small_trees`, its numbers of pictures taken for the real ones; digits are the real ones."""
    root, counts = small_trees
    for name, count in counts.items():
        monkeypatch.setitem(specs.SPECS, name, replace(SPECS[name], train_size=count, test_size=count))
    return root


def root_of(small: Path, name: str) -> Path:
    """The `data.root` of a dataset of `small_datasets`."""
    return small / name if name == "image_folder" else small


@pytest.fixture(scope="session")
def real_root() -> Path:
    """Where the real datasets lie; tests that ask for it are skipped where they do not."""
    root = Path(os.environ.get("CNNLAB_DATA", REPOSITORY / "data"))
    if not (root / "MNIST" / "raw").is_dir():
        pytest.skip(f"the real datasets are not under {root}")
    return root
