"""A launcher that runs a sweep's jobs on Ray. Hydra finds launchers only in the package hydra_plugins.

Hydra imports this file at every start, so it imports nothing else that is slow to import.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from cnnlab.errors import Terminated, UserError


class RayLauncher(Launcher):
    """Runs each job as a Ray task, and waits for all of them even if one loses its worker.

    hydra-ray-launcher instead stops at the first lost worker and does not shut Ray down.

    Args:
        ray: `init`, the arguments of ray.init, and `remote`, the options of each task.
    """

    def __init__(self, ray: DictConfig) -> None:
        self.options: Any = OmegaConf.to_container(ray, resolve=True)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return their results in order.

        Raises:
            UserError: Ray is not installed.
        """
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # otherwise Ray prints equal lines of two jobs only once
        try:
            import ray
        except ImportError as error:
            raise UserError("hydra/launcher=ray needs Ray: pip install -e '.[sweep]'") from error
        setup_globals()
        on_sigterm = signal.getsignal(signal.SIGTERM)
        ray.init(**self.options["init"])
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's handler would exit without the sweep's table
        try:
            has_gpus = ray.cluster_resources().get("GPU", 0) > 0
            jobs = []
            for number, overrides in enumerate(job_overrides, start=initial_job_idx):
                config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
                with open_dict(config):
                    config.hydra.job.id = config.hydra.job.num = number
                options = remote_options(self.options["remote"], config, has_gpus)
                run = ray.remote(**options)(_run)
                jobs.append(run.remote(self.context, self.task, config, Singleton.get_state()))
            return [_result(job) for job in jobs]
        except SystemExit as end:  # Ray converts the exception of our SIGTERM handler
            raise Terminated from end
        finally:
            ray.shutdown()


def remote_options(given: Mapping[str, Any], config: DictConfig, has_gpus: bool) -> dict[str, Any]:
    """The options of a job's task: as many GPUs as it has processes, unless their number is given or there are none."""
    wanted = given["num_gpus"]
    if wanted is None:
        uses_gpus = has_gpus and config.trainer.accelerator != "cpu"
        wanted = int(config.trainer.get("devices", 1)) if uses_gpus else 0
    return {**given, "num_gpus": wanted}


def _run(context: HydraContext, task: TaskFunction, config: DictConfig, state: Any) -> JobReturn:
    """Run one job in a worker, with the state of Hydra in the sweep's process."""
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)


def _result(job: Any) -> JobReturn:
    """The result of a job. A lost worker is reported, and the sweep's table shows the job as lost."""
    import ray

    try:
        result: JobReturn = ray.get(job)
    except ray.exceptions.RayError as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return JobReturn(status=JobStatus.COMPLETED)
    return result
