"""From a command line to a call with the composed configuration, and from any mistake to one clear message.

Imports Hydra and nothing heavier, so that help and mistakes answer at once.
"""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from cnnlab.cli.sweep import CountJobs, Job, this_job
from cnnlab.config.compose import CONF, check, compose, keys_of, options, plain, quoted
from cnnlab.errors import Lost, Terminated, UserError

LAUNCHERS = "joblib, ray, submitit_local and submitit_slurm"

Task = Callable[[DictConfig], Any]  # a run's record, or nothing


def command(config_name: str) -> Callable[[Task], Callable[[], None]]:
    """Make `task(cfg)` a command that composes conf/<config_name>.yaml with its arguments.

    The command exits with 0 after success, with 1 after a mistake or a failed job, with 130 after Ctrl-C, and with 143
    after SIGTERM.
    HYDRA_FULL_ERROR=1 shows the traceback of a mistake.
    """

    def decorate(task: Task) -> Callable[[], None]:
        def main() -> None:
            full_errors = os.environ.get("HYDRA_FULL_ERROR", "0") == "1"
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing its own form of the error
            failures: list[Exception] = []
            _end_on_sigterm()
            try:
                _check_choices(sys.argv[1:])
                sys.argv[1:] = quoted(sys.argv[1:])
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(
                    lambda cfg: _run_job(task, cfg, failures)
                )()
            except KeyboardInterrupt:
                _end_sweep("interrupted")
                sys.exit(128 + signal.SIGINT)
            except Terminated:
                print("ended by SIGTERM", file=sys.stderr)
                _end_sweep("interrupted")
                sys.exit(128 + signal.SIGTERM)
            except (UserError, HydraException, OmegaConfBaseException) as error:
                failures.append(error)
                print(f"error: {_explain(error, config_name, sys.argv[1:])}", file=sys.stderr)
            except Exception as error:  # of a launcher, as when a worker dies
                if CountJobs.current is None:
                    raise
                failures.append(error)
                print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
            is_whole = _end_sweep()
            if failures and full_errors:
                raise failures[0]
            if failures or not is_whole:
                sys.exit(1)

        return main

    return decorate


def _end_on_sigterm() -> None:
    """Make SIGTERM an exception in this process, unless something else waits for it.

    Lightning, while it trains or tests, does what it has to do at SIGTERM and calls this handler then.
    """

    def end(signum: int, frame: FrameType | None) -> None:
        raise Terminated

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def _run_job(task: Task, cfg: DictConfig, failures: list[Exception]) -> None:
    """One job; what it raises is told at once and kept in `failures`, so that the other jobs of a sweep go on."""
    _end_on_sigterm()  # a launcher's worker is a process of its own
    place = this_job()
    if place is None:
        if swept := _left_unswept():
            print(f"note: this is one job of a sweep over {', '.join(swept)}; -m runs them all")
        _guarded(task, cfg, failures)
        return
    sweep, job = place
    if sweep.is_stopped:
        sweep.write(replace(job, status="skipped"))
        return
    sweep.write(job)
    try:
        record = _guarded(task, cfg, failures)
    except BaseException as error:
        sweep.write(replace(job, status="interrupted"))
        if isinstance(error, Terminated) and CountJobs.current is None:
            return  # of a worker: this job alone
        raise
    if record is None:
        status = "interrupted" if isinstance(failures[-1], Lost) else "failed"
        sweep.write(replace(job, status=status, error=_message(failures[-1])))
        if status == "failed" and cfg.get("on_failure") == "stop":
            sweep.stop()
    else:
        sweep.write(_done(job, plain(cfg), record))
    print(sweep.progress())


def _left_unswept() -> list[str]:
    """What the experiment would sweep over with -m, and the command line says nothing of."""
    given = {override.partition("=")[0] for override in HydraConfig.get().overrides.task}
    return [str(key) for key in HydraConfig.get().sweeper.get("params") or {} if key not in given]


