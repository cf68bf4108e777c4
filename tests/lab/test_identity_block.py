"""A residual block with weights of 0 is the identity; without its shortcut, it erases its input."""

from tests.lab.findings import found


def test_the_block_approaches_the_identity_as_its_weights_approach_zero():
    values = list(found("identity_block").values["with shortcut"].values())
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0


def test_without_its_shortcut_nothing_remains():
    assert found("identity_block").values["without shortcut"]["0.0"] == 1
