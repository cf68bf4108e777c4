"""Missing data is known from file names alone."""

import pytest

from cnnlab.data.cache import load
from cnnlab.data.places import CIFAR_FILES, missing
from cnnlab.data.readers import _official_md5
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from tests.conftest import root_of
from tests.data.test_readers import write_mnist


@pytest.mark.parametrize("name", [name for name in SPECS if name != "digits"])
def test_missing_data_is_reported_as_by_the_reader(name, tmp_path):
    with pytest.raises(UserError) as caught:
        load(name, tmp_path / "nowhere", download=False)
    assert missing(name, tmp_path / "nowhere", download=False) == str(caught.value)


@pytest.mark.parametrize("name", SPECS)
def test_data_that_is_there_or_can_be_downloaded_is_not_missing(name, small_datasets, tmp_path):
    assert missing(name, root_of(small_datasets, name), download=False) is None
    assert (missing(name, tmp_path / "nowhere", download=True) is None) is (name != "image_folder")


def test_an_incomplete_dataset_is_missing(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").unlink()
    assert "missing: train-labels-idx1-ubyte" in missing("mnist", tmp_path, download=False)


@pytest.mark.parametrize("name", CIFAR_FILES)
def test_the_official_files_are_those_of_torchvision(name):
    assert CIFAR_FILES[name] == tuple(_official_md5(SPECS[name]))
