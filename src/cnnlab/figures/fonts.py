"""Fonts for names in any script: which installed ones have the characters of a text."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from unicodedata import category

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.ft2font import FaceFlags, FT2Font

from cnnlab.rendering.printable import printable

MAIN = "DejaVu Sans"  # comes with matplotlib
REPLACEMENT = "□"  # for a character that no font has
INVISIBLE = ("Cf", "Mn")  # categories of characters that change their neighbors: joiners, accents, directions


def fonts_for(texts: Iterable[str]) -> AbstractContextManager[None]:
    """A context in which new labels take the characters that matplotlib's own font lacks from the installed fonts."""
    return mpl.rc_context({"font.family": [MAIN, *_families(frozenset("".join(texts)))]})


def drawable(text: str) -> str:
    """`text` as matplotlib draws it without a warning and without reading it as a formula.

    Characters that no installed font has become □, control characters escapes, and line breaks spaces.
    """
    text = printable(" ".join(text.replace("\\$", "$").split()))
    lacking = lacking_characters(text)
    invisible = {char for char in lacking if category(char) in INVISIBLE}
    shown = "".join(REPLACEMENT if char in lacking else char for char in text if char not in invisible)
    return shown.replace("$", "\\$")


def lacking_characters(text: str) -> set[str]:
    """The characters of `text` that no installed font has."""
    characters = frozenset(text) - _in_main()
    found = {char for family in _families(characters) for char in _covered(family, characters)}
    return {*characters} - found


@cache
def _in_main() -> frozenset[str]:
    return frozenset(map(chr, FT2Font(font_manager.findfont(MAIN)).get_charmap()))


@cache
def _families(characters: frozenset[str]) -> tuple[str, ...]:
    """The installed font families that have the characters that MAIN lacks, the best first."""
    missing, families = set(characters - _in_main()), []
    for path in _installed() if missing else ():
        if found := {char for char in missing if FT2Font(path).get_char_index(ord(char))}:
            font_manager.fontManager.addfont(path)
            families.append(FT2Font(path).family_name)
            missing -= found
    return tuple(families)


def _covered(family: str, characters: frozenset[str]) -> set[str]:
    font = FT2Font(font_manager.findfont(family))
    return {char for char in characters if font.get_char_index(ord(char))}


@cache
def _installed() -> tuple[str, ...]:
    """The font files of this machine that can be drawn: upright sans-serif ones first.

    The system is asked, because matplotlib's own list does not have fonts that were installed after its first use.
    """
    return tuple(sorted(filter(_is_usable, font_manager.findSystemFonts()), key=_rank))


def _is_usable(path: str) -> bool:
    """Whether the font has outlines of letters: no colored images, and no font of boxes for all characters."""
    try:
        flags = FT2Font(path).face_flags
    except (OSError, RuntimeError):
        return False
    is_last_resort = "lastresort" in Path(path).stem.lower().replace(" ", "")
    return bool(flags & FaceFlags.SCALABLE) and not flags & FaceFlags.COLOR and not is_last_resort


def _rank(path: str) -> tuple[bool, bool, str]:
    name = Path(path).stem.lower()
    is_regular = not any(word in name for word in ("bold", "italic", "oblique", "light", "black", "condensed", "thin"))
    return not is_regular, "sans" not in name or "mono" in name, path
