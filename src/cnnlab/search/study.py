"""A study: trials of one configuration, each an ordinary run, in a database that several processes share."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
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
from cnnlab.config.schema import TuneConfig
from cnnlab.errors import Terminated
from cnnlab.files import writing
from cnnlab.reporting.records import read_rows, read_run
from cnnlab.runs.folder import Held, Record
from cnnlab.runs.run import train
from cnnlab.runs.run_id import run_id
from cnnlab.search.outcomes import Outcome, line_of
from cnnlab.search.pruning import Pruning, make_pruner
from cnnlab.search.space import Space, study_keys, typed
from cnnlab.training.classifier import mode_of

THE_STUDY = {"search", "pruner", "prune_after"}  # the rest may change while a study continues
MISSED = 3  # heartbeats without which a trial is lost
RETRIES = 3  # of a trial whose process died, as the trial itself may be the reason
STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def without_study_keys(overrides: Sequence[str]) -> list[str]:
    """The overrides that concern a trial, and not the study."""
    own = study_keys()
    return [override for override in overrides if _key(override).partition(".")[0] not in own]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


class Study:
    """The study in `log_dir/studies/<study>/<id>/`; the id is a hash of everything that a trial's value depends on.

    Args:
        overrides: the command line to which every trial adds its values.
        defaults: the values that this command line gives to the keys of `space`.
        fingerprint: of the images.
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
        # Held from counting the trials until a new one has started, so that several processes start no trial too many.
        self.turn = FileLock(self.folder / ".lock")
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # the lines printed here say more
        with self.turn:
            self.study = self._open()
            if not self.study.get_trials(deepcopy=False):
                self.study.enqueue_trial(self.inside, user_attrs={"default": True})

    def _open(self) -> optuna.Study:
        storage = RDBStorage(
            f"sqlite:///{(self.folder / 'study.db').resolve()}",
            engine_kwargs={"connect_args": {"timeout": 60}},  # seconds to wait for another process's write
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
        """Run trials until the study has enough, then wait for those of other processes.

        Raises:
            KeyboardInterrupt, Terminated: after Ctrl-C or SIGTERM; the interrupted trial is put back into the queue.
        """
        print(f"study folder  {self.folder}", flush=True)
        while self._takes_turn():
            try:
                self.study.optimize(
                    self._run_trial, n_trials=1, catch=(Exception,), callbacks=[self._report_trial], gc_after_trial=True
                )
            except (UpdateFinishedTrialError, ValueError):  # the trial has ended elsewhere, while this machine slept
                trials = self.study.get_trials(deepcopy=False)
                if self.current is None or not trials[self.current].state.is_finished():
                    raise
                print(
                    f"trial {self.current:>3}  was considered lost, and its run continues in another process",
                    flush=True,
                )
            except (KeyboardInterrupt, Terminated):
                self._put_back()
                print("stopped; run the same command again to continue")
                raise
            finally:
                self.current = None
                self.turn.release(force=True)

    def _takes_turn(self) -> bool:
        """Whether there is a trial to run; this process then holds the turn."""
        has_reported = False
        while True:
            self.turn.acquire()
            self._recover()
            trials = self.study.get_trials(deepcopy=False)
            retries = sum(RetryHeartbeatStaleTrialCallback.retried_trial_number(trial) is not None for trial in trials)
            states = Counter(trial.state for trial in trials)
            if states[TrialState.WAITING] or len(trials) - retries < self.cfg.trials:
                # A new seed for each trial: neither another process nor an interruption repeats or changes a draw.
                seed = np.random.SeedSequence([self.cfg.seed, len(trials)]).generate_state(1).item()
                self.study.sampler = TPESampler(seed=seed)
                return True
            self.turn.release()
            if not states[TrialState.RUNNING]:
                return False
            if not has_reported:
                print(f"waiting for trials of other processes: {states[TrialState.RUNNING]}", flush=True)
                has_reported = True
            time.sleep(min(1, self.cfg.heartbeat))

    def _recover(self) -> None:
        """Put lost trials back: those without heartbeats, and those whose process died before the first one."""
        fail_stale_trials(self.study)
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("began") != trial.number:  # which every live trial sets while it holds the turn
                self.study.tell(trial.number, state=TrialState.FAIL)
                RetryHeartbeatStaleTrialCallback()(self.study, trial)

    def _put_back(self) -> None:
        if self.current is not None:  # Optuna ends a trial at Ctrl-C, but not at SIGTERM
            self.study.tell(self.current, state=TrialState.FAIL, skip_if_finished=True)
        for trial in self.study.get_trials(states=(TrialState.FAIL,)):
            if trial.number == self.current:
                RetryHeartbeatStaleTrialCallback()(self.study, trial)

    def _run_trial(self, trial: Trial) -> float:
        self.current = trial.number
        is_default = bool(trial.user_attrs.get("default"))
        for key in self.inside if is_default else self.space:
            self.space[key].suggest(trial, key)
        trial.set_user_attr("began", trial.number)
        self.turn.release()
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
        """As typed on the command line; the default recipe includes values outside of the space."""
        if trial.user_attrs.get("default"):
            return {key: typed(value) for key, value in self.defaults.items()}
        return {key: self.space[key].shown(value) for key, value in trial.params.items()}

    def _command(self, trial: Trial | FrozenTrial) -> list[str]:
        """The study's command line, with the trial's parameters instead of its own values."""
        if trial.user_attrs.get("default"):
            return self.overrides
        parameters = self._parameters(trial)
        kept = [override for override in self.overrides if _key(override) not in parameters]
        return kept + [f"{key}={value}" for key, value in parameters.items()]

    def train(self, overrides: Sequence[str], pruning: Pruning | None = None) -> Record:
        """The record of the command line's run, untested with `pruning`; its output is in train.log only."""
        callbacks: list[Callback] = [pruning] if pruning else []
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            cfg = compose("train", overrides)
            if pruning:
                cfg = cfg.model_copy(update={"test": False})  # the test images must not decide
            while True:
                try:
                    record = train(cfg, *callbacks)
                    break
                except Held:  # another process is training the same values
                    time.sleep(1)
        if pruning and record["status"] == "done":  # perhaps in an earlier study
            pruning.report(read_rows(read_run(Path(cfg.log_dir) / record["name"] / record["run_id"])))
        return record

    def outcomes(self) -> list[Outcome]:
        """The outcome of each trial, without those that were retried."""
        trials = self.study.get_trials(deepcopy=False)
        again = {n for trial in trials for n in RetryHeartbeatStaleTrialCallback.retry_history(trial)}
        return [self._outcome(trial) for trial in trials if trial.state in STATES and trial.number not in again]

    def _outcome(self, trial: FrozenTrial) -> Outcome:
        return Outcome(
            number=trial.number,
            state=STATES[trial.state],
            value=trial.value if trial.state != TrialState.FAIL else None,
            loss=trial.user_attrs.get("val/loss"),
            parameters=self._parameters(trial),
            overrides=self._command(trial),
            is_default=bool(trial.user_attrs.get("default")),
            seconds=trial.duration.total_seconds() if trial.duration else 0.0,
            error=trial.user_attrs.get("error", "lost"),
        )

    def _report_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        print(line_of(self._outcome(trial), self.outcomes(), self.cfg.monitor), flush=True)
