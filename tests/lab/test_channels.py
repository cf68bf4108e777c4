"""Multiple channels, by hand and by code."""

import torch

from tests.lab.findings import found


def test_results_by_hand_and_by_code_equal_the_textbook():
    expected = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]
    values = found("channels").values
    assert values["by hand"] == expected
    assert values["by code"] == expected


def test_a_1x1_convolution_is_a_fully_connected_layer_over_channels():
    values = found("channels").values
    assert values["pointwise"] == values["connected"]
    assert torch.tensor(values["pointwise"]).shape == (2, 4, 5)
    assert torch.tensor(values["pointwise"]).unique().numel() > 10


def test_the_text_writes_out_the_sums():
    assert "0*0 + 1*1 + 3*2 + 4*3  +  1*1 + 2*2 + 4*3 + 5*4  =  56" in found("channels").text
