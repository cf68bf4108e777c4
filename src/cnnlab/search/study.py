"""A study: trials of one configuration in a database that several processes share. Each trial is an ordinary run."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock
from lightning import Callback
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState

from cnnlab.config.compose import compose
from cnnlab.config.fields import typed
from cnnlab.config.schema import TuneConfig
from cnnlab.errors import Terminated, UserError
from cnnlab.files import writing
from cnnlab.reporting.records import read_rows, read_run
from cnnlab.runs.folder import Held, Record
from cnnlab.runs.locate import locate_run
from cnnlab.runs.run import train
from cnnlab.runs.run_id import run_id
from cnnlab.search.outcomes import Outcome, line_of
from cnnlab.search.pruning import Pruning, make_pruner
from cnnlab.search.space import Space, study_keys
from cnnlab.training.classifier import mode_of

THE_STUDY = {"search", "pruner", "prune_after"}  # the other keys may change when a study continues
MISSED = 3  # heartbeats that a trial may miss before it counts as lost
RETRIES = 3  # of a trial whose process died, because the trial itself may be the cause
STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def without_study_keys(overrides: Sequence[str]) -> list[str]:
    """The overrides that concern a trial and not the study."""
    own = study_keys()
    return [override for override in overrides if _key(override).partition(".")[0] not in own]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _is_default(trial: Trial | FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("default"))


class Study:
    """The study in `log_dir/studies/<study>/<id>/`; the id is a hash of everything that affects a trial's value.

    Args:
        overrides: the command line to which every trial adds its values.
        defaults: values of the keys of `space` on this command line.
        fingerprint: fingerprint of the images.
    """

    def __init__(
        self, cfg: TuneConfig, overrides: Sequence[str], space: Space, defaults: dict[str, Any], fingerprint: str
    ) -> None:
        self.cfg, self.overrides, self.space, self.defaults = cfg, list(overrides), space, defaults
        known = {key: dimension.inside(defaults[key]) for key, dimension in space.items()}
        self.inside = {key: value for key, value in known.items() if value is not None}
        identity = run_id(cfg, fingerprint, cfg.model_dump(include=THE_STUDY))
        self.folder = Path(cfg.log_dir) / "studies" / cfg.study / identity
        with writing(f"the study's folder {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.current: int | None = None
        # Locked from counting the trials until a new one has started, so that processes never start too many trials.
        self.lock = FileLock(self.folder / ".lock")
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # the lines printed here are more informative
        with self.lock:
            self.study = self._open()
            if not self.study.get_trials(deepcopy=False):
                self.study.enqueue_trial(self.inside, user_attrs={"default": True})

    def _open(self) -> optuna.Study:
        database = self.folder / "study.db"
        check_database(database)
        storage = RDBStorage(
            f"sqlite:///{database.resolve()}",
            engine_kwargs={"connect_args": {"timeout": 60}},  # seconds to wait while another process writes
            heartbeat_interval=self.cfg.heartbeat,
            grace_period=MISSED * self.cfg.heartbeat,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        )
        return optuna.create_study(
            storage=storage,
            study_name=self.folder.name,
            direction="minimize" if mode_of(self.cfg.monitor) == "min" else "maximize",
            pruner=make_pruner(self.cfg.pruner, self.cfg.prune_after, self.cfg.trainer.max_epochs),
            load_if_exists=True,
        )

    def run(self) -> None:
        """Run trials until the study has enough, then wait for the trials of other processes.

        Raises:
            KeyboardInterrupt, Terminated: after Ctrl-C or SIGTERM; the interrupted trial is queued again.
        """
        print(f"study folder  {self.folder}", flush=True)
        while self._wait_for_trial():
            try:
                self.study.optimize(
                    self._run_trial, n_trials=1, catch=(Exception,), callbacks=[self._report_trial], gc_after_trial=True
                )
            except (UpdateFinishedTrialError, ValueError):
                # Another process may have ended the trial while this one was suspended.
                trials = self.study.get_trials(deepcopy=False)
                if self.current is None or not trials[self.current].state.is_finished():
                    raise
                print(f"trial {self.current:>3}  was considered lost, so another process continues its run", flush=True)
            except (KeyboardInterrupt, Terminated):
                self._requeue()
                print("stopped; run the same command again to continue")
                raise
            finally:
                self.current = None
                self.lock.release(force=True)

    def _wait_for_trial(self) -> bool:
        """Wait for a trial to run and return True with the lock held; return False if the study is complete."""
        has_reported = False
        while True:
            self.lock.acquire()
            self._recover()
            trials = self.study.get_trials(deepcopy=False)
            retries = sum(RetryHeartbeatStaleTrialCallback.retried_trial_number(trial) is not None for trial in trials)
            states = Counter(trial.state for trial in trials)
            if states[TrialState.WAITING] or len(trials) - retries < self.cfg.trials:
                # A seed per trial, so that neither other processes nor interruptions repeat or change a sample.
                seed = np.random.SeedSequence([self.cfg.seed, len(trials)]).generate_state(1).item()
                self.study.sampler = TPESampler(seed=seed)
                return True
            self.lock.release()
            if not states[TrialState.RUNNING]:
                return False
            if not has_reported:
                print(f"waiting for trials of other processes: {states[TrialState.RUNNING]}", flush=True)
                has_reported = True
            time.sleep(min(1, self.cfg.heartbeat))

    def _recover(self) -> None:
        """Queue lost trials again: those without heartbeats, and those whose process died before the first one."""
        fail_stale_trials(self.study)
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("began") != trial.number:  # every live trial sets this while it holds the lock
                self.study.tell(trial.number, state=TrialState.FAIL)
                RetryHeartbeatStaleTrialCallback()(self.study, trial)

    def _requeue(self) -> None:
        """Queue the interrupted trial again."""
        if self.current is not None:  # Optuna fails a trial on Ctrl-C, but not on SIGTERM
            self.study.tell(self.current, state=TrialState.FAIL, skip_if_finished=True)
        for trial in self.study.get_trials(states=(TrialState.FAIL,)):
            if trial.number == self.current:
                RetryHeartbeatStaleTrialCallback()(self.study, trial)

    def _run_trial(self, trial: Trial) -> float:
        self.current = trial.number
        is_default = _is_default(trial)
        for key in self.inside if is_default else self.space:
            self.space[key].suggest(trial, key)
        trial.set_user_attr("began", trial.number)
        self.lock.release()
        pruning = Pruning(trial, self.cfg.monitor, may_prune=not is_default)
        try:
            record = self.train(self._command(trial), pruning)
        except Exception as error:
            trial.set_user_attr("error", str(error).partition("\n")[0] or type(error).__name__)
            raise
        trial.set_user_attr("val/loss", record["val/loss"])
        if record["status"] == "pruned":
            raise optuna.TrialPruned
        return float(record[self.cfg.monitor])

    def _parameters(self, trial: Trial | FrozenTrial) -> dict[str, str]:
        """Parameters as typed on the command line; those of the default recipe may be outside the space."""
        if _is_default(trial):
            return {key: typed(value) for key, value in self.defaults.items()}
        return {key: self.space[key].shown(value) for key, value in trial.params.items()}

    def _command(self, trial: Trial | FrozenTrial) -> list[str]:
        """The study's command line with the trial's parameters."""
        if _is_default(trial):
            return self.overrides
        parameters = self._parameters(trial)
        fixed = [override for override in self.overrides if _key(override) not in parameters]
        return fixed + [f"{key}={value}" for key, value in parameters.items()]

    def train(self, overrides: Sequence[str], pruning: Pruning | None = None) -> Record:
        """The record of a command line's run; with `pruning` without test. Its output is in train.log only."""
        callbacks: list[Callback] = [pruning] if pruning else []
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            cfg = compose("train", overrides)
            if pruning:
                cfg = cfg.model_copy(update={"test": False})  # the test set must not select trials
            while True:
                try:
                    record = train(cfg, *callbacks)
                    break
                except Held:  # another process trains the same parameters
                    time.sleep(1)
        if pruning and record["status"] == "done":  # the run may come from an earlier study
            folder = locate_run(cfg.log_dir, record["name"], record["run_id"])
            pruning.report(read_rows(read_run(folder or Path(cfg.log_dir))))
        return record

    def outcomes(self) -> list[Outcome]:
        """The outcomes of all finished trials, without those that were retried."""
        trials = self.study.get_trials(deepcopy=False)
        retried = {n for trial in trials for n in RetryHeartbeatStaleTrialCallback.retry_history(trial)}
        return [self._outcome(trial) for trial in trials if trial.state in STATES and trial.number not in retried]

    def _outcome(self, trial: FrozenTrial) -> Outcome:
        return Outcome(
            number=trial.number,
            state=STATES[trial.state],
            value=trial.value if trial.state != TrialState.FAIL else None,
            loss=trial.user_attrs.get("val/loss"),
            parameters=self._parameters(trial),
            overrides=self._command(trial),
            is_default=_is_default(trial),
            seconds=trial.duration.total_seconds() if trial.duration else 0.0,
            error=trial.user_attrs.get("error", "lost"),
        )

    def _report_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        print(line_of(self._outcome(trial), self.outcomes(), self.cfg.monitor), flush=True)


def check_database(path: Path) -> None:
    """Raise UserError if the study's database is damaged."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            found = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise UserError(
            f"{path} is damaged ({found}); delete it and run the same command again: complete runs are reused"
        )
