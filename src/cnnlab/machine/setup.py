"""What this machine offers, and the settings that make it fast: allocator, threads, precision."""

import ctypes
import math
import os
import platform
import re
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from cnnlab.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
# LeNet-5's 13 M at batch 32 ran as fast on one thread as on two, its 53 M at batch 128 did not.
ONE_THREAD_BELOW = 30e6
LARGEST_MMAP_THRESHOLD = 32 * 2**20  # glibc refuses more


@dataclass(frozen=True)
class Machine:
    """How a command uses this machine: `cuda` or `cpu`, torch's threads, Lightning's name of the precision."""

    device: str
    threads: int
    precision: str

    @property
    def accelerator(self) -> str:
        """Lightning's word for the device."""
        return "gpu" if self.device == "cuda" else "cpu"

    def autocast(self) -> torch.autocast:
        """The context in which a network computes in this precision."""
        dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self.precision)
        return torch.autocast(self.device, dtype, enabled=dtype is not None)


def prepare(trainer: DictConfig, macs_per_step: float = math.inf) -> Machine:
    """Make the settings that `trainer` asks for, and tell what its `auto` values stand for here.

    Args:
        macs_per_step: multiply-accumulates of a forward pass over a process's part of a batch.

    Raises:
        UserError: what is asked for is not there.
    """
    keep_freed_memory()
    reset_peak_memory()
    device = device_type(trainer.accelerator)
    if device == "cpu" and trainer.get("sync_batchnorm"):
        raise UserError("trainer.sync_batchnorm=true needs GPUs, as torch's SyncBatchNorm does; this is a processor")
    threads = set_threads(trainer.threads, macs_per_step, trainer.get("devices", 1))
    return Machine(device, threads, resolve_precision(trainer.precision, device))


def keep_freed_memory() -> bool:
    """Make glibc reuse large freed blocks instead of returning them to the system after each tensor.

    Without that every activation is mapped, zeroed page by page and unmapped again. False where the C library has no
    mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def set_threads(threads: str | int, macs_per_step: float = math.inf, processes: int = 1) -> int:
    """Set torch's threads.

    `auto` is one where a step is too small to be shared: two threads gain nothing there, and wait long for each other
    on a busy machine. Else it is each job's part, which joblib and Ray set as $OMP_NUM_THREADS and Slurm as
    $SLURM_CPUS_PER_TASK, or the processors that this process may use; shared by the run's processes on this node.

    Args:
        macs_per_step: multiply-accumulates of a forward pass over a process's part of a batch.
        processes: those that share the processors.
    """
    if threads != "auto":
        count = int(threads)
    elif macs_per_step < ONE_THREAD_BELOW:
        count = 1
    else:
        parts = (os.environ.get(name) for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"))
        count = max(1, int(next(filter(None, parts), available_cpus())) // processes)
    torch.set_num_threads(count)
    return count


def available_cpus() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_type(accelerator: str) -> str:
    """`cuda` or `cpu`.

    Raises:
        UserError: a GPU is asked for and there is none.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator=gpu needs a CUDA device, and torch finds none; use trainer=cpu")
    return "cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda"


def has_bf16_units(device: str) -> bool:
    """Whether matrix products in bfloat16 run on hardware made for them."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resolve_precision(precision: str, device: str) -> str:
    """Lightning's name of the precision that `auto` stands for on `device`; any other name unchanged."""
    if precision == "16-mixed" and device == "cpu":
        raise UserError("trainer.precision=16-mixed needs a GPU; a processor takes bf16-mixed or 32-true")
    if precision != "auto":
        return precision
    return "bf16-mixed" if has_bf16_units(device) else "32-true"


def device_name(device: str) -> str:
    """The processor's or the card's name, for the record."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def total_memory() -> int:
    """Bytes of memory that this machine has, or that its control group allows where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return total if text == "max" else min(total, int(text))


def reset_peak_memory() -> None:
    """Begin to measure anew, where several runs share a process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak becomes the present size


def peak_memory(device: str) -> int:
    """Bytes: the card's peak allocation, or this process's largest resident set since `reset_peak_memory`."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
