"""The commit of the code."""

import subprocess
from pathlib import Path
from typing import Any


def git_state(root: Path | None) -> dict[str, Any]:
    """The commit of `root`, and whether its tree was clean; None for both outside of git or without a `root`."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if root is None:
        return {"git_commit": None, "git_clean": None}
    status = git("status", "--porcelain")
    return {"git_commit": git("rev-parse", "HEAD"), "git_clean": None if status is None else status == ""}
