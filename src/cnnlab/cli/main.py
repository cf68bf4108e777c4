"""From a command line to a call of the command with the composed configuration.

Imports Hydra and nothing heavier, so that help and mistakes are answered immediately.
"""

import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from types import FrameType
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cnnlab.cli.help import commands_help, help_of, reference
from cnnlab.cli.messages import check_overrides, explain, summary
from cnnlab.cli.signals import ending_at_signals
from cnnlab.cli.sweep import CountJobs, Job, this_job
from cnnlab.commands.early import answer, check
from cnnlab.config.compose import prepare_hydra, typed
from cnnlab.config.folders import CONF, add_conf_folders
from cnnlab.config.overrides import as_hydra_takes
from cnnlab.config.schema import COMMANDS
from cnnlab.errors import Lost, Terminated, UserError
from cnnlab.machine.imports import import_lightning
from cnnlab.rendering.printable import printable

WITHOUT_LIGHTNING = ("analyze", "lab", "report")


def script() -> None:
    """`cnnlab COMMAND ARGUMENTS`, the installed program."""
    command, *arguments = sys.argv[1:] or ["--help"]
    if command in ("--help", "-h", "help"):
        print(commands_help())
    elif command == "reference":
        print(reference())
    elif command not in COMMANDS:
        print(f"error: unknown command {command}; cnnlab has: {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(1)
    else:
        sys.argv[1:] = arguments
        main(command)


def main(command: str) -> None:
    """Run `cnnlab.commands.<command>` with the configuration that conf/<command>.yaml and the arguments compose.

    Exits with status 0 after success, 1 after a mistake or a failed job, 130 after Ctrl-C, and 143 after SIGTERM.
    HYDRA_FULL_ERROR=1 shows the traceback of a mistake.
    """
    full_errors = os.environ.get("HYDRA_FULL_ERROR", "0") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise, instead of printing the error in its own form
    failures: list[Exception] = []
    _raise_at_sigterm()
    threading.excepthook = _report_thread
    try:
        sys.argv[1:] = as_hydra_takes(command, add_conf_folders(sys.argv[1:]))
        check_overrides(sys.argv[1:])
        if {"--help", "-h"} & {*sys.argv[1:]}:
            print(help_of(command, sys.argv[1:]))
            return
        prepare_hydra()
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=command)(
            lambda cfg: _run_job(command, cfg, failures)
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
        print(printable(f"error: {explain(error, command, sys.argv[1:])}"), file=sys.stderr)
    except Exception as error:  # of a launcher, for example when a worker dies
        if CountJobs.current is None:
            raise
        failures.append(error)
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
    is_complete = _end_sweep()
    if failures and full_errors:
        raise failures[0]
    if failures or not is_complete:
        sys.exit(1)


def _raise_at_sigterm() -> None:
    """Make SIGTERM an exception in this process, unless it has another handler.

    Lightning, while it trains or tests, does its own work at SIGTERM and then calls this handler.
    """

    def terminate(signum: int, frame: FrameType | None) -> None:
        raise Terminated

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    """Report in one line that a thread could not write; TensorBoard's writer ends so on a full disk."""
    if isinstance(failure.exc_value, OSError):
        print(f"warning: curves may be incomplete: {failure.exc_value}", file=sys.stderr)
    else:
        threading.__excepthook__(failure)


@cache
def _end_with_parent() -> None:
    """End this worker of a launcher when the process that started it is gone; joblib's would stay for minutes."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_job(command: str, cfg: DictConfig, failures: list[Exception]) -> None:
    """Run one job; its error is printed immediately and added to `failures`, so that a sweep's other jobs go on."""
    _raise_at_sigterm()  # a launcher's worker is a process of its own
    if CountJobs.current is None and this_job():
        _end_with_parent()
    place = this_job()
    if place is None:
        if swept := _keys_to_sweep():
            print(f"note: this is one job of a sweep over {', '.join(swept)}; -m runs them all")
        _guarded(command, cfg, failures)
        return
    sweep, job = place
    if sweep.is_stopped:
        sweep.write(replace(job, status="skipped"))
        return
    sweep.write(job)
    try:
        record = _guarded(command, cfg, failures)
    except BaseException as error:
        sweep.write(replace(job, status="interrupted"))
        if isinstance(error, Terminated) and CountJobs.current is None:
            return  # in a worker, SIGTERM ends this job alone
        raise
    if record is None:
        status = "interrupted" if isinstance(failures[-1], Lost) else "failed"
        sweep.write(replace(job, status=status, error=summary(failures[-1])))
        if status == "failed" and cfg.get("on_failure") == "stop":
            sweep.stop()
    else:
        sweep.write(_done(job, record))
    print(sweep.progress())


def _keys_to_sweep() -> list[str]:
    """The keys that the experiment would sweep over with -m, without those set on the command line."""
    typed_words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    given = {str(word).partition("=")[0] for word in cast("list[str]", typed_words)}
    return [str(key) for key in HydraConfig.get().sweeper.get("params") or {} if key not in given]


def _guarded(command: str, cfg: DictConfig, failures: list[Exception]) -> Any:
    """The command's result, or None after an error, which is printed and added to `failures`."""
    try:
        config, result = answer(typed(command, cfg))
        if result is None:
            with nullcontext() if this_job() else ending_at_signals():  # a sweep's table states how its jobs ended
                check(config)
                if command not in WITHOUT_LIGHTNING:
                    import_lightning()
                module = importlib.import_module(f"cnnlab.commands.{command}")
            result = module.run(config)
        sys.stdout.flush()
        return {} if result is None else result
    except BrokenPipeError:  # the reader of the output, such as `head`, is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # 128 + SIGPIPE, which Windows does not have
    except Exception as error:
        failures.append(error)
        if isinstance(error, UserError | OmegaConfBaseException):
            print(printable(f"error: {explain(error)}"), file=sys.stderr)
        else:
            traceback.print_exc()
        return None


def _done(job: Job, record: Mapping[str, Any]) -> Job:
    """The job with the figures of its run; commands other than `train` have none."""
    folder = record.get("folder", "")
    accuracies = (record.get("val/acc"), record.get("test/acc"))
    return replace(job, status="done", folder=folder, accuracies=accuracies, seconds=record.get("train_seconds"))


def _end_sweep(running: str = "lost") -> bool:
    """Print the table of the sweep, if one was started; return whether all of its jobs are done.

    Args:
        running: the status of jobs that have not ended.
    """
    sweep = CountJobs.current
    if sweep is None:
        return True
    if sweep.jobs():
        print(f"\n{sweep.end(running)}\n\ntable  {sweep.folder / 'table.txt'}")
    return sweep.is_complete()
