"""The faces in what an action would be given: asked of the server, with a small picture of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frisket.edits.requests import DetectFacesParams, EditRequest
from frisket.raster.geometry import Box
from frisket_gimp import pixels, server
from frisket_gimp.progress import fitting

MARGIN = 0.25  # of a face, around it
SIDE = 80, 80  # px of its picture, at most


@dataclass(frozen=True)
class Look:
    """find: off the main thread, the faces in the image's coordinates, the surest first; raises FrisketError. pictures:
    on the main thread, a pixbuf of at most SIDE of each of them, None where there is none."""

    find: Callable[[], list[Box]]
    pictures: Callable[[Sequence[Box]], list]


def look(image, wish) -> Look:
    """Read what the wish is about. wish: `procedure.Wish`. Raises FrisketError."""
    source = wish.source
    request = EditRequest(source.frame.size, source.box, DetectFacesParams(), source.format)
    data = pixels.read(image, source, source.box)
    mask = pixels.read_selection(image, source.box) if wish.masked else None

    def find() -> list[Box]:
        session = server.at_hand(wish.address)
        try:
            session.client.server_info()  # says so when it does not speak our version
            found = session.client.faces(request, data, mask).faces
        finally:
            session.close()
        return [face.box.moved(source.frame.x, source.frame.y) for face in found]

    return Look(find, lambda faces: _pictures(image, source, faces))


def _pictures(image, source: pixels.Source, faces: Sequence[Box]) -> list:
    made = []
    with pixels.thumbnails(image, source) as thumbnail:
        for face in faces:
            around = face.moved(-source.frame.x, -source.frame.y).grown(round(MARGIN * face.size.longer))
            around = around.clipped(source.box)
            made.append(None if around.empty else thumbnail(around, *fitting(around.width, around.height, SIDE)))
    return made
