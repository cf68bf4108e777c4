"""True classes by the names of folders, and the accuracy on them."""

from cnnlab.predict.prediction import Prediction
from cnnlab.predict.true_labels import accuracy_of, true_labels


def test_folders_are_named_by_class_or_by_number():
    assert true_labels(["x/T-shirt_top/1.png", "x/Bag/1.png", "x/1.png"], ("T-shirt/top", "Bag")) == [0, 1, None]
    assert true_labels(["x/1/1.png", "x/0/7.png"], ("cat", "dog")) == [1, 0]
    assert true_labels(["x/7/1.png"], ("cat", "dog")) == [None]


def test_a_relative_path_has_the_folder_that_it_is_in(tmp_path, monkeypatch):
    (tmp_path / "dog").mkdir()
    monkeypatch.chdir(tmp_path / "dog")
    assert true_labels(["1.png"], ("cat", "dog")) == [1]


def test_unreadable_and_unlabeled_images_do_not_count():
    def predicted(*classes: int) -> Prediction:
        return Prediction("file", classes, tuple(1.0 for _ in classes), ())

    evaluation = accuracy_of([predicted(0), predicted(1), predicted(), predicted(1)], [0, 0, 1, None], num_classes=2)
    assert evaluation.accuracy == 0.5
    assert evaluation.confusion.tolist() == [[1, 1], [0, 0]]
    assert accuracy_of([predicted(0)], [None], num_classes=2) is None
