"""Objects of a run: values that no network accepts are reported with their configuration key."""

import pytest

from cnnlab.build.objects import build_parts
from cnnlab.errors import UserError


def test_an_unknown_convolution_method_is_reported_with_its_key(configure):
    with pytest.raises(UserError, match=r"conv: method must be one of \['auto', 'torch', .*, got 'magic'"):
        build_parts(configure("conv=magic", "data.limit=64"))
