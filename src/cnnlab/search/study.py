"""A study: trials of one configuration, each an ordinary run, kept in a file that several processes share."""

import os
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock
from hydra.core.hydra_config import HydraConfig
from lightning import Callback
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState

from cnnlab.build.objects import build_classifier, build_datamodule, check_limits
from cnnlab.config.compose import compose
from cnnlab.config.values import check
from cnnlab.errors import Terminated, UserError
from cnnlab.files import writing
from cnnlab.machine.setup import prepare
from cnnlab.reporting.records import read_rows, read_run
from cnnlab.runs.folder import Held, Record
from cnnlab.runs.run import train
from cnnlab.runs.run_id import run_id
from cnnlab.search.outcomes import Outcome, end, line_of
from cnnlab.search.plots import draw_study
from cnnlab.search.pruning import Pruning, make_pruner
from cnnlab.search.space import Space, read_space, study_keys, typed
from cnnlab.training.classifier import mode_of

NOT_THE_STUDY = ("study", "trials", "confirm_seeds", "heartbeat")  # what may change while a study goes on
MISSED = 3  # heartbeats without which a trial is lost
RETRIES = 3  # of a trial whose process died; its own doing, perhaps
STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def tune(cfg: DictConfig) -> None:
    """Run what is left of the study that `cfg` is, and tell what came out.

    Raises:
        UserError: the space does not fit the configuration, or no run could use that.
    """
    hydra = HydraConfig.get()
    own = study_keys()
    overrides = [override for override in hydra.overrides.task if _key(override).partition(".")[0] not in own]
    if cfg.fresh:
        raise UserError("fresh=true trains again what a study has; search anew in another folder: log_dir=FOLDER")
    processes = cfg.trainer.devices * cfg.trainer.num_nodes
    if processes > 1:
        raise UserError(
            f"a search's trials have one process each, got {processes} (trainer.devices x trainer.num_nodes)"
        )
    space, defaults = read_space(cfg.search, cfg, hydra.runtime.choices)
    prepare(cfg.trainer)  # here and below, what is wrong with every trial is told before the first
    data = build_datamodule(cfg)
    check_limits(cfg.trainer, data)
    build_classifier(cfg, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats
        study = Study(cfg, overrides, space, defaults, data.dataset.fingerprint)
        study.run()
        for picture in draw_study(study.study, study.folder, study.outcomes(), space, cfg.monitor):
            print(f"picture  {picture}")
        end(cfg, study.folder, study.outcomes(), study.train)


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


class Study:
    """The study's folder, `log_dir/studies/<study>/<id>/`; the id is a hash of all that a trial's value depends on.

    Args:
        overrides: the command line that every trial refines.
        defaults: the values that it gives to the keys of `space`.
        fingerprint: of the pictures.
    """

    def __init__(
        self, cfg: DictConfig, overrides: Sequence[str], space: Space, defaults: dict[str, Any], fingerprint: str
    ) -> None:
        self.cfg, self.overrides, self.space, self.defaults = cfg, list(overrides), space, defaults
        known = {key: dimension.inside(defaults[key]) for key, dimension in space.items()}
        self.inside = {key: value for key, value in known.items() if value is not None}
        content = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in NOT_THE_STUDY])
        identity = run_id(content, fingerprint)
        self.folder = Path(cfg.log_dir) / "studies" / cfg.study / identity
        with writing(f"the study's folder {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.current: int | None = None
        # Held from the count of trials until a new one has begun, so that processes together begin no trial too many.
        self.turn = FileLock(self.folder / ".lock")
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # the lines that we print say more
        with self.turn:
            self.study = self._open()
            if not self.study.get_trials(deepcopy=False):
                self.study.enqueue_trial(self.inside, user_attrs={"default": True})

    def _open(self) -> optuna.Study:
        storage = RDBStorage(
            f"sqlite:///{(self.folder / 'study.db').resolve()}",
            engine_kwargs={"connect_args": {"timeout": 60}},  # seconds that a process waits for another's write
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
        """Begin trials as long as the study has fewer than it should, then wait for those of other processes.

        Raises:
            KeyboardInterrupt, Terminated: after Ctrl-C or SIGTERM; the trial that it ended is put back.
        """
        print(f"study folder  {self.folder}", flush=True)
        while self._takes_turn():
            try:
                self.study.optimize(
                    self._run_trial, n_trials=1, catch=(Exception,), callbacks=[self._report_trial], gc_after_trial=True
                )
            except (UpdateFinishedTrialError, ValueError):  # of a trial that has an end, as after the machine slept
                trials = self.study.get_trials(deepcopy=False)
                if self.current is None or not trials[self.current].state.is_finished():
                    raise
                print(
                    f"trial {self.current:>3}  was taken for lost, and its run goes on in another process", flush=True
                )
            except (KeyboardInterrupt, Terminated):
                self._put_back()
                print("stopped; the same command goes on")
                raise
            finally:
                self.current = None
                self.turn.release(force=True)

    def _takes_turn(self) -> bool:
        """Whether there is a trial to run; the turn is then this process's."""
        has_reported = False
        while True:
            self.turn.acquire()
            self._recover()
            trials = self.study.get_trials(deepcopy=False)
            retries = sum(RetryHeartbeatStaleTrialCallback.retried_trial_number(trial) is not None for trial in trials)
            states = Counter(trial.state for trial in trials)
            if states[TrialState.WAITING] or len(trials) - retries < self.cfg.trials:
                # Drawn anew for each trial: neither another process nor an interruption repeats or changes a draw.
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
        """Put lost trials back: those without heartbeats, and those that died before the first."""
        fail_stale_trials(self.study)
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("began") != trial.number:  # which every living one sets while it has the turn
                self.study.tell(trial.number, state=TrialState.FAIL)
                RetryHeartbeatStaleTrialCallback()(self.study, trial)

    def _put_back(self) -> None:
        if self.current is not None:  # Optuna ends a trial at Ctrl-C, but leaves it running at SIGTERM
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
        """As they are typed; the default recipe has those that lie outside of the space, too."""
        if trial.user_attrs.get("default"):
            return {key: typed(value) for key, value in self.defaults.items()}
        return {key: self.space[key].shown(value) for key, value in trial.params.items()}

    def _command(self, trial: Trial | FrozenTrial) -> list[str]:
        """The study's command line, with the trial's parameters in place of its own values."""
        if trial.user_attrs.get("default"):
            return self.overrides
        parameters = self._parameters(trial)
        kept = [override for override in self.overrides if _key(override) not in parameters]
        return kept + [f"{key}={value}" for key, value in parameters.items()]

    def train(self, overrides: Sequence[str], pruning: Pruning | None = None) -> Record:
        """The record of the run that the command line is, untested with `pruning`; its lines are in train.log only."""
        callbacks: list[Callback] = [pruning] if pruning else []
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            cfg = compose("train", overrides)
            check(cfg)
            cfg.test = cfg.test and pruning is None  # what chooses must not see the test images
            while True:
                try:
                    record = train(cfg, *callbacks)
                    break
                except Held:  # another process has drawn the same values
                    time.sleep(1)
        if pruning and record["status"] == "done":  # which may have been so before
            pruning.report(read_rows(read_run(Path(cfg.log_dir) / record["name"] / record["run_id"])))
        return record

    def outcomes(self) -> list[Outcome]:
        """What is known of each trial, without those that were begun again."""
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
