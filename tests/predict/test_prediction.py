"""Files in, predictions out: order, unreadable files, and what a batch predicts."""

import re
import threading

import pytest
import torch
from PIL import Image

from cnnlab.predict.decoding import Decoded, decoded_batches
from cnnlab.predict.prediction import PredictedBatch
from cnnlab.predict.rows import first_of, plain_rows, readable_rows
from cnnlab.preprocessing import Prepared, read_image
from cnnlab.preprocessing.pixels import pixels_of

PIXELS = torch.zeros(1, 2, 2, dtype=torch.uint8)


def prepare(path: str) -> Prepared:
    return Prepared(pixels_of(read_image(path, "L")))


@pytest.mark.parametrize("ahead", [0, 1])
def test_batches_keep_the_order_and_no_more_than_the_next_is_decoded(ahead):
    started, lock, most = [], threading.Lock(), 0
    files = [str(i) for i in range(50)]

    def slow(path: str) -> Prepared:
        with lock:
            started.append(path)
        return Prepared(PIXELS, (path,))

    seen: list[Decoded] = []
    for batch in decoded_batches(files, slow, batch_size=8, ahead=ahead):
        most = max(most, len(started) - len(seen))
        seen += batch
    assert [image.file for image in seen] == [image.notes[0] for image in seen] == files
    assert most <= 8 * (1 + ahead)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text.png", "unreadable: not an image"),
        ("empty.png", "unreadable: the file is empty"),
        ("gone.png", "unreadable: No such file or directory"),
        ("half.png", "unreadable: .*truncated.*"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_reason(tmp_path, name, reason):
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    files = [str(tmp_path / "whole.png"), str(tmp_path / name)]
    ((good, bad),) = decoded_batches(files, prepare, batch_size=5)
    assert good.pixels is not None
    assert bad.pixels is None
    assert re.fullmatch(reason, bad.notes[0])


def batch(*logits: list[float] | None) -> PredictedBatch:
    """Files a, b, ... with these logits; None for a file that cannot be read."""
    images = [
        Decoded(name, None if values is None else PIXELS, ("unreadable: why",) if values is None else ())
        for name, values in zip("abcdef", logits, strict=False)
    ]
    return PredictedBatch(images, torch.tensor([values for values in logits if values is not None]))


def test_predictions_belong_to_their_files_around_an_unreadable_one():
    first, second, third = batch([0.0, 2.0, 1.0], None, [3.0, 0.0, 0.0]).predictions(top=2)
    assert (first.classes, second.classes, third.classes) == ((1, 2), (), (0, 1))
    assert sum(batch([0.0, 2.0, 1.0]).predictions(top=9)[0].probabilities) == pytest.approx(1)


def test_of_equal_logits_the_first_class_is_predicted_as_in_evaluation():
    logits = torch.randint(0, 3, (200, 50), generator=torch.Generator().manual_seed(0)).float()
    images = [Decoded(str(i), PIXELS, ()) for i in range(200)]
    predicted = [found.classes[0] for found in PredictedBatch(images, logits).predictions(top=1)]
    assert predicted == logits.argmax(1).tolist()


def test_rows_for_programs_repeat_the_file_and_rows_for_people_do_not():
    predictions = batch([0.0, 2.0], None).predictions(top=2)
    plain = plain_rows(predictions, ("cat", "dog"))
    assert [(row["file"], row["rank"], row["class"]) for row in plain] == [
        ("a", 1, "dog"), ("a", 2, "cat"), ("b", None, None),
    ]  # fmt: skip
    assert plain[2]["notes"] == "unreadable: why"
    assert [row["file"] for row in readable_rows(predictions, ("cat", "dog"))] == ["a", "", "b"]


def test_names_that_are_not_utf8_are_escaped():
    decoded = Decoded(b"\xff.png".decode(errors="surrogateescape"), None, ("unreadable: why",))
    rows = plain_rows(PredictedBatch([decoded], torch.empty(0, 2)).predictions(1), ("cat", "dog"))
    assert rows[0]["file"] == r"\udcff.png"


def test_the_terminal_gets_whole_files_only():
    predictions = batch([0.0, 2.0], [1.0, 2.0], [1.0, 3.0]).predictions(top=2)
    assert len(first_of(predictions, most_rows=5)) == 2
    assert len(first_of(predictions, most_rows=1)) == 1
