"""The package as a wheel without its source tree and as an editable install, and what make passes on."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY


def test_pyproject_lists_every_package():
    listed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(REPOSITORY / "src") for path in (REPOSITORY / "src").glob("*/**/*.py")}
    assert {*listed} == {str(folder).replace(os.sep, ".") for folder in folders} | {"cnnlab.conf"}


def test_make_passes_its_variables_to_the_command():
    arguments = ["model=resnet18", "data=cifar10", "optimizer.lr=0.1", "data.root=it's a folder", "ARGS=-m seed=0,1"]
    make = ["make", "-n", "train", *arguments]
    printed = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    words = re.sub(r"\s+", " ", printed.splitlines()[-1])
    for word in ("'model=resnet18'", "'data=cifar10'", "'optimizer.lr=0.1'", r"'data.root=it'\''s a folder'"):
        assert word in words
    assert words.endswith("-m seed=0,1")
    assert "PYTHON" not in words


PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


@pytest.mark.slow
def test_a_wheel_trains_without_the_source_tree(tmp_path):
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", REPOSITORY, source], check=True)
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheels", source]
    subprocess.run([*PIP, *build], check=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--target", tmp_path / "installed", wheel], check=True)
    subprocess.run(["rm", "-rf", source], check=True)
    work = tmp_path / "work"
    work.mkdir()

    def cnnlab(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
        environment.pop("CNNLAB_DATA", None)
        words = [sys.executable, "-m", "cnnlab", *arguments]
        return subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)

    trained = cnnlab("train", "trainer=smoke")
    assert trained.returncode == 0, trained.stderr
    assert sorted(path.name for path in work.iterdir()) == ["data", "logs"]
    evaluated = cnnlab("eval", "checkpoint=latest")
    assert evaluated.returncode == 0, evaluated.stderr
    exported = cnnlab("export", "checkpoint=pretrained:lenet5-mnist", "format=safetensors", "output=net.safetensors")
    assert exported.returncode == 0, exported.stderr
    assert cnnlab("train", "trainer=smoke", "trainer.devices=2").returncode == 0
    assert cnnlab("train", "-m", "seed=0,1", "trainer=smoke").returncode == 0
    assert cnnlab("trian").stderr.startswith("error: unknown command trian; cnnlab has: train, ")
    assert "cnnlab train: one network on one dataset" in cnnlab("train", "--help").stdout


@pytest.mark.slow
def test_an_editable_install_trains_and_takes_choices_from_its_source_tree(tmp_path):
    """In an environment of its own, into which a .pth file brings the dependencies without downloads."""
    source, environment, work = tmp_path / "source", tmp_path / "environment", tmp_path / "work"
    subprocess.run(["git", "clone", "-q", REPOSITORY, source], check=True)
    venv.create(environment, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = ["install", "--no-deps", "--no-build-isolation", "-e", source]
    subprocess.run([*PIP, "--python", environment / "bin" / "python", *install], check=True)
    work.mkdir()

    def cnnlab(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {name: value for name, value in os.environ.items() if name not in ("CNNLAB_DATA", "PYTHONPATH")}
        words = [environment / "bin" / "cnnlab", *arguments]
        return subprocess.run(words, cwd=work, env=variables, capture_output=True, text=True, check=False)

    trained = cnnlab("train", "trainer=smoke")
    assert trained.returncode == 0, trained.stderr
    assert sorted(path.name for path in work.iterdir()) == ["data", "logs"]
    (source / "conf" / "optimizer" / "own.yaml").write_text("_target_: torch.optim.SGD\nlr: 0.125\n")
    assert "lr: 0.125" in cnnlab("train", "optimizer=own", "--cfg", "job").stdout


def test_the_constraints_fit_the_requirements():
    constraints = {
        canonicalize_name(name): version
        for name, _, version in (
            line.partition("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line
        )
    }
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = [
        text for name in ("search", "export", "explain", "dev") for text in project["optional-dependencies"][name]
    ]
    for requirement in map(Requirement, [*project["dependencies"], *extras]):
        if requirement.name == "cnnlab":  # an extra that includes others
            continue
        assert requirement.specifier.contains(constraints[canonicalize_name(requirement.name)]), requirement
