"""The shape of the code: small files and functions, and a name for one thing only. The layers are in pyproject.toml."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
OF_PAGES = sorted(path for kind in ("js", "css") for path in (REPOSITORY / "src").rglob(f"*.{kind}"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 40
# The command of this name, and the script that calls it.
SHARED_NAMES = {path.name for path in (REPOSITORY / "src" / "cnnlab" / "commands").glob("*.py")} | {
    "pooling.py",  # the operators, and the experiment that shows them
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY / "src")))
def test_files_and_functions_are_short(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name: length for node in functions if (length := length_of(node)) > LONGEST_FUNCTION}
    assert not long


@pytest.mark.parametrize("path", OF_PAGES, ids=lambda path: str(path.relative_to(REPOSITORY / "src")))
def test_the_files_of_pages_are_short(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, without the docstring and the signature."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    assert function.end_lineno is not None
    return function.end_lineno - first.lineno + 1


def test_no_two_files_share_a_name_by_accident():
    counts = Counter(path.name for path in SOURCES if path.name != "__init__.py")
    assert {name for name, count in counts.items() if count > 1} <= SHARED_NAMES
