"""An update needs .data or no_grad, and only an nn.Parameter is listed."""

from tests.lab.findings import found


def test_the_bare_update_is_refused_in_the_first_round():
    values = found("parameters").values
    assert "leaf Variable that requires grad" in values["errors"]["in place"]
    assert len(values["losses"]["in place"]) == 1


def test_data_and_no_grad_learn_the_same():
    losses = found("parameters").values["losses"]
    assert losses[".data"] == losses["no_grad"]
    assert losses["no_grad"][-1] < losses["no_grad"][0] / 10


def test_a_plain_tensor_is_not_listed():
    assert found("parameters").values["listed"] == {"nn.Parameter": 1, "tensor": 0}
