"""Every item of the study notes has a command that composes, or a page."""

import shlex

import pytest

from cnnlab.config.compose import compose
from tests.conftest import REPOSITORY
from tests.notes import items, page

WHERE = sorted({where for rows in items().values() for _, where in rows.values()})


def test_every_item_is_listed_once():
    numbers = [n for rows in items().values() for n in rows]
    assert sorted(numbers) == [n for n in range(1, 135) if n not in (121, 122)]


def test_the_page_is_that_of_the_list():
    assert (REPOSITORY / "docs" / "notes.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("where", WHERE)
def test_every_command_composes_and_every_page_is_there(where):
    if not where.startswith("python "):
        assert (REPOSITORY / where).is_file()
        return
    _, script, *words = shlex.split(where)
    assert (REPOSITORY / script).is_file()
    compose(script.removeprefix("src/").removesuffix(".py"), [word for word in words if word != "-m"])
