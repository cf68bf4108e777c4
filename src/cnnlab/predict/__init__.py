"""From image files to predictions, and `cnnlab.predict(checkpoint, images)` for notebooks."""

import sys

from cnnlab.callable_package import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
