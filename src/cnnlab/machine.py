"""What this machine offers, and the settings that make it fast: allocator, threads, precision."""

import ctypes
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from cnnlab.errors import UserError, one_of

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
LARGEST_MMAP_THRESHOLD = 32 * 2**20  # glibc refuses more
ACCELERATORS = ("auto", "cpu", "gpu")


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


def prepare(trainer: DictConfig) -> Machine:
    """Make the settings that `trainer` asks for, and tell what its `auto` values stand for here.

    Raises:
        UserError: what is asked for is not there.
    """
    keep_freed_memory()
    device = device_type(trainer.accelerator)
    return Machine(device, set_threads(trainer.threads), resolve_precision(trainer.precision, device))


def keep_freed_memory() -> bool:
    """Make glibc reuse large freed blocks instead of returning them to the system after each tensor.

    Without that every activation is mapped, zeroed page by page and unmapped again. False where the C library has no
    mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def set_threads(threads: str | int) -> int:
    """Set torch's threads; `auto` is $OMP_NUM_THREADS where that is set, else the processors this process may use."""
    count = int(os.environ.get("OMP_NUM_THREADS") or processors()) if threads == "auto" else int(threads)
    torch.set_num_threads(count)
    return count


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_type(accelerator: str) -> str:
    """`cuda` or `cpu`.

    Raises:
        UserError: a GPU is asked for and none is there.
    """
    one_of("trainer.accelerator", accelerator, ACCELERATORS)
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


def peak_memory(device: str) -> int:
    """Bytes: the card's peak allocation, or this process's largest resident set so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
