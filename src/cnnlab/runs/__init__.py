"""One run, from its folder to its record, and `cnnlab.runs("logs")` for notebooks."""

import sys

from cnnlab.callable_package import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
