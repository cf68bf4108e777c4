"""What this machine has: CPUs, devices, memory."""

import os
import platform
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from cnnlab.errors import UserError


def available_cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_type(accelerator: str) -> str:
    """`cuda` or `cpu`.

    Raises:
        UserError: a GPU is requested and there is none.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator=gpu needs a CUDA device, and torch finds none; use trainer=cpu")
    return "cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda"


def device_name(device: str) -> str:
    """The name of the CPU or GPU, for the record."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def total_memory() -> int:
    """Bytes of memory of this machine, or the limit of its control group if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return total if text == "max" else min(total, int(text))


def reset_peak_memory() -> None:
    """Restart the measurement, as several runs may share a process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak becomes the current size


def peak_memory(device: str) -> int:
    """Bytes: the GPU's peak allocation, or this process's largest resident set since `reset_peak_memory`."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
