"""From what people type for a checkpoint to its file. Imports no torch."""

from pathlib import Path

from cnnlab.errors import UserError, one_of
from cnnlab.runs.folder import RunFolder

BEST_FIRST = ("best.ckpt", "last.ckpt")
PRETRAINED = Path(__file__).parents[1] / "pretrained"  # trained networks that come with the package


def locate_checkpoint(text: str, log_dir: str) -> str:
    """The file that `text` means: a file, a run folder, a run id, `latest` or `pretrained:NAME`.

    `latest` is the run that ended last; the pretrained networks come with the package.

    Raises:
        UserError: there is none.
    """
    kind, colon, name = text.partition(":")
    if colon and kind == "pretrained":
        one_of("checkpoint=pretrained: the name", name, sorted(file.stem for file in PRETRAINED.glob("*.safetensors")))
        return str(PRETRAINED / f"{name}.safetensors")
    path = Path(text)
    if path.is_file():
        return text
    if path.is_dir():
        folder = path.parent if path.name == "checkpoints" else path
    elif text == "latest":
        done = [result for result in Path(log_dir).glob("*/*/result.json") if _checkpoint_in(result.parent)]
        if not done:
            raise UserError(f"checkpoint=latest: there is no run with a checkpoint in log_dir={log_dir}")
        folder = max(done, key=lambda result: result.stat().st_mtime_ns).parent
    else:
        found = [run for run in Path(log_dir).glob("*/*") if is_run(run, text)]
        if not found:
            raise UserError(
                f"checkpoint must be a file, a run folder, a run id in log_dir={log_dir}, latest, or pretrained:NAME, "
                f"got {text!r}"
            )
        folder = found[0]
    checkpoint = _checkpoint_in(folder)
    if checkpoint is None:
        raise UserError(f"checkpoint={text}: there is no checkpoint in {RunFolder(folder).checkpoints}")
    return str(checkpoint)


def locate_run(log_dir: str, name: str, run_id: str) -> Path | None:
    """The folder of a run in `log_dir`/`name`, whatever its name says before the run id; None if there is none."""
    folders = sorted(folder for folder in (Path(log_dir) / name).glob(f"*{run_id}") if is_run(folder, run_id))
    return next((folder for folder in folders if (folder / "result.json").exists()), folders[0] if folders else None)


def is_run(folder: Path, run_id: str) -> bool:
    """Whether a folder's name is that of the run."""
    return folder.name == run_id or folder.name.endswith(f"-{run_id}")


def _checkpoint_in(folder: Path) -> Path | None:
    paths = (RunFolder(folder).checkpoints / name for name in BEST_FIRST)
    return next((path for path in paths if path.is_file()), None)
