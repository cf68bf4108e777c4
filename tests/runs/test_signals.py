"""Signals that end a run, and two processes in one run folder: no complete epoch or run is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning as L
import pytest

from cnnlab.config.compose import compose
from cnnlab.runs.run import train
from tests.conftest import REPOSITORY

LONG = ("trainer.threads=1", "logger=none", "trainer.max_epochs=20", "data.limit=128")


class TrainingProcess:
    """A process of `python src/train.py ARGUMENTS` that has completed its first epoch."""

    def __init__(self, logs, data_root, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "src/train.py", *arguments, f"log_dir={logs}"],
            cwd=REPOSITORY, env=os.environ | {"CNNLAB_DATA": str(data_root)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert any(line.startswith("epoch  1/") for line in self.process.stdout)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send the signal; returns the exit status and the rest of the output and the errors."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=100)
        return self.process.returncode, out, err


def statuses(logs: Path) -> list[str]:
    return [json.loads(path.read_text())["status"] for path in logs.glob("*/*/result.json")]


def test_sigterm_keeps_the_last_epoch_and_the_same_command_resumes(tmp_path, data_root, capsys):
    status, out, err = TrainingProcess(tmp_path / "logs", data_root, *LONG).end(signal.SIGTERM)
    assert status == 143
    assert out.endswith("interrupted; run the same command again to resume after the last completed epoch\n")
    assert err == "ended by SIGTERM\n"
    assert statuses(tmp_path / "logs") == ["interrupted"]
    train(compose("train", [*LONG, f"log_dir={tmp_path / 'logs'}", f"data.root={data_root}"]))
    assert re.search(r"^resuming after epoch \d+ of 20$", capsys.readouterr().out, re.MULTILINE)
    assert statuses(tmp_path / "logs") == ["done"]


BEFORE_AND_AFTER_TRAINING = {"before": "cnnlab.build.objects.build_datamodule", "after": "cnnlab.runs.run.Run._finish"}


@pytest.mark.slow
@pytest.mark.parametrize("context", BEFORE_AND_AFTER_TRAINING)
def test_sigterm_before_or_after_training_ends_with_status_143(context, command, tmp_path):
    place, _, name = BEFORE_AND_AFTER_TRAINING[context].rpartition(".")
    script = (
        "import os, runpy, signal, sys; from pydoc import locate; sys.path.insert(0, 'src')\n"
        "import cnnlab.runs.run\n"
        f"setattr(locate({place!r}), {name!r}, lambda *_: os.kill(os.getpid(), signal.SIGTERM))\n"
        "runpy.run_path('src/train.py', run_name='__main__')"
    )
    done = command("-c", script, "trainer=smoke", "logger=none")
    assert done.returncode == 143
    assert done.stderr == "ended by SIGTERM\n"
    assert statuses(tmp_path / "logs") == ["interrupted"] * (context == "after")


@pytest.mark.slow
def test_a_second_process_in_a_run_folder_is_refused_and_the_first_continues(command, tmp_path, data_root):
    first = TrainingProcess(tmp_path / "logs", data_root, *LONG)
    first.process.send_signal(signal.SIGSTOP)  # so that it does not finish before the second one starts
    second = command("src/train.py", *LONG, "fresh=true")
    first.process.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert re.fullmatch(r"error: another process is training in .*; wait for it, or stop it first\n", second.stderr)
    out, err = first.process.communicate(timeout=100)
    assert first.process.returncode == 0, err
    assert "epoch 20/20" in out
    assert statuses(tmp_path / "logs") == ["done"]


DURING_IMPORTS = ("hydra", "pydantic", "cnnlab.cli.main", "torch", "lightning", "cnnlab.runs.run")


@pytest.mark.parametrize(
    "module", [name if i < 3 else pytest.param(name, marks=pytest.mark.slow) for i, name in enumerate(DURING_IMPORTS)]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_imports_ends_the_command_without_a_traceback(module, number, command, tmp_path):
    script = (
        "import os, runpy, sys; sys.path.insert(0, 'src')\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "runpy.run_path('src/train.py', run_name='__main__')"
    )
    done = command("-c", script, "trainer=smoke", "logger=none")
    assert done.returncode == 128 + number
    assert done.stderr in ("", "ended by SIGTERM\n")
    assert not list(tmp_path.iterdir())


def test_the_time_in_which_a_process_is_stopped_is_not_training_time(configure):
    """The process is stopped by SIGSTOP within a step, and continued after two seconds."""

    class Stop(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if batch_idx == 1:
                with subprocess.Popen(["sh", "-c", f"sleep 2; kill -CONT {os.getpid()}"]):
                    os.kill(os.getpid(), signal.SIGSTOP)

    before = time.perf_counter()
    record = train(configure("trainer.max_epochs=1", "data.limit=128", "logger=none", "fresh=true"), Stop())
    assert time.perf_counter() - before > 2
    assert record["train_seconds"] < 2
    assert signal.getsignal(signal.SIGCONT) is signal.SIG_DFL
