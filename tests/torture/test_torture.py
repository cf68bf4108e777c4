"""The torture test for a few seconds of each kind; tests/torture/torture.py runs for as long as one wants."""

import pytest

from tests.torture.torture import KINDS, torture


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_executed_or_answered_with_a_traceback(kind):
    _, failures = torture(seconds=15, seed=0, kinds=[kind])
    assert not failures
