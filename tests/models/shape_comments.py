"""Read shape comments such as `# (N, 6, 28, 28)` from `forward` methods and compare them with a real run."""

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor, nn

COMMENT = re.compile(r"# \(N((?:, \d+)+)\)$")


@dataclass(frozen=True)
class Claim:
    """`name`, or the returned value if it is None, has this shape (without N) after lines `first` to `last`."""

    file: str
    first: int
    last: int
    name: str | None
    shape: tuple[int, ...]

    def check(self, value: Any, batch: int) -> None:
        found = tuple(value.shape)
        wanted = (batch, *self.shape)
        assert found == wanted, f"{Path(self.file).name}:{self.last} says {wanted}, got {found}"


def claims_of(file: str) -> list[Claim]:
    """Return the claims in the `forward` methods of a source file."""
    text = Path(file).read_text(encoding="utf-8")
    shapes = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if found := COMMENT.search(line):
            shapes[number] = tuple(int(size) for size in found[1].split(", ")[1:])
    claims = []
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.FunctionDef) and node.name == "forward"):
            continue
        header = node.body[0].lineno - 1
        if header in shapes:
            claims.append(Claim(file, node.lineno, header, node.args.args[1].arg, shapes[header]))
        for statement in ast.walk(node):
            if isinstance(statement, ast.Assign | ast.Return) and statement.end_lineno in shapes:
                name = None
                if isinstance(statement, ast.Assign):
                    assert isinstance(statement.targets[0], ast.Name)
                    name = statement.targets[0].id
                claims.append(Claim(file, statement.lineno, statement.end_lineno, name, shapes[statement.end_lineno]))
    return claims


class Checker:
    """Runs networks and compares the claims in `files` with the result of each line."""

    def __init__(self, files: list[str]) -> None:
        self.claims = {file: claims_of(file) for file in files}
        self.checked: set[Claim] = set()

    def all_claims(self) -> set[Claim]:
        return {claim for claims in self.claims.values() for claim in claims}

    def run(self, net: nn.Module, x: Tensor) -> set[Claim]:
        """Call `net` and return the claims that the call executed.

        Raises:
            AssertionError: a result's shape differs from the comment.
        """
        before, executed = sys.gettrace(), set()
        sys.settrace(lambda frame, event, _: self._enter(frame, len(x), executed))
        try:
            net(x)
        finally:
            sys.settrace(before)
        self.checked |= executed
        return executed

    def _enter(self, frame: FrameType, batch: int, executed: set[Claim]) -> Any:
        code = frame.f_code
        if code.co_name != "forward" or code.co_filename not in self.claims:
            return None
        claims = self.claims[code.co_filename]
        current: Claim | None = None

        def verify(claim: Claim, value: Any) -> None:
            claim.check(value, batch)
            executed.add(claim)

        def step(frame: FrameType, event: str, result: Any) -> Any:
            nonlocal current
            inside = current and event == "line" and current.first <= frame.f_lineno <= current.last
            if current and not inside:
                if current.name is not None:
                    verify(current, frame.f_locals[current.name])
                elif event == "return" and isinstance(result, Tensor):
                    verify(current, result)
            if event == "line" and not inside:
                current = next((c for c in claims if c.first == frame.f_lineno), None)
            return step

        for claim in claims:
            if claim.first == code.co_firstlineno:
                verify(claim, frame.f_locals[claim.name])
        return step
