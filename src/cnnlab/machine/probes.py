"""Probes of this machine: CPUs, devices, memory. The only file with what some operating systems do not have."""

import ctypes
import getpass
import os
import platform
import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from cnnlab.errors import UserError

C_LIBRARY = ctypes.CDLL(None) if os.name == "posix" else None


def available_cpus() -> int:
    """Number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_type(accelerator: str) -> str:
    """The device for `trainer.accelerator`: `cuda` or `cpu`.

    Raises:
        UserError: a GPU is requested but not available.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator=gpu needs a CUDA device, and torch finds none; use trainer=cpu")
    return "cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda"


def device_name(device: str) -> str:
    """The model name of the CPU or GPU, for the run record."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def total_memory() -> int:
    """This machine's memory in bytes, or the limit of its control group if that is lower."""
    total = int(psutil.virtual_memory().total)
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="utf-8").strip() if limit.exists() else "max"
    return total if text == "max" else min(total, int(text))


def reset_peak_memory() -> None:
    """Restart the measurement of `peak_memory`, because several runs may share one process.

    Memory that glibc keeps from an earlier run is returned to the system first.
    """
    if (malloc_trim := getattr(C_LIBRARY, "malloc_trim", None)) is not None:
        malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # Linux: the peak becomes the current size


def peak_memory(device: str) -> int:
    """Peak GPU allocation, or peak resident set of this process, since `reset_peak_memory`, in bytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))[1]) * 1024  # type: ignore[index]
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def user_id() -> str:
    """What distinguishes this user from the machine's others."""
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
