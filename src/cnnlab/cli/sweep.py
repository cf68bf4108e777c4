"""A sweep: the jobs of one command line with -m, the state of each, and their table.

Hydra creates the jobs and its launcher runs them, in this process or in others, so the state of each job is a file in
the sweep's folder. Imports Hydra and nothing heavier.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from pydantic import TypeAdapter

from cnnlab.cli.places import this_place
from cnnlab.config.overrides import as_typed
from cnnlab.files import write_atomically, writing


@dataclass(frozen=True)
class Job:
    """One job of a sweep, the content of its file.

    Attributes:
        status: running, done, failed, skipped, interrupted, or lost, if its process ended without a report.
        folder: of the run, once it is done.
        accuracies: validation and test, in [0, 1]; None if not measured.
        place: the machine and, if known, its GPUs.
    """

    number: int
    overrides: str
    status: str = "running"
    error: str = ""
    folder: str = ""
    accuracies: tuple[float | None, float | None] = (None, None)
    seconds: float | None = None
    place: str = ""


JOB = TypeAdapter(Job)


class Sweep:
    """The folder of a sweep: `sweep.json` with the number of jobs, `jobs/<number>.json`, and `table.txt` at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_stopped(self) -> bool:
        """Whether a job has failed after which no other job may start."""
        return (self.folder / "stopped").exists()

    def begin(self, total: int) -> None:
        """Create the folder.

        Raises:
            UserError: it cannot be written.
        """
        with writing(f"the sweep's folder {self.folder}"):
            (self.folder / "jobs").mkdir(parents=True, exist_ok=True)
            for left_over in (self.folder / "stopped", *(self.folder / "jobs").glob("*.json")):
                left_over.unlink(missing_ok=True)  # of an earlier sweep in the same folder
            write_atomically(self._file, json.dumps({"jobs": total, "began": time.time()}) + "\n")

    def stop(self) -> None:
        (self.folder / "stopped").touch()

    def write(self, job: Job) -> None:
        write_atomically(self.folder / "jobs" / f"{job.number}.json", json.dumps(asdict(job)) + "\n")

    def jobs(self) -> list[Job]:
        """The jobs that have started, by number."""
        found = [_job_in(path) for path in (self.folder / "jobs").glob("*.json")]
        return sorted(found, key=lambda job: job.number)

    def progress(self) -> str:
        """The number of jobs in each state, and the time that the remaining ones will take at this pace."""
        counts = Counter(job.status for job in self.jobs())
        total, began = self._facts()
        remaining = (total or 0) - sum(counts.values())
        ended = sum(counts.values()) - counts["running"]
        parts = [f"{count} {status}" for status, count in sorted(counts.items())]
        if remaining > 0:
            parts.append(f"{remaining} remaining")
        if ended and remaining + counts["running"] > 0:
            minutes = (time.time() - began) / ended * (remaining + counts["running"]) / 60
            parts.append(f"about {minutes:.0f} min" if minutes >= 1 else "less than a minute")
        return f"sweep: {', '.join(parts)}"

    def end(self, running: str = "lost") -> str:
        """The table of all jobs, which is also written; a job that is still running now gets the status `running`."""
        for job in self.jobs():
            if job.status == "running":
                self.write(replace(job, status=running))
        table = table_of(self.jobs())
        total, _ = self._facts()
        if total is None:
            table += f"\n{self._file} is damaged: the number of jobs is unknown"
        elif missing := total - len(self.jobs()):
            table += f"\n{missing} more {'was' if missing == 1 else 'were'} not started"
        if len(places := {job.place for job in self.jobs()}) == 1:
            table += f"\n\nall jobs ran on {places.pop()}"
        write_atomically(self.folder / "table.txt", table + "\n")
        return table

    def _facts(self) -> tuple[int | None, float]:
        """The number of jobs, None if the sweep's file is damaged, and when the sweep began."""
        try:
            facts = json.loads(self._file.read_text(encoding="utf-8"))
            return int(facts["jobs"]), float(facts["began"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, time.time()

    @property
    def _file(self) -> Path:
        return self.folder / "sweep.json"

    def is_complete(self) -> bool:
        """Whether all jobs are done."""
        return sum(job.status == "done" for job in self.jobs()) == self._facts()[0]


def _job_in(path: Path) -> Job:
    """The job that a file states; a damaged file states a lost one, whose number is the file's name."""
    try:
        return JOB.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return Job(int(path.stem), "", "lost", f"{path} is damaged")


class CountJobs(Callback):
    """Creates the sweep's folder; Hydra calls it before the first job."""

    current: Sweep | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        overrides = parser.parse_overrides([*params, *config.hydra.overrides.task])
        swept = [override for override in overrides if override.is_sweep_override()]
        CountJobs.current = Sweep(Path(config.hydra.sweep.dir))
        CountJobs.current.begin(math.prod(sum(1 for _ in override.sweep_string_iterator()) for override in swept))


def this_job() -> tuple[Sweep, Job] | None:
    """The sweep and this job of it, or None outside of sweeps."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    hydra = HydraConfig.get()
    return Sweep(Path(hydra.sweep.dir)), Job(
        int(hydra.job.num), " ".join(as_typed(hydra.overrides.task)), place=this_place()
    )


def table_of(jobs: Sequence[Job]) -> str:
    """One aligned row per job, with the arguments, and the place if there are several, in which the jobs differ."""
    from cnnlab.rendering.tables import render

    words = [job.overrides.split() for job in jobs]
    shared = set.intersection(*map(set, words)) if len(words) > 1 else set()
    places = {job.place for job in jobs}
    rows = []
    for job, own in zip(jobs, words, strict=True):
        val, test = (f"{100 * fraction:.2f}" if fraction is not None else "" for fraction in job.accuracies)
        rows.append(
            {
                "job": str(job.number),
                "arguments": " ".join(word for word in own if word not in shared),
                "status": job.status,
                "val %": val,
                "test %": test,
                "time": "" if job.seconds is None else f"{job.seconds / 60:.1f} min",
                **({"where": job.place} if len(places) > 1 else {}),
                "": job.error.partition("\n")[0] or job.folder,
            }
        )
    return render(rows, "table", numbers=("job", "val %", "test %", "time")) if rows else "no job was started"
