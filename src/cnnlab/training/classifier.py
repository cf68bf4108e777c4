"""The LightningModule that trains and evaluates any network as an image classifier."""

import math
from collections.abc import Callable
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from cnnlab.augment import Augmentation, BatchContext
from cnnlab.augment.views import logits_of_views
from cnnlab.data.datamodule import Batch, IndexedBatch
from cnnlab.data.splits import Stream, generator_for
from cnnlab.errors import Diverged
from cnnlab.models.protocols import HasAuxiliaryHeads, HasWhitening
from cnnlab.preprocessing import normalize
from cnnlab.training.param_groups import param_groups
from cnnlab.training.schedules import Plateau, Schedule


def mode_of(metric: str) -> Literal["min", "max"]:
    """Return whether lower or higher values of a metric are better."""
    return "min" if metric.endswith("loss") else "max"


def diverged(what: str, epoch: int, step: int) -> Diverged:
    """Return the error for `what` that is no longer finite in `epoch` (starting at 0), after `step` steps."""
    return Diverged(
        f"{what} is no longer finite in epoch {epoch + 1} after {step} steps; try a smaller optimizer.lr, a longer "
        "scheduler.warmup, trainer.gradient_clip_val=1, or trainer.precision=32-true"
    )


class ImageClassifier(L.LightningModule):
    """A network with its loss, optimizer, schedule, augmentation and metrics.

    Args:
        net: maps floats (N, C, H, W) to logits (N, num_classes). In training mode, a network with auxiliary heads
            (`models.protocols.HasAuxiliaryHeads`) may return a tuple of logits.
        loss: function of logits and of labels (N,) or targets (N, num_classes).
        optimizer: builds the optimizer from a list of parameter groups.
        schedule: factor of the learning rate as a function of progress.
        augmentation: maps a uint8 batch to the network's input and the loss's target.
        bias_lr_factor, bias_weight_decay: learning rate of the biases relative to the other parameters, and their
            weight decay.
        tta: views of each image over which logits are averaged in evaluation (`augment.views`).
        seed: determines, with epoch and step, all random numbers of training.
        max_steps: maximum number of training steps; None for no limit other than the epochs.
        compiled: compile the training pass with torch.compile. The state dict and evaluation do not change.
        monitor: metric for the schedule, if it is a Plateau.
        card: description of the network and its data for the checkpoint; plain values only.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        schedule: Schedule | Plateau,
        augmentation: Augmentation,
        bias_lr_factor: float = 1.0,
        bias_weight_decay: float = 0.0,
        tta: str = "none",
        seed: int = 0,
        max_steps: int | None = None,
        compiled: bool = False,
        monitor: str = "val/acc",
        card: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)
        self.loss = loss
        self.make_optimizer = optimizer
        self.schedule = schedule
        self.augmentation = augmentation
        self.bias_lr_factor, self.bias_weight_decay, self.tta = bias_lr_factor, bias_weight_decay, tta
        self.seed, self.max_steps, self.monitor, self.card = seed, max_steps, monitor, card or {}
        self._total_steps: int | None = None
        # Compile only the function: compiling the module would change the names in the state dict.
        self._training_pass: Callable[[Tensor], Any] | None = torch.compile(self.net.forward) if compiled else None
        # Batch norms and their momenta; torch.compile would compile anew for each momentum.
        norms = [] if compiled else [module for module in net.modules() if isinstance(module, _BatchNorm)]
        self._momenta = [(norm, norm.momentum) for norm in norms if norm.momentum is not None]
        # Not Lightning's: it would step after the epoch's checkpoint is saved, and a resumed run would miss the step.
        self.plateau: ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] | None = None
        self.eval_loss = MeanMetric()
        self.eval_acc = MulticlassAccuracy(augmentation.spec.num_classes, average="micro", validate_args=False)
        self.test_logits = torch.zeros(0, augmentation.spec.num_classes)  # of the images of the last test, in order
        self._logits: list[Tensor] = []
        # Sums over the epoch's training images: loss, correct predictions, images.
        self.register_buffer("sums", torch.zeros(3, dtype=torch.float64), persistent=False)
        self.sums: Tensor

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W)
        return self.net(x)  # (N, num_classes)

    def on_train_epoch_start(self) -> None:
        self.sums.zero_()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set what depends on the step alone, so that a resumed run continues with the same numbers."""
        self._set_momenta()
        self._freeze_whitening()
        self._seed()

    def _set_momenta(self) -> None:
        """Make the running statistics of batch norm the mean over the first steps, until their momentum forgets faster.

        With a fixed momentum, a run of a few steps would be evaluated with statistics that are mostly their initial
        values.
        """
        for norm, momentum in self._momenta:
            norm.momentum = max(momentum, 1 / (self.global_step + 1))

    def _freeze_whitening(self) -> None:
        """Freeze a whitening layer after `bias_until`; not with DDP, which expects the same gradients in all steps."""
        net = self.net
        if (
            isinstance(net, HasWhitening)
            and net.whitening_images
            and self.progress >= net.bias_until
            and self._processes == 1
        ):
            net.freeze_whitening()

    def _seed(self) -> None:
        """Seed the global generator, which dropout draws from; each process draws different numbers."""
        rank = (self.global_rank,) if self.global_rank else ()
        seed = generator_for(Stream.DROPOUT, self.seed, self.global_step, *rank).initial_seed()
        # On a CPU, torch.manual_seed has the same effect, but also records a stack trace for each missing accelerator.
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def augmented(self, batch: IndexedBatch, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Return the network's input and the loss's target for one training batch of the current epoch."""
        images, labels, indices = batch
        generator = generator_for(Stream.AUGMENTATION, self.seed, self.current_epoch, batch_idx)
        context = BatchContext(self.seed, self.current_epoch, indices, self.progress)
        with torch.autocast(images.device.type, enabled=False):  # the same augmentation in every precision
            return self.augmentation(images, labels, generator, context, self._part(len(labels)))

    def training_step(self, batch: IndexedBatch, batch_idx: int) -> Tensor:
        x, targets = self.augmented(batch, batch_idx)
        logits, loss = self.logits_and_loss(x, targets)
        # Reading the loss would synchronize with the GPU, so it is checked less often there.
        if (not loss.is_cuda or batch_idx % 20 == 0) and not math.isfinite(loss.item()):
            raise diverged("the training loss", self.current_epoch, self.global_step)
        with torch.no_grad():
            labels = targets if targets.ndim == 1 else targets.argmax(1)
            correct = (logits.argmax(1) == labels).sum()
            self.sums += torch.stack((loss.detach().double() * len(x), correct.double(), correct.new_full((), len(x))))
        return loss

    def _part(self, count: int) -> slice:
        """Return this process's slice of a batch of `count` images; all processes load the same batches."""
        rank, processes = self.global_rank, self._processes
        return slice(rank * count // processes, (rank + 1) * count // processes)

    @property
    def _processes(self) -> int:
        """Number of processes that share each batch; 1 without a Trainer."""
        return self._trainer.world_size if self._trainer else 1

    @torch.no_grad()
    def on_after_backward(self) -> None:
        """Average the running statistics of batch norm over the processes, which see different parts of the batch."""
        buffers = [buffer for buffer in self.net.buffers() if buffer.is_floating_point()]
        if self._processes == 1 or not buffers:
            return
        flat = self.trainer.strategy.reduce(torch.cat([buffer.flatten() for buffer in buffers]), reduce_op="mean")
        for buffer, mean in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(mean.view_as(buffer))

    def logits_and_loss(self, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, num_classes) and the loss, including the weighted losses of auxiliary heads.

        Raises:
            TypeError: the network returns a tuple and has no `auxiliary_weight`.
        """
        output = (self._training_pass or self.net)(x)
        logits, *auxiliary = (head.float() for head in (output if isinstance(output, tuple) else (output,)))
        loss = self.loss(logits, targets)
        if auxiliary and not isinstance(self.net, HasAuxiliaryHeads):
            raise TypeError(
                f"a network that returns a tuple needs auxiliary_weight, and {type(self.net).__name__} has none"
            )
        for head in auxiliary:
            loss = loss + self.net.auxiliary_weight * self.loss(head, targets)
        return logits, loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.max_steps is not None and self.global_step >= self.max_steps:
            self.trainer.should_stop = True  # unlike Lightning's max_steps, validates before it ends

    def on_train_epoch_end(self) -> None:
        loss, correct, count = self.trainer.strategy.reduce(self.sums, reduce_op="sum").tolist()
        self.log_dict({"train/loss": loss / count, "train/acc": correct / count}, logger=False)
        if self.plateau is not None:
            self.plateau.step(float(self.trainer.callback_metrics[self.monitor]))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._logits.append(self._evaluate(batch))

    def _evaluate(self, batch: Batch) -> Tensor:
        """Update the metrics with this process's part of a batch; return its logits, and zeros for the others."""
        part = self._part(len(batch[1]))
        images, labels = batch[0][part], batch[1][part]
        all_logits = torch.zeros(len(batch[1]), self.augmentation.spec.num_classes, device=self.device)
        if len(labels):  # there may be fewer images than processes
            logits = logits_of_views(self.net, normalize(images, self.augmentation.spec), self.tta)
            self.eval_loss.update(self.loss(logits, labels), weight=len(labels))
            self.eval_acc.update(logits, labels)
            all_logits[part] = logits
        return all_logits

    def _log_evaluation(self, stage: str) -> None:
        metrics = {f"{stage}/loss": self.eval_loss.compute(), f"{stage}/acc": self.eval_acc.compute()}
        self.log_dict(metrics, logger=False)
        self.eval_loss.reset()
        self.eval_acc.reset()

    def on_validation_epoch_end(self) -> None:
        self._log_evaluation("val")

    def on_test_epoch_start(self) -> None:
        self._logits = []

    def on_test_epoch_end(self) -> None:
        self._log_evaluation("test")
        logits = torch.cat(self._logits)
        if self._processes > 1:
            logits = self.trainer.strategy.reduce(logits, reduce_op="sum")
        self.test_logits, self._logits = logits.cpu(), []

    @property
    def progress(self) -> float:
        """The progress of the run at the middle of the current step, in [0, 1]; 1 without a Trainer."""
        return min(1.0, (self.global_step + 0.5) / self.total_steps()) if self._trainer else 1.0

    def total_steps(self) -> int:
        """Return the number of optimizer steps of the complete run."""
        if self._total_steps is None:
            steps = int(self.trainer.estimated_stepping_batches)
            self._total_steps = steps if self.max_steps is None else min(steps, self.max_steps)
        return self._total_steps

    def new_optimizer(self) -> Optimizer:
        """Build the optimizer of the network's parameters, with the learning rates before the schedule."""
        optimizer = self.make_optimizer(param_groups(self.net, self.bias_lr_factor, self.bias_weight_decay))
        for group in optimizer.param_groups:
            group["lr"] *= group.pop("lr_factor", 1.0)
        return optimizer

    def configure_optimizers(self) -> Any:
        optimizer = self.new_optimizer()
        schedule = self.schedule
        if isinstance(schedule, Plateau):
            mode = mode_of(self.monitor)
            self.plateau = ReduceLROnPlateau(optimizer, mode, factor=schedule.factor, patience=schedule.patience)
            if self._plateau_state:
                self.plateau.load_state_dict(self._plateau_state)
            return optimizer
        total = self.total_steps()
        scheduler = LambdaLR(optimizer, lambda step: schedule(min(1.0, (step + 0.5) / total)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["cnnlab"] = self.card
        if self.plateau is not None:
            checkpoint["plateau"] = self.plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._plateau_state = checkpoint.get("plateau")
