"""The first thing that a command runs, so that a signal during the imports ends it without a traceback."""

from cnnlab.cli.signals import ending_at_signals


def main(command: str) -> None:
    """Run `command` with the arguments of this process; see `cnnlab.cli.main`."""
    with ending_at_signals():
        from cnnlab.cli.main import main as run
    run(command)


def script() -> None:
    """`cnnlab COMMAND ARGUMENTS`, the installed program."""
    with ending_at_signals():
        from cnnlab.cli.main import script as run
    run()
