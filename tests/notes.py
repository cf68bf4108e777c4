"""`python -m tests.notes > docs/notes.md`: the page of the study notes' items, from docs/notes.yaml."""

from typing import Any

import yaml

from tests.conftest import REPOSITORY

HEAD = """# The study notes, item by item

What the notes define, compute, build, train, show or ask, with the command or the page that has it here. The numbers
are those of the list of items; 121 and 122 belong to other lectures. `photo.jpg` and `photos` stand for your images.
"""


def items() -> dict[str, dict[int, tuple[str, str]]]:
    """Topic -> number -> what it is, and a command or a file."""
    content: Any = yaml.safe_load((REPOSITORY / "docs" / "notes.yaml").read_text(encoding="utf-8"))
    return {topic: {n: (what, where) for n, (what, where) in rows.items()} for topic, rows in content.items()}


def page() -> str:
    parts = [HEAD]
    for topic, rows in items().items():
        lines = [f"| {n} | {what} | {_cell(where)} |" for n, (what, where) in rows.items()]
        parts.append("\n".join([f"## {topic}\n", "| | item | command or page |", "| --: | --- | --- |", *lines, ""]))
    return "\n".join(parts)


def _cell(where: str) -> str:
    if where.startswith("python "):
        return f"`{where}`"
    return f"[{where}]({where.removeprefix('docs/') if where.startswith('docs/') else f'../{where}'})"


if __name__ == "__main__":
    print(page(), end="")
