"""`python -m cnnlab COMMAND` is the installed program `cnnlab COMMAND`."""

from cnnlab.cli.start import script

script()
