"""Runs that fail or are refused, and machines that lack something."""

import fcntl
import json
import shutil
from pathlib import Path

import pytest
import torch

from cnnlab.errors import Diverged, UserError
from cnnlab.runs import run, run_figures
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.run import train
from cnnlab.training.classifier import ImageClassifier
from tests.conftest import write_tree
from tests.runs.test_run import QUICK, folder_of, weights


def test_a_diverged_run_keeps_its_last_good_checkpoint_and_is_retried_only_on_request(configure, capsys, monkeypatch):
    cfg = configure(*QUICK)
    step = ImageClassifier.training_step

    def breaks(self, batch, batch_idx):
        if self.current_epoch == 1:
            torch.nn.init.constant_(self.net.f6.weight, float("nan"))
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", breaks)
        with pytest.raises(Diverged, match=r"the training loss is no longer finite in epoch 2 .*optimizer.lr"):
            train(cfg)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    assert f"the last good checkpoint is {folder}/checkpoints/last.ckpt" in capsys.readouterr().out
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"
    assert all(value.isfinite().all() for value in weights(folder / "checkpoints" / "last.ckpt").values())
    with pytest.raises(UserError, match="this run failed before: the training loss is no longer finite"):
        train(cfg)
    assert train(configure(*QUICK, "retry=true"))["status"] == "done"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RuntimeError("no compiler"), RuntimeError),
        (UserError("no room"), UserError),
        (OSError("no disk"), UserError),
    ],
    ids=["machine", "user", "system"],
)
def test_a_machine_error_interrupts_a_run_instead_of_failing_it(error, raised, configure, monkeypatch, tmp_path):
    """The same command resumes once the machine is fixed. Only a run that diverged would fail again."""
    cfg = configure(*QUICK)
    step = ImageClassifier.training_step

    def breaks(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise error
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", breaks)
        with pytest.raises(raised):
            train(cfg)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    record = RunFolder(folder).read()
    assert record["status"] == "interrupted"
    assert str(error) in record["error"]
    assert train(cfg)["status"] == "done"


def test_a_failing_figure_does_not_lose_the_record(configure, monkeypatch, capsys):
    def fails(*_):
        raise ValueError("no font")

    monkeypatch.setattr(run_figures, "draw_curves", fails)
    monkeypatch.setattr(run, "log_hyperparameters", fails)
    cfg = configure(*QUICK)
    record = train(cfg)
    assert record["status"] == "done"
    assert RunFolder(folder_of(cfg, record)).read() == record
    assert capsys.readouterr().out.count("could not be written: ValueError: no font") == 2


def test_a_kill_during_fresh_leaves_no_complete_run(configure, monkeypatch):
    cfg = configure(*QUICK)
    train(cfg)

    def is_killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", is_killed)
        with pytest.raises(KeyboardInterrupt):
            train(configure(*QUICK, "fresh=true"))
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    assert RunFolder(folder).read() is None
    assert train(cfg)["status"] == "done"
    assert (folder / "checkpoints" / "last.ckpt").exists()


def test_slurm_variables_change_nothing(configure, monkeypatch, tmp_path):
    """Left to itself, Lightning would expect four processes and start from the checkpoint of another run."""
    other = configure(*QUICK, "seed=1")
    other_last = folder_of(other, train(other)) / "checkpoints" / "last.ckpt"
    plain = configure(*QUICK)
    expected = weights(folder_of(plain, train(plain)) / "checkpoints" / "last.ckpt")
    (tmp_path / "cwd").mkdir()
    shutil.copyfile(other_last, tmp_path / "cwd" / "hpc_ckpt_1.ckpt")
    monkeypatch.chdir(tmp_path / "cwd")
    cluster = {"JOB_ID": "7", "NTASKS": "4", "JOB_NAME": "train", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in cluster.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    within = configure(*QUICK, "name=within")
    found = weights(folder_of(within, train(within)) / "checkpoints" / "last.ckpt")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_second_process_is_refused_while_the_first_trains(configure):
    cfg = configure(*QUICK)
    folder = folder_of(cfg, train(cfg))
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=f"another process is training in {folder}"):
            train(configure(*QUICK, "fresh=true"))
    assert (folder / "checkpoints" / "last.ckpt").exists()


def test_a_file_system_without_locks_causes_a_warning(configure, monkeypatch, capsys):
    def unsupported(self, *_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock._acquire", unsupported)
    folder = RunFolder(Path(configure().log_dir) / "a" / "b")
    with folder.hold():
        assert folder.checkpoints.is_dir()
    assert "has no locks; do not train the same run twice at a time" in capsys.readouterr().out


def test_an_unwritable_folder_is_reported(configure, tmp_path):
    (tmp_path / "logs").write_text("a file in the way")
    with pytest.raises(UserError, match=r"the run folder .* cannot be written: Not a directory"):
        train(configure(*QUICK))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_reported_before_data_is_read(configure, tmp_path):
    with pytest.raises(UserError, match=r"trainer.accelerator=gpu needs a CUDA device"):
        train(configure("trainer=gpu", "data=cifar10", f"data.root={tmp_path / 'nowhere'}"))


def test_missing_data_is_reported_and_leaves_nothing_behind(configure, tmp_path):
    with pytest.raises(UserError, match="cifar10 could not be read"):
        train(configure("data=cifar10", f"data.root={tmp_path / 'nowhere'}"))
    with pytest.raises(UserError, match="mnist could not be read"):
        train(
            configure(
                "data=mnist",
                f"data.root={tmp_path / 'nowhere'}",
                "data.download=true",
                "data.mirror=http://127.0.0.1:9",
            )
        )
    assert not list(tmp_path.iterdir())


IMPOSSIBLE = {
    "tta=flip": "tta must be none or shift for images whose reflection changes the label, got 'flip'",
    "data.image_size=8": "image_size must be at least 12 for LeNet-5, got 8",
    "model=cnn model.blocks=6": "image_size must be at least 64 for CNN with blocks=6, got 28",
    "model=cnn model.blocks=two": "model.blocks must be a whole number of at least 1, got 'two'",
    "model=resnet18 model.stem=tiny": r"stem must be one of \['auto', 'imagenet', 'small'\], got 'tiny'",
    "model.activation=gelu": r"activation must be one of \['tanh', 'sigmoid', 'relu'\], got 'gelu'",
    "data.batch_size=5000": "data.batch_size must be at most the 1,293 training images, got 5,000",
    "data.val_size=2000": "data.val_size must be below the 1,437 training images of digits, got 2,000",
}


@pytest.mark.parametrize("arguments", IMPOSSIBLE)
def test_impossible_arguments_are_reported_and_leave_nothing_behind(arguments, configure, tmp_path):
    with pytest.raises(UserError, match=IMPOSSIBLE[arguments]):
        train(configure(*arguments.split()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argument", "batches"),
    [("trainer.limit_train_batches=0.01", "40 batches"), ("trainer.limit_eval_batches=0.5", "1 batch")],
)
def test_a_fraction_of_batches_that_rounds_to_none_is_reported(argument, batches, configure, tmp_path):
    with pytest.raises(UserError, match=f"{argument} of {batches} is none; use more, or a number"):
        train(configure(argument))
    assert not list(tmp_path.iterdir())


def test_other_images_make_another_run(configure, tmp_path):
    folders = []
    for i in (0, 1):
        root = tmp_path / f"images{i}"
        write_tree(root, ["dark", "light"], per_class=20, size=(24, 20), mode="RGB", seed=i)
        arguments = ("data=image_folder", f"data.root={root}", "data.batch_size=8", "data.image_size=20")
        cfg = configure(*QUICK, *arguments)
        folders.append(folder_of(cfg, train(cfg)))
    assert folders[0].parent == folders[1].parent
    assert folders[0] != folders[1]
