"""With its default recipe, each network is clearly above chance after 200 steps of 64 MNIST images."""

import lightning as L
import pytest

from cnnlab.build.objects import build_classifier, build_datamodule
from cnnlab.config.compose import compose
from cnnlab.machine.setup import keep_freed_memory, resolve_precision
from tests.models.networks import SMALL_IMAGES

THRESHOLD = 0.3  # chance is 0.1
# Other optimizers with their learning rates, and a variant that often fails to start learning.
OTHERS = [
    ("lenet5", ["model.activation=sigmoid"]),
    *[
        (model, [f"optimizer={optimizer}"])
        for model in ("alexnet", "nin", "vgg19", "googlenet", "plain20", "mobilenet_v2")
        for optimizer in ("adam", "adamw", "rmsprop")
    ],
]


def accuracy_after_200_steps(model: str, overrides: list[str]) -> float:
    """Train on MNIST and return the accuracy on 1,000 validation images."""
    cfg = compose(
        "train",
        [f"model={model}", "data=mnist", "data.download=false", "data.batch_size=64", "data.train_size=12800",
         "data.val_size=1000", "trainer.max_epochs=1", *overrides],
    )  # fmt: skip
    keep_freed_memory()
    data = build_datamodule(cfg)
    L.seed_everything(cfg.seed, verbose=False)
    trainer = L.Trainer(
        accelerator="cpu", devices=1, precision=resolve_precision("auto", "cpu"), max_epochs=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(build_classifier(cfg, data), datamodule=data)
    assert trainer.global_step == 200
    return float(trainer.callback_metrics["val/acc"])


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("model", SMALL_IMAGES)
def test_a_network_learns_with_its_default_recipe(model):
    assert accuracy_after_200_steps(model, []) > THRESHOLD


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("model", "overrides"), OTHERS, ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_a_network_learns_with_other_optimizers_and_options(model, overrides):
    assert accuracy_after_200_steps(model, overrides) > THRESHOLD
