"""Performance settings of this machine: allocator, threads, precision."""

import math
import os
from dataclasses import dataclass

import torch

from cnnlab.config.sections import Device, Trainer
from cnnlab.errors import UserError
from cnnlab.machine.probes import C_LIBRARY, available_cpus, device_type, reset_peak_memory
from cnnlab.ops.bf16 import has_bf16_units

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h
# MACs per step: LeNet-5 at batch 32 (13 M) is as fast on one thread as on two; at batch 128 (53 M) it is not.
ONE_THREAD_BELOW = 30e6


@dataclass(frozen=True)
class Machine:
    """How a command uses this machine.

    Attributes:
        device: `cuda` or `cpu`.
        threads: number of PyTorch's threads.
        precision: Lightning's name, such as `bf16-mixed`.
    """

    device: str
    threads: int
    precision: str

    @property
    def accelerator(self) -> str:
        """Lightning's name for the device."""
        return "gpu" if self.device == "cuda" else "cpu"

    def __str__(self) -> str:
        return f"{self.device}, {self.threads} threads, {self.precision}"

    def autocast(self) -> torch.autocast:
        """The autocast context for this precision."""
        dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self.precision)
        return torch.autocast(self.device, dtype, enabled=dtype is not None)


def prepare(trainer: Device, macs_per_step: float = math.inf) -> Machine:
    """Apply the settings of `trainer` and return them, with `auto` resolved for this machine.

    Args:
        macs_per_step: multiply-accumulates of a forward pass over the part of a batch that one process computes.

    Raises:
        UserError: the machine lacks something that `trainer` requires.
    """
    keep_freed_memory()
    reset_peak_memory()
    device = device_type(trainer.accelerator)
    if device == "cpu" and isinstance(trainer, Trainer) and trainer.sync_batchnorm:
        raise UserError("trainer.sync_batchnorm=true needs GPUs, because torch's SyncBatchNorm does not support CPUs")
    processes = trainer.devices if isinstance(trainer, Trainer) else 1
    threads = set_threads(trainer.threads, macs_per_step, processes)
    return Machine(device, threads, resolve_precision(trainer.precision, device))


def keep_freed_memory() -> bool:
    """Make glibc reuse freed blocks of any size instead of returning them to the system after each tensor.

    Otherwise every activation is mapped, zeroed page by page, and unmapped again. M_MMAP_THRESHOLD would not be
    enough: glibc accepts at most 32 MiB, and the activations of a large batch are larger. Returns whether the C
    library accepts the settings.
    """
    mallopt = getattr(C_LIBRARY, "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def set_threads(threads: str | int, macs_per_step: float = math.inf, processes: int = 1) -> int:
    """Set and return PyTorch's number of threads.

    `auto` means one thread for a small step, where a second thread gains nothing and waits on a busy machine. Otherwise
    it means the job's CPUs, which joblib and Ray set as $OMP_NUM_THREADS and Slurm as $SLURM_CPUS_PER_TASK, or all CPUs
    that this process may use, divided by the run's processes on this node.

    Args:
        macs_per_step: multiply-accumulates of a forward pass over the part of a batch that one process computes.
        processes: number of processes that share the CPUs.
    """
    if threads != "auto":
        count = int(threads)
    elif macs_per_step < ONE_THREAD_BELOW:
        count = 1
    else:
        values = (os.environ.get(name, "").partition(",")[0] for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"))
        count = max(1, int(next(filter(None, values), available_cpus())) // processes)
    torch.set_num_threads(count)
    return count


def resolve_precision(precision: str, device: str) -> str:
    """Lightning's name of `precision`, where `auto` is bf16-mixed on devices with bfloat16 units, else 32-true.

    Raises:
        UserError: `precision` is not available on `device`.
    """
    if precision == "16-mixed" and device == "cpu":
        raise UserError("trainer.precision=16-mixed needs a GPU; on a CPU use bf16-mixed or 32-true")
    if precision != "auto":
        return precision
    return "bf16-mixed" if has_bf16_units(device) else "32-true"
