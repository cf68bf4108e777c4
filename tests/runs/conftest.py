"""What the tests of runs in several processes share."""

import pytest

# 101 images in batches of 25 leave one, which only one of two processes can have; 50 steps.
FIFTY_STEPS = (
    "trainer.max_epochs=5", "data.limit=101", "data.batch_size=10", "data.eval_batch_size=25",
    "trainer.precision=32-true", "trainer.threads=1", "logger=none",
)  # fmt: skip


@pytest.fixture
def arguments(places):
    """Overrides of runs with their logs in `tmp_path`."""
    return lambda *overrides: [*FIFTY_STEPS, *places, *overrides]
