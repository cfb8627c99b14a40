"""Questions to a shown GIMP while its windows are used: expressions, evaluated by a script that waits for them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from real_gimp import Gimp, Screen

LISTEN = """
asked = 0
while True:
    wait_for(f"ask-{asked}")
    answer = eval(pathlib.Path(D, f"ask-{asked}").read_text())
    Gimp.displays_flush()
    pathlib.Path(D, "answer").write_text(json.dumps(answer))
    os.replace(D + "/answer", D + f"/answer-{asked}"); asked += 1
"""


class Console:
    """`body`, for Gimp.shown: what is done first, and then to wait for questions."""

    def __init__(self, gimp: Gimp, first: str) -> None:
        self.gimp, self._asked = gimp, 0
        self.body = first + LISTEN

    def ask(self, expression: str):
        """Its value, of what JSON can say."""
        new = self.gimp.folder / "ask"
        new.write_text(expression)
        os.replace(new, self.gimp.folder / f"ask-{self._asked}")
        answer = self.gimp.wait_for(f"answer-{self._asked}")
        self._asked += 1
        return json.loads(answer.read_text())

    def visible(self, image: str = "image") -> bytes:
        """All that is seen of an image, as it would be exported."""
        self.ask(f"dump_visible({image}, 'seen')")
        return (self.gimp.folder / "seen.raw").read_bytes()


def press_in_menu(screen: Screen, key: str) -> None:
    """An entry of Filters > Frisket, by its mnemonic, in the image window that has the keyboard."""
    screen.key("alt+r")
    time.sleep(0.6)
    screen.key("Up")
    screen.key("Right")
    time.sleep(0.5)
    screen.key(key)


def plugin_processes(gimp: Gimp) -> list[Path]:
    """Of the plug-in that run: their folders in /proc."""
    script = f"{gimp.inside}/plug-ins/frisket/frisket.py".encode()
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if script in line.read_bytes():
                found.append(line.parent)
        except OSError:  # it has ended
            continue
    return found
