"""Make the pictures of docs/images again: the real GIMP, the plug-in and a real server on a virtual screen.

    .venv/bin/python tests/gimp/screenshots.py PHOTO X,Y,WIDTH,HEIGHT PORTRAIT [NAME ...]

PHOTO: any picture of about 640 x 430 px that may be published. X,Y,WIDTH,HEIGHT: an ellipse in it that is selected.
PORTRAIT: such a picture of a face, which is shown beside its mirror image.
NAME: of a picture, such as gimp-chooser.png; with any, the others stay as they are.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageOps
from real_gimp import Gimp, Screen, a_gimp, a_screen, a_server

IMAGES = Path(__file__).parents[2] / "docs" / "images"
BODY = """
image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, {box}); Gimp.Selection.feather(image, 4)
Gimp.Display.new(image); Gimp.displays_flush(); signal("shown")
while len(image.get_layers()) < 2: time.sleep(0.1)
signal("filled"); wait_for("seen"); Gimp.Selection.none(image); Gimp.displays_flush(); signal("bare")
wait_for("dialogs"); image.remove_layer(image.get_layers()[0])
for action in {actions}:
    act(action, image, mode=Gimp.RunMode.INTERACTIVE)
act("layer-variations", image, mode=Gimp.RunMode.INTERACTIVE)
for seed in (11, 12):
    image.select_ellipse(Gimp.ChannelOps.REPLACE, {box}); image.remove_layer(fill(image, seed=seed)[1])
act("history", image, mode=Gimp.RunMode.INTERACTIVE)
act("restore-faces", load("faces.png"), mode=Gimp.RunMode.INTERACTIVE)
act("server", image, mode=Gimp.RunMode.INTERACTIVE)
wait_for("never")
"""
# name of the action -> title of its dialog
DIALOGS = {
    "expand-canvas": "Expand Canvas",
    "layer-variations": "Layer Variations",
    "restore-faces": "Restore Faces",
    "upscale-layer": "Upscale Layer",
    "text-to-layer": "Text to Layer",
    "edit-by-instruction": "Edit by Instruction",
}


ONLY: set[str] = set()


def main(photo: str, box: str, portrait: str, *only: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    ONLY.update(only)
    with a_gimp() as gimp, a_screen("1120x740x24") as screen, a_server(gimp):
        picture = Image.open(photo).convert("RGB")
        picture.thumbnail((640, 480))
        picture.save(gimp.folder / "in.png")
        face = Image.open(portrait).convert("RGB")
        pair = Image.new("RGB", (2 * face.width, face.height))
        pair.paste(face, (0, 0))
        pair.paste(ImageOps.mirror(face), (face.width, 0))
        pair.save(gimp.folder / "faces.png")
        with gimp.shown(screen, BODY.format(box=box, actions=list(DIALOGS))):
            gimp.wait_for("shown")
            take(gimp, screen)


def take(gimp: Gimp, screen: Screen) -> None:
    window = screen.window("GIMP$")
    screen.do("windowsize", "--sync", window, "1120", "720")
    screen.do("windowmove", "--sync", window, "0", "0")
    screen.move(500, 660)  # where no tooltip waits
    time.sleep(3)
    screen.key("alt+r")  # Filters; Frisket is its last entry
    time.sleep(0.7)
    screen.key("Up")
    screen.key("Right")
    time.sleep(0.7)
    save(screen, "gimp-menu.png", "root", "880x690+0+0")
    screen.key("f")
    dialog = screen.window("^Fill Selection$")
    time.sleep(2)  # the line about the plan has come
    save(screen, "gimp-dialog.png", dialog)
    screen.key("alt+f")
    gimp.wait_for("filled", 120)
    (gimp.folder / "seen").touch()
    gimp.wait_for("bare")
    time.sleep(2)
    save(screen, "gimp-result.png", "root", "930x675+190+45")
    (gimp.folder / "dialogs").touch()
    for action, title in DIALOGS.items():
        dialog = screen.window(f"^{title}$")
        time.sleep(2)
        if action == "layer-variations":
            screen.key("alt+o")  # the options of its engine, unfolded
            time.sleep(1)
        save(screen, f"gimp-{action}.png", dialog)
        screen.key("Escape")
    choose(screen)
    window = screen.window("^History$", 60)
    time.sleep(2)
    save(screen, "gimp-history.png", window)
    screen.key("Escape")
    screen.window("^Restore Faces$")
    time.sleep(1)
    screen.key("alt+f")
    window = screen.window("^Choose Faces$")
    time.sleep(6)
    screen.key("space")
    time.sleep(0.5)
    save(screen, "gimp-choose-faces.png", window)
    screen.key("alt+o")
    screen.window("^Restore Faces$")
    screen.key("Escape")
    window = screen.window("^Frisket Server$")
    time.sleep(3)
    save(screen, "gimp-server.png", window)
    screen.key("alt+m")
    time.sleep(2)
    save(screen, "gimp-models.png", window)
    screen.key("alt+e")
    time.sleep(1)
    save(screen, "gimp-settings.png", window)
    screen.key("Escape")
    log = (gimp.folder / "gimp.log").read_text().splitlines()
    print(*(line for line in log if "duplicate mnemonic" in line), sep="\n")


def choose(screen: Screen) -> None:
    """Four variations: while they are made, and to choose from."""
    screen.window("^Layer Variations$")
    time.sleep(1)
    screen.key("alt+y")
    time.sleep(4)
    save(screen, "gimp-running.png", screen.window("^Layer Variations$"))
    chooser = screen.window("^Choose a Version$", 120)
    screen.key("Right")
    time.sleep(1)
    save(screen, "gimp-chooser.png", chooser)
    screen.key("Escape")


def save(screen: Screen, name: str, window: str, crop: str = "") -> None:
    path = IMAGES / name
    if ONLY and name not in ONLY:
        return
    screen.shot(path, window)
    cut = ["-crop", crop, "+repage"] if crop else []
    subprocess.run(["convert", str(path), *cut, "-strip", "-colors", "160", f"PNG8:{path}"], check=True)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
