"""One run, from its configuration to its record: open or resume the folder, build, fit, test, record."""

import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from statistics import median
from typing import Any

import lightning as L
from lightning.pytorch.utilities.exceptions import SIGTERMException

from cnnlab.build.objects import Parts, build_parts
from cnnlab.build.trainer import build_trainer, without_lightnings_advice
from cnnlab.config.folders import SOURCE
from cnnlab.config.schema import TrainConfig
from cnnlab.errors import Diverged, Lost, Terminated, UserError
from cnnlab.machine.probes import peak_memory
from cnnlab.machine.setup import resolve_precision
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.complete import folder_of, is_complete, made_with, report_complete
from cnnlab.runs.folder import Record, RunFolder
from cnnlab.runs.git import git_state
from cnnlab.runs.hyperparameters import log_charts, log_hyperparameters
from cnnlab.runs.launch import Processes
from cnnlab.runs.log import Log
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.record import new_record
from cnnlab.runs.run_figures import RunFigures
from cnnlab.runs.summary import facts_block, result_table
from cnnlab.training.callbacks import Checkpoints, History, NetworkGraph, Recorder


class Pruned(Exception):
    """Raised by a callback after an epoch to end the run there, untested; the record then has the status pruned."""


def train(cfg: TrainConfig, *callbacks: L.Callback) -> Record:
    """Train, test and record the run that `cfg` describes, or report its record if it is already complete.

    Args:
        callbacks: called after those of `cfg`, in a run of one process; they must not change the weights.

    Raises:
        UserError: the configuration, the data, the machine or the folder does not allow it.
    """
    with Processes(cfg.trainer.devices, cfg.trainer.num_nodes) as processes:
        if processes.node > 0:
            processes.join()
            return {}
        log = Log()
        parts = build_parts(cfg, processes.size, log)
        processes.check(parts.data.batch_size, parts.machine.device)
        folder = folder_of(cfg, parts.data.dataset.fingerprint)
        with folder.hold(log):
            record = _open(cfg, parts, folder, log)
            if is_complete(record, cfg):
                return record
            return Run(cfg, parts, record, folder, log).execute(processes, callbacks)


def _open(cfg: TrainConfig, parts: Parts, folder: RunFolder, log: Log) -> Record:
    """The record of the complete run in `folder`, or a new one for the run to start or resume there.

    Raises:
        UserError: the run failed before, and neither `retry` nor `fresh` is set.
    """
    if cfg.fresh:
        folder.empty()
    earlier, git = folder.read(), git_state(SOURCE)
    if earlier is None:
        return new_record(cfg, parts, folder.run_id) | git | {"earlier_commits": []}
    if is_complete(earlier, cfg):
        report_complete(earlier, folder, git, log)
        return earlier
    if earlier["status"] == "failed" and not cfg.retry:
        raise UserError(
            f"this run failed before: {earlier['error']}\nuse retry=true to continue from its last checkpoint, or "
            f"fresh=true to start again; its folder is {folder.path}"
        )
    log(f"this run was started before{made_with(earlier, git)}")
    precision = earlier["precision"]  # a run stays in the precision in which it started, wherever it is resumed
    parts.machine = replace(parts.machine, precision=resolve_precision(precision, parts.machine.device))
    commits = [*earlier["earlier_commits"], earlier["git_commit"]]
    return new_record(cfg, parts, folder.run_id) | git | {"earlier_commits": commits}


