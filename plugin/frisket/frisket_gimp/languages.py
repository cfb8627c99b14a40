"""The user's language: gettext, from the catalogues in `locale` beside this package. English where there is none."""

from __future__ import annotations

import gettext
from pathlib import Path

DOMAIN = "frisket"
FOLDER = Path(__file__).parents[1] / "locale"
_found = gettext.translation(DOMAIN, str(FOLDER), fallback=True)


def _(text: str) -> str:
    """The text in the user's language. Fields are filled in afterwards: `_("{n} px").format(n=3)`."""
    return _found.gettext(text)
