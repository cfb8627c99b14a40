"""The menu follows GIMP's language: GIMP asks the plug-in again when it is started in another one."""

from __future__ import annotations

import pytest
from real_gimp import Gimp

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

LABEL = "out['label'] = Gimp.get_pdb().lookup_procedure('plug-in-frisket-fill-selection').get_menu_label()"


def test_a_start_in_another_language_shows_it_and_the_next_in_english_shows_english(gimp: Gimp, monkeypatch):
    folder = gimp.folder / "plug-ins/frisket/locale"
    folder.mkdir(exist_ok=True)
    (folder / "eo.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "_Fill Selection..."\nmsgstr "_Plenigi..."\n', "utf-8")
    plain, shown = gimp.command, []
    for language in ("en", "eo", "en"):
        monkeypatch.setattr(gimp, "command", lambda *words, _l=language, **env: plain(*words, LANGUAGE=_l, **env))
        shown.append(gimp.run(LABEL)["label"])
    assert shown == ["_Fill Selection...", "_Plenigi...", "_Fill Selection..."]
