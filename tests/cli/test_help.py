"""--help and the reference page are made from the schema."""

import pytest

from cnnlab.cli.help import WIDTH, commands_help, help_of, keys_of, reference
from cnnlab.config.schema import COMMANDS
from tests.conftest import REPOSITORY

REFERENCE = REPOSITORY / "docs" / "configuration.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal_and_lists_keys_with_their_values(command):
    text = help_of(command, [])
    assert max(map(len, text.splitlines())) <= WIDTH
    for key, _ in keys_of(COMMANDS[command]):
        chosen_only = key.startswith(("callbacks.", "logger.")) or key in ("model", "loss", "optimizer", "scheduler")
        assert chosen_only or f"{key}=" in text or key in ("augment", "learning_rates", "search"), key
    assert command in commands_help()


def test_help_shows_the_configuration_of_the_command_line():
    text = help_of("train", ["model=vgg16", "data=mnist", "trainer.max_epochs=3", "--help"])
    assert "trainer.max_epochs=3" in text
    assert "data.name=mnist" in text
    assert "  model.stem=auto" in text
    assert "also +optimizer.KEY=VALUE with dampening, maximize, " in text


def test_the_reference_page_is_that_of_the_schema():
    """After a change of the schema: python -m cnnlab reference > docs/configuration.md."""
    assert REFERENCE.read_text(encoding="utf-8") == reference() + "\n"
