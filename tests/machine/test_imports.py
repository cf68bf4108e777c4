"""Lightning is imported without what no command uses, and nothing that it imports is lost."""

import subprocess
import sys

import pytest

from cnnlab.machine import imports


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lightning_is_imported_without_torchvisions_networks_and_scipys_filters():
    code = """
import sys
from cnnlab.machine.imports import SLOW, import_lightning
import_lightning()
print([name for name in SLOW if name in sys.modules])
import importlib, scipy.signal, torchvision
arniqa = importlib.import_module("torchmetrics.functional.image.arniqa")
print(arniqa.resnet50(weights=None).fc.out_features, arniqa.transforms.Normalize is torchvision.transforms.Normalize)
print(scipy.signal.convolve([1, 2], [3, 4]), torchvision.models.__name__)
"""
    assert python(code).splitlines() == ["[]", "1000 True", "[ 3 10  8] torchvision.models"]


def test_lightning_is_imported_as_always_where_stand_ins_do_not_do():
    code = """
import sys
from cnnlab.machine import imports
imports.StandIn.__getattr__ = lambda module, name: (_ for _ in ()).throw(AttributeError(name))
imports.import_lightning()
import lightning
print(lightning.Trainer.__name__, "torchvision.models" in sys.modules)
"""
    assert python(code) == "Trainer True\n"


def test_modules_that_are_imported_already_stay(monkeypatch):
    import torchvision

    with imports.stand_ins():
        assert sys.modules["torchvision"] is torchvision
    assert sys.modules["torchvision"] is torchvision


def test_a_name_that_does_not_exist_is_reported_at_its_use():
    with pytest.raises(ModuleNotFoundError, match="nix"):
        imports.Later("torchvision", "nix")()
