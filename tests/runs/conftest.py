"""Fixtures for the tests of runs in several processes."""

import pytest

# 50 steps. 101 images in batches of 25 leave a last batch of one image, which only one of two processes can take.
FIFTY_STEPS = (
    "trainer.max_epochs=5", "data.limit=101", "data.batch_size=10", "data.eval_batch_size=25",
    "trainer.precision=32-true", "trainer.threads=1", "logger=none",
)  # fmt: skip


@pytest.fixture
def arguments(places):
    """Adds overrides to those of a run of 50 steps with its logs in `tmp_path`."""
    return lambda *overrides: [*FIFTY_STEPS, *places, *overrides]
