"""Settings of the machine, and the values that `auto` stands for."""

import mmap
import os

import pytest
import torch

from cnnlab.config.sections import Trainer
from cnnlab.errors import UserError
from cnnlab.machine import probes, setup


def prepare(**options):
    return setup.prepare(Trainer(**{"accelerator": "cpu", "max_epochs": 1} | options))


def test_threads_are_the_requested_or_the_available_ones(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert prepare().threads == len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert prepare().threads == torch.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # OpenMP allows one number per nesting level
    assert prepare().threads == torch.get_num_threads() == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert prepare().threads == torch.get_num_threads() == 3
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    small = Trainer(accelerator="cpu", max_epochs=1)
    assert setup.prepare(small, macs_per_step=1e6).threads == torch.get_num_threads() == 1
    assert prepare(threads=2).threads == torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16), ("16-mixed", torch.float16)]
)
def test_autocast_computes_in_the_dtype_of_the_precision(precision, dtype):
    with setup.Machine("cpu", 1, precision).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


@pytest.mark.parametrize(
    ("units", "precision"),
    [
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"avx2": True}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_auto_precision_is_bf16_on_cpus_with_bf16_units(units, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)
    assert prepare().precision == precision
    assert prepare(precision="32-true").precision == "32-true"


def test_missing_hardware_is_reported(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"trainer.accelerator=gpu needs a CUDA device, and torch finds none"):
        prepare(accelerator="gpu")
    with pytest.raises(UserError, match=r"trainer.precision=16-mixed needs a GPU"):
        prepare(precision="16-mixed")


def test_peak_memory_is_measured_since_the_reset():
    """The block is mapped separately, because the allocator reuses memory that earlier tests freed."""
    size = 200_000_000
    probes.reset_peak_memory()
    before = probes.peak_memory("cpu")
    with mmap.mmap(-1, size) as block:
        block.write(b"x" * size)
        assert probes.peak_memory("cpu") > before + 0.8 * size
    probes.reset_peak_memory()
    assert probes.peak_memory("cpu") < before + 0.8 * size
    assert probes.peak_memory("cpu") < probes.total_memory()


def test_processes_share_the_cpus(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(setup, "available_cpus", lambda: 8)
    assert setup.set_threads("auto", processes=3) == torch.get_num_threads() == 2
    assert setup.set_threads("auto", processes=16) == 1
    assert setup.set_threads(5, processes=2) == 5
