"""Text of others in a terminal."""


def printable(text: str) -> str:
    """`text` with control characters as escapes: names of folders and records could move the cursor otherwise."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