class Run:
    """A run whose folder is held: fit, test, record. Each of its processes has one; the first process writes."""

    def __init__(self, cfg: TrainConfig, parts: Parts, record: Record, folder: RunFolder, log: Log) -> None:
        self.cfg, self.parts, self.record, self.folder, self.log = cfg, parts, record, folder, log
        self.history = History(folder.metrics)
        self.predictions: Predictions | None = None
        self.checkpoints = Checkpoints(folder.checkpoints, cfg.monitor if len(parts.data.val) else None)

    def execute(self, processes: Processes, callbacks: Sequence[L.Callback] = ()) -> Record:
        """Train and test, in this process or in `processes`; the record states how the run ended, however it ends."""
        with self._record_the_end():
            self._begin()
            self._repair_last_checkpoint()
            if processes.size == 1:
                self.fit_and_test(callbacks)
            else:
                processes.run(self._work())
                self.record = self.folder.read() or self.record
        return self.record

    @contextmanager
    def _record_the_end(self) -> Iterator[None]:
        """Only what the configuration itself did is a failure; the same command resumes after everything else."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as end:  # Lightning turns the former into the latter
            self.folder.write(self.record | {"status": "interrupted"})
            self.log("interrupted; run the same command again to resume after the last completed epoch")
            if isinstance(end, Terminated | SIGTERMException):
                raise Terminated from None
            raise KeyboardInterrupt from None
        except BrokenPipeError:  # the reader of the output is gone
            self.folder.write(self.record | {"status": "interrupted"})
            raise
        except Lost as error:
            self.folder.write(self.record | {"status": "interrupted", "error": str(error)})
            raise
        except Diverged as error:  # the same command would diverge again
            self._record_error(error, "failed")
            raise
        except OSError as error:
            self._record_error(error, "interrupted")
            raise UserError(f"the run in {self.folder.path} cannot continue: {error}") from error
        except Exception as error:
            self._record_error(error, "interrupted")
            raise

    def _record_error(self, error: Exception, status: str) -> None:
        message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):  # on a full disk neither record nor log can be written; the user still sees the error
            trace = "".join(traceback.format_exception(error))
            (self.folder.path / "error.txt").write_text(trace, encoding="utf-8")
            self.folder.write(self.record | {"status": status, "error": message})
            if self.checkpoints.last_path.exists():
                self.log(f"the last good checkpoint is {self.checkpoints.last_path}")

    def _begin(self) -> None:
        self.log.open(self.folder.log)
        (self.folder.path / "error.txt").unlink(missing_ok=True)  # of an earlier attempt
        self.log(facts_block(self.cfg, self.parts, self.record, self.folder.path))
        self.folder.write_yaml("config.yaml", self.cfg.model_dump())
        self.folder.write_yaml("overrides.yaml", self.record["overrides"])
        self.folder.write(self.record)

    def _repair_last_checkpoint(self) -> None:
        """Replace a damaged last checkpoint by that of the best epoch."""
        last, best = self.checkpoints.last_path, self.checkpoints.best_path
        if not last.exists():
            return
        try:
            read_checkpoint(last)
        except UserError as error:
            if not best.exists():
                raise
            read_checkpoint(best)
            self.log(f"warning: {error}; resuming from the best epoch")
            shutil.copyfile(best, last)

    def _work(self) -> dict[str, Any]:
        """What each of several processes needs, as plain values; `auto` means the same in all of them."""
        cfg, machine = self.cfg.model_dump(), self.parts.machine
        cfg["trainer"] |= {
            "accelerator": machine.accelerator, "precision": machine.precision, "threads": machine.threads,
        }  # fmt: skip
        return {"cfg": cfg, "record": self.record, "folder": str(self.folder.path.resolve())}

    def fit_and_test(self, callbacks: Sequence[L.Callback] = ()) -> None:
        """What the processes of a run do together; the first one completes the record."""
        with without_lightnings_advice():
            trainer = build_trainer(
                self.cfg, self.parts.machine, self.folder.path, self.history, self.checkpoints, self.log
            )
            trainer.callbacks.extend(callbacks)  # type: ignore[attr-defined]
            try:
                self._fit(trainer)
                if self.cfg.test:
                    self._test(trainer)
                elif len(self.parts.data.val):
                    self._predict_validation(trainer)
            except Pruned as reason:
                self._finish(trainer, "pruned")
                self.log(f"pruned after epoch {self.record['epochs']} of {trainer.max_epochs}: {reason}")
                return
            if trainer.is_global_zero:
                self._finish(trainer, "done")
                self.log(result_table(self.record, self.folder.path))

    def _fit(self, trainer: L.Trainer) -> None:
        """Train from the start, or from the last completed epoch; not at all if only the test is missing."""
        last = self.checkpoints.last_path if self.checkpoints.last_path.exists() else None
        for events in self.folder.path.glob("events.out.tfevents.*") if trainer.is_global_zero else ():
            events.unlink()  # the history writes all epochs again, each exactly once
        saved = read_checkpoint(last)["callbacks"] if last else {}
        if trainer.is_global_zero:
            self._try("TensorBoard's charts", lambda: log_charts(trainer))
            self._figures(trainer).before(self.parts.data, self.parts.model)
        if last:
            for callback in (self.history, self.checkpoints, *recorders(trainer)):
                if callback.state_key in saved:  # older versions had no recorders
                    callback.load_state_dict(saved[callback.state_key])
            self.log(f"resuming after epoch {len(self.history.rows)} of {trainer.max_epochs}")
        if self._is_trained(saved):
            self.history.log_all(trainer)
            for recorder in recorders(trainer):
                recorder.log_all(trainer)
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, NetworkGraph):
                    callback.write(trainer, self.parts.model, self.parts.data.train_dataloader())
        else:
            trainer.fit(self.parts.model, datamodule=self.parts.data, ckpt_path=last, weights_only=True)

    def _is_trained(self, saved: dict[str, Any]) -> bool:
        """Whether training ended with the last checkpoint, in which the callbacks have the states `saved`."""
        rows, max_steps = self.history.rows, self.cfg.trainer.max_steps
        stopped_early = any(state.get("stopped_epoch") for state in saved.values())
        reached_max_steps = bool(rows) and max_steps is not None and (rows[-1]["step"] or 0) >= max_steps
        return len(rows) >= self.cfg.trainer.max_epochs or reached_max_steps or stopped_early

    def _test(self, trainer: L.Trainer) -> None:
        """Test the best epoch's weights and the last ones; once, if they are the same."""
        paths = {"last": self.checkpoints.last_path}  # the chosen weights are tested last
        if self.checkpoints.best_epoch not in (None, len(self.history.rows)):
            paths["best"] = self.checkpoints.best_path
        results: dict[str, dict[str, float]] = {}
        for which, path in paths.items():
            self.parts.model.load_state_dict(read_checkpoint(path)["state_dict"])
            trainer.test(self.parts.model, datamodule=self.parts.data, verbose=False)
            results[which] = {name: float(value) for name, value in trainer.callback_metrics.items()}
            logits = self.parts.model.test_logits
        chosen = results.get("best", results["last"])
        self.predictions = Predictions.of(
            "test", self.parts.data.test, logits
        )  # of the chosen weights, the last tested
        self.record |= {name: chosen[name] for name in ("test/acc", "test/loss")}
        self.record["test/acc_last"] = results["last"]["test/acc"]

    def _predict_validation(self, trainer: L.Trainer) -> None:
        """Predict the validation images of a run without a test, with the weights that are its result."""
        best = self.checkpoints.best_path if self.checkpoints.best_epoch is not None else self.checkpoints.last_path
        self.parts.model.load_state_dict(read_checkpoint(best)["state_dict"])
        data = self.parts.data
        trainer.test(self.parts.model, dataloaders=data.eval_dataloader(data.val), verbose=False)
        self.predictions = Predictions.of("val", data.val, self.parts.model.test_logits)

    def _finish(self, trainer: L.Trainer, status: str) -> None:
        """Complete the record; then write what it does not depend on."""
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
            "peak_memory": peak_memory(self.parts.machine.device),
        }
        if (found := self.predictions) is not None:
            self._try("the predictions", lambda: found.save(self.folder.predictions))
        self.folder.write(self.record)
        figures = self._figures(trainer)
        figures.after(rows, best_epoch, recorders(trainer))
        if found is not None:
            figures.predictions(found, self.parts.data)
        self._try("TensorBoard's hyperparameters", lambda: log_hyperparameters(trainer, self.cfg, self.record))

    def _figures(self, trainer: L.Trainer) -> RunFigures:
        return RunFigures(self.cfg, self.folder.figures, trainer, self._try)

    def _try(self, what: str, write: Callable[[], object]) -> None:
        """A failure to write `what` is a warning, and costs no record."""
        try:
            write()
        except Exception as error:
            self.log(f"warning: {what} could not be written: {type(error).__name__}: {error}")


def recorders(trainer: L.Trainer) -> list[Recorder]:
    """The callbacks of `trainer` with records for figures."""
    return [callback for callback in trainer.callbacks if isinstance(callback, Recorder)]  # type: ignore[attr-defined]
