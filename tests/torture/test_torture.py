"""The torture test for a few seconds of each kind; tests/torture/torture.py runs for as long as one wants."""

import pytest

from tests.conftest import REPOSITORY
from tests.torture.torture import KINDS, counts_in, page, table, torture


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_executed_or_answered_with_a_traceback(kind):
    counts, failures = torture(seconds=15, seed=0, kinds=[kind])
    assert not failures
    assert counts[kind].total() > 0


def test_the_published_page_is_what_the_program_writes():
    published = (REPOSITORY / "docs" / "torture.md").read_text(encoding="utf-8")
    counts = counts_in(published)
    head, command, _ = page(counts, 0, 0).split("`", 2)
    assert published.startswith(f"{head}`{command.partition(' 0')[0]} ")
    assert published.endswith(f":\n\n{table(counts)}\n")
    assert list(counts) == list(KINDS)
