"""More versions like one that is there: a slight variation of it under the same mask, into the same group."""

from __future__ import annotations

import contextlib
import json
import os

from frisket.engines.spec import Task
from frisket.errors import ServerNotRunning
from frisket_gimp import layers, pixels, server, settings
from frisket_gimp.actions import ACTIONS
from frisket_gimp.languages import _
from frisket_gimp.parasite import Origin
from frisket_gimp.procedure import check_unchanged
from frisket_gimp.progress import Progress, fitting
from frisket_gimp.versions import Group, Version

STRENGTH = 0.3
MOST = 8
VARIATIONS = next(action for action in ACTIONS if action.task == Task.VARIATION.value)


def add(group: Group, like: Version, count: int, address: str) -> None:
    """Raises FrisketError; ImageChanged when the version has gone or the image was converted meanwhile."""
    kind = pixels.kind_of(group.image)
    source = pixels.find_source(group.image, [like.layer], merged=False, whole=True)
    if like.srgb:
        source = pixels.in_srgb(source)
    around, mask = pixels.read(group.image, source, source.box), pixels.read_mask(like.layer)
    progress = Progress(_("More Like This"), interactive=True)
    try:
        size = fitting(source.box.width, source.box.height)
        progress.begin_with(pixels.thumbnail(source, source.box, *size))
        values = progress.do(lambda: _values(like, count, address))
        request = settings.request(VARIATIONS, values, source.frame, source.format, source.box)
        session = progress.do(lambda: server.opened(progress, address))
        job, pictures = progress.do(lambda: session.run(request, around, mask, progress))
        session.close()
    finally:
        progress.close()
    check_unchanged(group.image, source, kind, job)
    origin = Origin.of(VARIATIONS.name, like.words, source, mask)
    group.add(layers.new_layers(VARIATIONS, group.image, source, pictures, job, origin, source.drift))


def _values(like: Version, count: int, address: str) -> dict[str, object]:
    """The settings of a variation. Its mask is soft already, and its engine the same where that makes variations, too.
    Raises FrisketError."""
    values = {argument.name: VARIATIONS.default(argument) for argument in VARIATIONS.arguments}
    values |= {"strength": STRENGTH, "count": min(count, MOST), "prompt": like.prompt, "grow": 0, "feather": 0}
    values["seed"] = int.from_bytes(os.urandom(4), "little") >> 1
    able = {}
    with contextlib.suppress(ServerNotRunning):  # it will be started, and has the choice
        able = {engine.id: engine for engine in server.engines(address, VARIATIONS.task)}
    same = next((name for name in like.engines if name in able), "")
    if same and like.request:
        known = {param.name for param in able[same].params}
        options = {name: value for name, value in like.request.engine_params.items() if name in known}
        values["options"] = json.dumps(options) if options else ""
    return values | {"engine": same}
