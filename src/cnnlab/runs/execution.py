"""A run whose folder is held, carried out: fit, test, record."""

import logging
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from typing import Any

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from cnnlab.build import objects as build
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.errors import Diverged, Lost, Terminated, UserError
from cnnlab.figures.curves import draw_curves
from cnnlab.machine.probes import peak_memory
from cnnlab.machine.setup import Machine
from cnnlab.reporting.records import flatten, is_identity
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.folder import Record, RunFolder
from cnnlab.runs.launch import Team
from cnnlab.runs.log import Log
from cnnlab.runs.run_id import of_processes
from cnnlab.runs.summary import facts_block, result_table
from cnnlab.training.callbacks import Checkpoints, History
from cnnlab.training.classifier import ImageClassifier


class Pruned(Exception):
    """What a callback raises after an epoch to end the run there, untested; its record then says so."""


class Run:
    """A run whose folder is held: fit, test, record; in each of its processes, of which the first one writes."""

    def __init__(
        self,
        cfg: DictConfig,
        machine: Machine,
        data: ImageDataModule,
        model: ImageClassifier,
        record: Record,
        folder: RunFolder,
        log: Log,
    ) -> None:
        self.cfg, self.machine, self.data, self.model = cfg, machine, data, model
        self.record, self.folder, self.log = record, folder, log
        self.history = History(folder.metrics)
        self.checkpoints = Checkpoints(folder.checkpoints, cfg.monitor if len(data.val) else None)

    def execute(self, team: Team, callbacks: Sequence[L.Callback] = ()) -> Record:
        """Train and test, here or in the processes of `team`; whatever happens, the record says it."""
        try:
            self._begin()
            self._mend()
            if team.size == 1:
                self.train_and_test(callbacks)
            else:
                team.lead(self._work())
                self.record = self.folder.read() or self.record
        except (KeyboardInterrupt, SystemExit) as end:  # Lightning turns the former into the latter
            self.folder.write(self.record | {"status": "interrupted"})
            self.log("interrupted; the same command goes on after the last whole epoch")
            if isinstance(end, Terminated | SIGTERMException):
                raise Terminated from None
            raise KeyboardInterrupt from None
        except BrokenPipeError:  # whoever read the output has gone, and the run with them
            self.folder.write(self.record | {"status": "interrupted"})
            raise
        except Lost as error:
            self.folder.write(self.record | {"status": "interrupted", "error": str(error)})
            raise
        except Diverged as error:  # what the configuration itself did: the same command would do it again
            self._record_error(error, "failed")
            raise
        except OSError as error:
            self._record_error(error, "interrupted")
            raise UserError(f"the run in {self.folder.path} cannot go on: {error}") from error
        except Exception as error:  # of the machine or the code, which may be another the next time
            self._record_error(error, "interrupted")
            raise
        return self.record

    def _begin(self) -> None:
        self.log.open(self.folder.log)
        (self.folder.path / "error.txt").unlink(missing_ok=True)  # of an earlier try
        self.log(facts_block(self.cfg, self.data, self.model, self.record, self.folder.path))
        OmegaConf.save(self.cfg, self.folder.path / "config.yaml")
        OmegaConf.save(OmegaConf.create(self.record["overrides"]), self.folder.path / "overrides.yaml")
        self.folder.write(self.record)

    def _mend(self) -> None:
        """Where a fault has damaged the last epoch's checkpoint, the best epoch's takes its place."""
        last, best = self.checkpoints.last_path, self.checkpoints.best_path
        if not last.exists():
            return
        try:
            read_checkpoint(last)
        except UserError as error:
            if not best.exists():
                raise
            read_checkpoint(best)
            self.log(f"warning: {error}; going on from the best epoch")
            shutil.copyfile(best, last)

    def _work(self) -> dict[str, Any]:
        """What each process of a team needs to know; what `auto` stands for is the same in all."""
        cfg = OmegaConf.to_container(self.cfg)
        assert isinstance(cfg, dict)
        machine = self.machine
        cfg["trainer"] |= {
            "accelerator": machine.accelerator, "precision": machine.precision, "threads": machine.threads,
        }  # fmt: skip
        return {"cfg": cfg, "record": self.record, "folder": str(self.folder.path.resolve())}

    def train_and_test(self, callbacks: Sequence[L.Callback] = ()) -> None:
        """All that the processes of a run do together; the first one completes the record."""
        with without_advice():
            trainer = build.trainer(self.cfg, self.machine, self.folder.path, self.history, self.checkpoints, self.log)
            trainer.callbacks.extend(callbacks)  # type: ignore[attr-defined]
            try:
                self._fit(trainer)
                if self.cfg.test:
                    self._test(trainer)
            except Pruned as reason:
                self._finish(trainer, "pruned")
                self.log(f"pruned after epoch {self.record['epochs']} of {trainer.max_epochs}: {reason}")
                return
            if trainer.is_global_zero:
                self._finish(trainer, "done")
                self.log(result_table(self.record, self.folder.path))

    def _fit(self, trainer: L.Trainer) -> None:
        """Train, after the last whole epoch where there is one; not at all where only the test was missing."""
        last = self.checkpoints.last_path if self.checkpoints.last_path.exists() else None
        for events in self.folder.path.glob("events.out.tfevents.*") if trainer.is_global_zero else ():
            events.unlink()  # the history writes all epochs anew, so that none is there twice
        saved = read_checkpoint(last)["callbacks"] if last else {}
        if last:
            for keeper in (self.history, self.checkpoints):
                keeper.load_state_dict(saved[keeper.state_key])
            self.log(f"resuming after epoch {len(self.history.rows)} of {trainer.max_epochs}")
        if self._is_trained(saved):
            self.history.log_all(trainer)
        else:
            trainer.fit(self.model, datamodule=self.data, ckpt_path=last, weights_only=True)

    def _is_trained(self, saved: dict[str, Any]) -> bool:
        """Whether the last checkpoint, with the callbacks' states `saved`, is that of the last epoch."""
        rows, max_steps = self.history.rows, self.cfg.trainer.max_steps
        stopped_early = any(state.get("stopped_epoch") for state in saved.values())
        steps_over = bool(rows) and max_steps is not None and (rows[-1]["step"] or 0) >= max_steps
        return len(rows) >= self.cfg.trainer.max_epochs or steps_over or stopped_early

    def _test(self, trainer: L.Trainer) -> None:
        """The test set's metrics with the best epoch's weights and the last's; once, if they are the same."""
        paths = {"last": self.checkpoints.last_path}
        if self.checkpoints.best_epoch not in (None, len(self.history.rows)):
            paths["best"] = self.checkpoints.best_path
        results: dict[str, dict[str, float]] = {}
        for which, path in paths.items():
            self.model.load_state_dict(read_checkpoint(path)["state_dict"])
            trainer.test(self.model, datamodule=self.data, verbose=False)
            results[which] = {name: float(value) for name, value in trainer.callback_metrics.items()}
        chosen = results.get("best", results["last"])
        self.record |= {name: chosen[name] for name in ("test/acc", "test/loss")}
        self.record["test/acc_last"] = results["last"]["test/acc"]

    def _finish(self, trainer: L.Trainer, status: str) -> None:
        rows, best_epoch = self.history.rows, self.checkpoints.best_epoch
        best = rows[(best_epoch or len(rows)) - 1]
        self.record |= {
            "status": status,
            "epochs": len(rows),
            "steps": rows[-1]["step"],
            "monitor": self.checkpoints.monitor,
            "best_epoch": best_epoch,
            "val/acc": best["val/acc"],
            "val/loss": best["val/loss"],
            "train_seconds": sum(row["seconds"] or 0 for row in rows),
            "epoch_seconds": median(row["seconds"] or 0 for row in rows),
            "images_per_second": median(row["images_per_second"] or 0 for row in rows),
            "peak_memory": peak_memory(self.machine.device),
        }
        self.folder.write(self.record)
        title = f"{self.cfg.name}, seed {self.cfg.seed}"
        self._try("the curves", lambda: draw_curves(rows, title, self.folder.figures / "curves.png"))
        self._try("TensorBoard's hyperparameters", lambda: _log_hyperparameters(trainer, self.cfg, self.record))

    def _try(self, what: str, write: Callable[[], object]) -> None:
        """Write what the record does not need; a failure is a warning."""
        try:
            write()
        except Exception as error:
            self.log(f"warning: {what} could not be written: {type(error).__name__}: {error}")

    def _record_error(self, error: Exception, status: str) -> None:
        message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):  # a full disk takes neither record nor log; the error itself still reaches the user
            (self.folder.path / "error.txt").write_text("".join(traceback.format_exception(error)))
            self.folder.write(self.record | {"status": status, "error": message})
            if self.checkpoints.last_path.exists():
                self.log(f"the last good checkpoint is {self.checkpoints.last_path}")


def _log_hyperparameters(trainer: L.Trainer, cfg: DictConfig, record: Record) -> None:
    """Once, with the final metrics, so that TensorBoard's HPARAMS tab compares runs by all that can change weights."""
    names = ("test/acc", "test/loss")
    metrics = {"val/acc_best": record["val/acc"], **{name: record.get(name) for name in names}}
    content = OmegaConf.to_container(cfg)
    assert isinstance(content, dict)
    parameters = {key: value for key, value in flatten(content).items() if is_identity(key) and value is not None}
    parameters |= {f"trainer.{key}": value for key, value in of_processes(cfg.trainer).items()}
    parameters |= {f"trainer.{key}": record[key] for key in ("precision", "threads")}  # what auto stands for
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            known = {name: value for name, value in metrics.items() if value is not None}
            logger.log_hyperparams(parameters | {"seed": cfg.seed}, known, step=record["steps"])
            logger.finalize("success")


@contextmanager
def without_advice() -> Iterator[None]:
    """Lightning's advice is off: the facts block and the errors say what matters here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield
