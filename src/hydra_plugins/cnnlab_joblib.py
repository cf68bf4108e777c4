"""A launcher that runs a sweep's jobs in parallel processes, each on a GPU of its own where there are any.

Hydra finds launchers only in the package hydra_plugins, and imports this file at every start, so it imports nothing
that is slow to import.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from cnnlab.cli.placement import Dispatch, Place, WorkerLost, places_of_cpus, places_on, visible_gpus
from cnnlab.errors import UserError

Job = tuple[HydraContext, TaskFunction, DictConfig, Any]


class JoblibLauncher(Launcher):
    """Runs jobs in processes of joblib's loky; hydra-joblib-launcher would give all of them the first GPU.

    Args:
        n_jobs: the most jobs at a time; null for one per GPU, or without GPUs one per CPU.
        jobs_per_gpu: jobs that share a GPU.
    """

    def __init__(self, n_jobs: int | None, jobs_per_gpu: int) -> None:
        for name, value in (("n_jobs", n_jobs), ("jobs_per_gpu", jobs_per_gpu)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UserError(f"hydra.launcher.{name} must be an integer of at least 1, got {value!r}")
        self.n_jobs, self.jobs_per_gpu = n_jobs, jobs_per_gpu

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return their results in order; a job that was lost is reported by the sweep's table."""
        setup_globals()
        configs = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = number
            configs.append(config)
        places = self._places(configs)
        names = list(dict.fromkeys(place.name for place in places))
        print(f"{len(configs)} jobs, {len(places)} at a time: {'; '.join(names)}", flush=True)
        jobs: list[Job] = [(self.context, self.task, config, Singleton.get_state()) for config in configs]
        results = Dispatch(jobs, Process, lambda line: print(f"warning: {line}", file=sys.stderr, flush=True)).run(
            places
        )
        return [result or JobReturn(status=JobStatus.COMPLETED) for result in results]

    def _places(self, configs: Sequence[DictConfig]) -> list[Place]:
        """Places for as many jobs as may run at a time."""
        gpus = [] if all(config.trainer.accelerator == "cpu" for config in configs) else visible_gpus()
        if gpus:
            per_job = max(int(config.trainer.get("devices", 1)) for config in configs)
            places = places_on(gpus, per_job, self.jobs_per_gpu)
            return places[: min(len(configs), self.n_jobs or len(places))]
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return places_of_cpus(min(len(configs), self.n_jobs or cpus), cpus)


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr, flush=True)


class Process:
    """A process at a place; it runs one job after another."""

    def __init__(self, place: Place) -> None:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(max_workers=1, env=dict(place.environment))

    def run(self, job: Job) -> JobReturn:
        """Run a job.

        Raises:
            WorkerLost: the process ended, or its GPU failed.
        """
        from joblib.externals.loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        try:
            result, problem = self._pool.submit(_run, *job).result()
        except (BrokenProcessPool, ShutdownExecutorError) as error:
            raise WorkerLost(" ".join(str(error).split())) from error
        if problem:
            raise WorkerLost(problem)
        return result

    def close(self) -> None:
        self._pool.shutdown(kill_workers=True)


def _run(context: HydraContext, task: TaskFunction, config: DictConfig, state: Any) -> tuple[JobReturn, str]:
    """Run one job in a worker, with the state of Hydra in the sweep's process; return its result and GPU error."""
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context), _problem_of_gpu()


def _problem_of_gpu() -> str:
    """The error of a small task on the GPU of this process; empty if it works, or if none was used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    try:
        torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return ""
