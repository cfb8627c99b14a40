"""What a result keeps with itself: the request that made it, and what of the image it was made from.

Version 2 also keeps the selection that was sent, the action, the layer that was looked at and the user's words.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass

from gi.repository import Gimp

from frisket.edits.requests import EditRequest, from_json
from frisket.errors import FrisketError
from frisket_gimp.pixels import Source

NAME = "frisket-request"
GROUP = "frisket-candidates"  # on the group of several results
LARGEST = 4 << 20  # characters of a selection that is kept; a hard one of 4096 x 4096 takes a few thousand
FLAGS = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE


@dataclass(frozen=True)
class Origin:
    """Where a result comes from. action: its name in the table. words: the prompt as it was typed.

    layer: tattoo of the layer that was looked at, 0 = all that was seen. masked: there was a selection; mask: 8 bit,
    of the request's region, None when there was none or it was too much to keep. srgb: the pixels travelled in sRGB.
    """

    action: str
    words: str
    layer: int
    masked: bool
    mask: bytes | None
    srgb: bool = False

    @classmethod
    def of(cls, action: str, words: str, source: Source, mask: bytes | None) -> Origin:
        layer = 0 if source.merged or source.layer is None else source.layer.get_tattoo()
        return cls(action, words, layer, mask is not None, mask, source.srgb)


@dataclass(frozen=True)
class Memory:
    """A parasite, read. origin: None in what an earlier version left."""

    request: EditRequest
    job: str
    index: int
    origin: Origin | None


def attach(layer, picture, job: str, index: int, origin: Origin) -> None:
    """What made this layer, as 7-bit JSON: a larger byte is an error in GIMP's Python."""
    mask = base64.b64encode(zlib.compress(origin.mask, 6)).decode("ascii") if origin.mask is not None else ""
    about = {
        "version": 2,
        "request": picture.request_json,
        "seed": picture.seed,
        "job": job,
        "index": index,
        "notes": list(picture.notes),
        "degraded": [d.detail for d in picture.degraded],
        "made_by": asdict(picture.maker) if picture.maker else None,
        "origin": {**asdict(origin), "mask": mask if len(mask) <= LARGEST else ""},
    }
    layer.attach_parasite(Gimp.Parasite.new(NAME, FLAGS, json.dumps(about).encode("ascii")))


def mark_group(group) -> None:
    group.attach_parasite(Gimp.Parasite.new(GROUP, FLAGS, b"1"))


def is_group(item) -> bool:
    """Whether it is a group of our results."""
    return item is not None and item.is_group() and item.get_parasite(GROUP) is not None


def read(layer) -> Memory | None:
    """None for a layer that Frisket did not make, or of which it cannot be read."""
    parasite = layer.get_parasite(NAME)
    if parasite is None:
        return None
    try:
        about = json.loads(bytes(parasite.get_data()))
        kept = about.get("origin")
        origin = None
        if kept is not None:
            packed = kept.pop("mask")
            origin = Origin(**kept, mask=zlib.decompress(base64.b64decode(packed)) if packed else None)
        return Memory(from_json(about["request"]), about["job"], about["index"], origin)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error, FrisketError):
        return None
