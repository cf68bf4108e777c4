"""One of several processes that train a run together: `runs/launch.py` starts it and sends it its work."""

import json
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch.distributed import DistError, TCPStore

from cnnlab.build.objects import build_parts
from cnnlab.config.schema import TrainConfig
from cnnlab.errors import Diverged, UserError
from cnnlab.machine.setup import prepare
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.launch import report_failure
from cnnlab.runs.log import Log
from cnnlab.runs.run import Run


def main() -> None:
    """Do the work that arrives on standard input, or report what prevents it."""
    work = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    store = TCPStore(work["host"], work["port"], is_master=False, wait_for_workers=False)
    try:
        _work(work, store)
        torch.distributed.destroy_process_group()
    except BaseException as error:
        with suppress(DistError):
            report_failure(store, _report(error, work["rank"]))
        os._exit(1)  # an orderly exit might wait for processes that wait for this one


def _end_with_the_command() -> None:
    os.read(0, 1)  # the pipe from the command closes when the command ends
    os._exit(1)


def _work(work: dict[str, Any], store: TCPStore) -> None:
    cfg = TrainConfig.model_validate(work["cfg"])
    log, folder = Log(), RunFolder(Path(work["folder"]))
    if work["rank"] == 0:  # the output of the others is discarded
        log.open(folder.log)
    on_gpu = prepare(cfg.trainer).device == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=store,
        rank=work["rank"],
        world_size=work["size"],
        device_id=torch.device("cuda", torch.cuda.current_device()) if on_gpu else None,
    )
    parts = build_parts(cfg, work["size"], log=lambda line: None)  # the command has printed these lines
    Run(cfg, parts, work["record"], folder, log).fit_and_test([EndAtSigterm()])


class EndAtSigterm(L.Callback):
    """SIGTERM ends the process immediately, as the command notices; Lightning would wait for peers without it."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _report(error: BaseException, rank: int) -> dict[str, str]:
    cause = error.__cause__ or error
    if isinstance(cause, DistError) or "gloo/transport" in str(cause):  # gloo raises a RuntimeError
        return {"kind": "lost", "message": f"a peer of rank {rank} is gone ({cause})"}
    if isinstance(error, BrokenPipeError):
        return {"kind": "pipe", "message": str(error)}
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, UserError):
        kind = "diverged" if isinstance(error, Diverged) else "user"
        return {"kind": kind, "message": str(error), "traceback": trace}
    if isinstance(error, OSError):
        return {"kind": "os", "message": str(error), "traceback": trace}
    message = f"the process of rank {rank} failed: {type(error).__name__}: {error}; its traceback is in error.txt"
    return {"kind": "user", "message": message, "traceback": trace}


if __name__ == "__main__":
    main()
