"""One process of several that train a run together: `runs/launch.py` starts it and gives it its part."""

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
from omegaconf import OmegaConf
from torch.distributed import DistError, TCPStore

from cnnlab.build import objects as build
from cnnlab.errors import Diverged, UserError
from cnnlab.machine.setup import prepare
from cnnlab.ops.swap import swap_convolutions
from cnnlab.runs.execution import Run
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.launch import report_failure
from cnnlab.runs.log import Log


def main() -> None:
    """Do the part that comes on the standard input, or report what hinders it."""
    part = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    store = TCPStore(part["host"], part["port"], is_master=False, wait_for_workers=False)
    try:
        _work(part, store)
        torch.distributed.destroy_process_group()
    except BaseException as error:
        with suppress(DistError):
            report_failure(store, _report(error, part["rank"]))
        os._exit(1)  # an orderly end might wait for processes that are waiting for this one


def _end_with_the_command() -> None:
    os.read(0, 1)  # the pipe from the command ends when the command does
    os._exit(1)


def _work(part: dict[str, Any], store: TCPStore) -> None:
    cfg = OmegaConf.create(part["cfg"])
    log, folder = Log(), RunFolder(Path(part["folder"]))
    if part["rank"] == 0:  # the others print to nowhere
        log.open(folder.log)
    machine = prepare(cfg.trainer)
    on_gpu = machine.device == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=store,
        rank=part["rank"],
        world_size=part["size"],
        device_id=torch.device("cuda", torch.cuda.current_device()) if on_gpu else None,
    )
    data = build.datamodule(cfg, log=lambda line: None)  # the command has told what is to be told
    model = build.classifier(cfg, data)
    swap_convolutions(model.net, cfg.conv)
    Run(cfg, machine, data, model, part["record"], folder, log).train_and_test([EndAtSigterm()])


class EndAtSigterm(L.Callback):
    """SIGTERM ends the process at once, as the command sees; Lightning would wait for peers that know nothing of it."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _report(error: BaseException, rank: int) -> dict[str, str]:
    cause = error.__cause__ or error
    if isinstance(cause, DistError) or "gloo/transport" in str(cause):  # where gloo raises a RuntimeError
        return {"kind": "lost", "message": f"a peer of rank {rank} has gone ({cause})"}
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
