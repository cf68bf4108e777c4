"""Objects of a run: values that no network accepts are reported with their configuration key."""

import pytest

from cnnlab.build.objects import choose_convolutions
from cnnlab.errors import UserError
from cnnlab.models import lenet5


def test_an_unknown_convolution_method_is_reported_with_its_key():
    with pytest.raises(UserError, match=r"conv: method must be one of \['auto', 'torch', .*, got 'magic'"):
        choose_convolutions(lenet5(in_channels=1, num_classes=10, image_size=28), "magic")
