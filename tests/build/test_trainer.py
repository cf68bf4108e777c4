"""The Trainer of a run."""

import lightning as L

from cnnlab.build.trainer import STEP_HOOKS, without_idle_hooks


class AtTheEndOfAStep(L.Callback):
    def __init__(self) -> None:
        self.calls = 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.calls += 1


class Inherited(AtTheEndOfAStep):
    def on_after_backward(self, trainer, pl_module):
        self.calls += 100


def test_only_the_hooks_of_a_step_that_a_callback_overrides_are_called():
    for kind, overridden in (
        (AtTheEndOfAStep, {"on_train_batch_end"}),
        (Inherited, {"on_train_batch_end", "on_after_backward"}),
    ):
        callback = without_idle_hooks(kind())
        assert {name for name in STEP_HOOKS if callable(getattr(callback, name))} == overridden
        assert callable(callback.on_train_epoch_end)
        assert callable(kind().on_before_backward)  # the class stays as it is


def test_lightning_has_the_hooks_of_a_step_by_these_names():
    assert all(callable(getattr(L.Callback, name)) for name in STEP_HOOKS)
