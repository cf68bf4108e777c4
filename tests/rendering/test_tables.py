"""Traces as text, Markdown, CSV and JSON."""

import csv
import io
import json

import pytest
from torch import nn

from cnnlab.analysis.trace import trace
from cnnlab.analysis.trace_records import record_of, records_of, total_of
from cnnlab.errors import UserError
from cnnlab.rendering.numbers import memory_text, rounded
from cnnlab.rendering.printable import printable
from cnnlab.rendering.tables import aligned, render
from tests.analysis.subjects import subject
from tests.models.networks import marked

LENET5 = """\
name     kind            output    weights  biases     MACs  pool+norm  memory, KiB        field  jump  start
─────────────────────────────────────────────────────────────────────────────────────────────────────────────
c1       conv 5x5        6x28x28       150       6  117,600                    18.4            5     1    0.5
tanh     tanh            6x28x28                                               18.4            5     1    0.5
s2       avg pool 2x2/2  6x14x14                                 4,704          4.6            6     2    1.0
c3       conv 5x5        16x10x10    2,400      16  240,000                     6.2           14     2    5.0
tanh_2   tanh            16x10x10                                               6.2           14     2    5.0
s4       avg pool 2x2/2  16x5x5                                  1,600          1.6           16     4    6.0
flatten  flatten         400                                                                  16     4    6.0
c5       linear          120        48,000     120   48,000                     0.5  whole image
tanh_3   tanh            120                                                    0.5  whole image
f6       linear          84         10,080      84   10,080                     0.3  whole image
tanh_4   tanh            84                                                     0.3  whole image
output   linear          10            840      10      840                     0.0  whole image
─────────────────────────────────────────────────────────────────────────────────────────────────────────────
total    12 rows                    61,470     236  416,520      6,304         57.0"""


def rendered(form: str, model: str = "lenet5") -> str:
    records = records_of(subject(model).trace)
    return render(records, form, total=total_of(records), facts={"network": model})


def test_the_table_of_lenet5():
    assert rendered("table") == LENET5


def test_markdown_has_one_row_per_record_and_aligns_numbers():
    lines = rendered("markdown").splitlines()
    assert len(lines) == 2 + 12 + 1
    assert {line.count("|") for line in lines} == {12}
    assert lines[1].split("|")[1].strip() == ":--"
    assert lines[1].split("|")[4].strip() == "--:"
    assert lines[2].startswith("| c1 | conv 5x5 | 6x28x28 | 150 | 6 | 117,600 |")


def test_csv_and_json_contain_plain_numbers():
    records = records_of(subject("lenet5").trace)
    read = list(csv.DictReader(io.StringIO(render(records, "csv"))))
    assert [int(row["macs"]) for row in read] == [record["macs"] for record in records]
    content = json.loads(rendered("json"))
    assert content["network"] == "lenet5"
    assert content["rows"] == records
    assert content["total"]["weights"] == 61_470


@pytest.mark.parametrize("model", marked())
def test_every_networks_table_fits_the_terminal(model):
    lines = rendered("table", model).splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) == len(subject(model).trace.rows) + 4


def test_large_numbers_are_rounded_to_four_digits():
    numbers = (0, 999, 9_999, 10_000, 123_456, 999_999, 1_000_000, 15_470_264_320)
    texts = ["0", "999", "9,999", "10.00 k", "123.5 k", "1000 k", "1.000 M", "15.47 G"]
    assert [rounded(number) for number in numbers] == texts
    assert (memory_text(3 * 2**20), memory_text(3 * 2**30)) == ("3.00 MiB", "3.00 GiB")


def test_a_field_that_is_not_square_shows_both_sides():
    record = record_of(trace(nn.Conv2d(1, 1, kernel_size=(3, 5), stride=(1, 2)), 1, 9).rows[0])
    assert (record["kind"], record["field"], record["jump"]) == ("conv 3x5/1x2", "3x5", "1x2")


def test_an_unknown_format_is_rejected():
    with pytest.raises(UserError, match=r"format must be one of \['table', 'markdown', 'csv', 'json'\], got 'xml'"):
        rendered("xml")


def test_control_characters_of_others_are_escaped():
    hostile = "a\x1b[2J\x07b\u202ec"
    assert printable(hostile) == r"a\x1b[2J\x07b\u202ec"
    assert printable("Bücher\t图片\n") == "Bücher\t图片\n"
    assert "\x1b" not in render([{"name": hostile}], "table") + render([{"name": hostile}], "markdown")
    assert "\x1b" not in aligned([("run", hostile)])
