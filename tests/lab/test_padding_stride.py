"""Output sizes by padding and stride."""

from cnnlab.lab import padding_stride
from tests.lab.findings import found


def size_of(kernel: int, stride: int, padding: int) -> int:
    (row,) = (
        row
        for row in found("padding_stride").values["sizes"]
        if (row["kernel"], row["stride"], row["padding"]) == (kernel, stride, padding)
    )
    return row["size"]


def test_8x8_becomes_4x4_with_suitable_padding_and_stride():
    assert size_of(kernel=3, stride=2, padding=1) == 4
    assert size_of(kernel=5, stride=1, padding=0) == 4
    assert size_of(kernel=2, stride=2, padding=0) == 4


def test_each_size_is_the_number_of_windows_that_fit():
    for row in found("padding_stride").values["sizes"]:
        last = 8 + 2 * row["padding"] - row["kernel"]
        assert row["size"] == len(range(0, last + 1, row["stride"]))


def test_both_formulas_equal_the_measured_sizes():
    assert found("padding_stride").values["formulas agree"]


def test_valid_same_and_full_padding_give_6_8_and_10():
    assert found("padding_stride").values["words"] == {"valid": 6, "same": 8, "full": 10}


def test_strides_of_3_down_and_2_across_give_the_textbook_result():
    assert found("padding_stride").values["uneven"] == [[0, 8], [6, 8]]


def test_the_simplified_formula_for_padding_of_all_but_one_pixel_of_the_kernel():
    assert found("padding_stride").values["p = k - 1 agrees"]
    assert [padding_stride.with_all_padding(8, stride) for stride in (1, 2, 3)] == [8, 4, 3]