def _guarded(task: Task, cfg: DictConfig, failures: list[Exception]) -> Any:
    """What the task gives, or None after a failure, which is told and kept."""
    try:
        resolved = plain(cfg)
        check(resolved)
        result = task(resolved)
        sys.stdout.flush()
        return {} if result is None else result
    except BrokenPipeError:  # whoever read the output, as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        failures.append(error)
        if isinstance(error, UserError | OmegaConfBaseException):
            print(f"error: {_explain(error)}", file=sys.stderr)
        else:
            traceback.print_exc()
        return None


def _message(error: Exception) -> str:
    """One failure for the table."""
    known = isinstance(error, UserError | OmegaConfBaseException)
    return _explain(error) if known else f"{type(error).__name__}: {error}"


def _done(job: Job, cfg: DictConfig, record: Mapping[str, Any]) -> Job:
    """The job with its run's figures; a command that trains nothing has none."""
    folder = str(Path(cfg.log_dir) / record["name"] / record["run_id"]) if "run_id" in record else ""
    accuracies = (record.get("val/acc"), record.get("test/acc"))
    return replace(job, status="done", folder=folder, accuracies=accuracies, seconds=record.get("train_seconds"))


def _end_sweep(running: str = "lost") -> bool:
    """Print the table of the sweep that was run, if a job of one was begun; whether all of its jobs were done.

    Args:
        running: what became of jobs that have not ended.
    """
    sweep = CountJobs.current
    if sweep is None:
        return True
    if sweep.jobs():
        print(f"\n{sweep.end(running)}\n\ntable  {sweep.folder / 'table.txt'}")
    return sweep.is_whole()


def _check_choices(arguments: list[str]) -> None:
    """Raise UserError for what Hydra takes for no name; `model=[a,b]` would merge two networks' arguments into one."""
    for argument in arguments:
        group, _, value = argument.partition("=")
        if not group or not (CONF / group).is_dir():
            continue
        if value.startswith("["):
            names = value.strip("[]").replace(" ", "")
            raise UserError(f"{group} takes one choice, got {value}; to run each of them: -m {group}={names}")
        if re.fullmatch(r"null|true|false|[-+.\d]+", value, re.IGNORECASE):
            raise UserError(f"{group} must be one of: {options(group)}; got {value}")


def _explain(error: Exception, config_name: str = "", arguments: Sequence[str] = ()) -> str:
    message = str(error)
    if key := re.search(r"Could not override '([^']+)'", message):
        return _unknown_key(key[1], config_name, arguments)
    if missing := re.search(r"Could not find '([^']+)/([^/']+)'", message):
        return _unknown_choice(missing[1], missing[2])
    if "Ambiguous value for argument" in message:
        argument = re.search(r"argument '([^']+)'", message)
        return f"several values need a sweep: -m {argument[1] if argument else ''}"
    if isinstance(error, MissingMandatoryValue) and isinstance(error, OmegaConfBaseException):
        return f"{error.full_key} must be given: {error.full_key}=VALUE"
    return message.split("\nSet the environment variable", maxsplit=1)[0].strip()


def _unknown_choice(group: str, choice: str) -> str:
    if group == "hydra/launcher":
        return f"unknown choice {group}={choice}; {LAUNCHERS} need: pip install -e '.[sweep]'"
    if not (known := options(group)):
        return f"unknown choice {group}={choice}: there is no such group"
    return f"unknown choice {group}={choice}; {group} is one of: {known}"


def _unknown_key(key: str, config_name: str, arguments: Sequence[str]) -> str:
    choices = [argument for argument in arguments if (CONF / argument.partition("=")[0]).is_dir()]
    try:
        keys = keys_of(compose(config_name, choices), key)
    except (HydraException, OmegaConfBaseException):
        keys = []
    parent = key.rpartition(".")[0]
    where = f"{parent} has" if parent else "there are"
    return f"unknown key {key}; {where}: {', '.join(keys)}" if keys else f"unknown key {key}"
