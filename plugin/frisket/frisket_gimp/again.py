"""*Again*: the edit that made a layer, once more, on the image as it is now."""

from __future__ import annotations

import os
from dataclasses import replace

from gi.repository import Gimp, GObject

from frisket.edits.requests import EditRequest, OutpaintParams
from frisket.errors import SourceUnsuitable
from frisket.raster.geometry import Box
from frisket_gimp import kept, layers, parasite, pixels, procedure, versions
from frisket_gimp.actions import ACTIONS, Action, Command, Result
from frisket_gimp.languages import _, plain
from frisket_gimp.parasite import Memory
from frisket_gimp.pixels import Source

BY_NAME = {action.name: action for action in ACTIONS}


def run(command: Command, called, run_mode, image, drawables, config):
    """GIMP's run function. With the command's other name: with a new seed."""
    new_seed = command.name == "again-new-seed"
    return procedure.answered(called, lambda: [_value(_repeat(command, new_seed, run_mode, image, drawables, config))])


def _value(layer):
    return GObject.Value(Gimp.Layer, layer)


def _repeat(command: Command, new_seed: bool, run_mode, image, drawables, config) -> Gimp.Layer:
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    result, memory = _result(drawables)
    origin = memory.origin
    assert origin is not None
    action = BY_NAME[origin.action]
    source = _source(action, image, memory)
    request = memory.request
    if new_seed:
        request = replace(request, seed=int.from_bytes(os.urandom(4), "little") >> 1)
    unit = result.get_parent() if parasite.is_group(result.get_parent()) else result
    with pixels.unseen(image, [unit] if source.merged else []):
        around = pixels.read(image, source, request.region) if action.wants_layer else None
    address = kept.server_address(config.get_property("server") or "")
    job, pictures = procedure.repeated(
        plain(_(command.label)), action, image, source, request, around, origin.mask, address, interactive
    )
    made = layers.new_layers(action, image, source, pictures, job, origin, source.drift)
    versions.join(result, made, layers.name_of(action, origin.words))
    if interactive and len(made) > 1:
        from frisket_gimp import chooser

        return chooser.choose(made[0].get_parent(), address) or made[0]
    if interactive:
        procedure.tell_shortfalls(pictures)
    return made[0]


def _result(drawables) -> tuple[Gimp.Layer, Memory]:
    """The selected result, or the first one seen of a group of them, and what it keeps. Raises SourceUnsuitable."""
    for chosen in drawables:
        layer = Gimp.Layer.from_mask(chosen) if isinstance(chosen, Gimp.LayerMask) else chosen
        for item in _candidates(layer):
            memory = parasite.read(item)
            if memory is not None and memory.origin is not None:
                if memory.origin.masked and memory.origin.mask is None:
                    raise SourceUnsuitable(
                        what=_("The selection of this result was not kept"),
                        suggestion=_("Select it again, and run the action itself."),
                    )
                return item, memory
    what = _("The selected layer does not know how it was made")
    raise SourceUnsuitable(what=what, suggestion=_("Select a layer that Frisket made in this image."))


def _candidates(layer) -> list:
    """Those seen come first."""
    if not parasite.is_group(layer):
        return [layer] if isinstance(layer, Gimp.Layer) else []
    return sorted(layer.get_children(), key=lambda child: not child.get_visible())


def _source(action: Action, image, memory: Memory) -> Source:
    """What it was made from, as it is now. Raises SourceUnsuitable when that is no longer possible."""
    origin, request = memory.origin, memory.request
    assert origin is not None
    layer = image.get_layer_by_tattoo(origin.layer) if origin.layer else None
    if origin.layer and layer is None:
        what = _("The layer that this one was made from is not in the image any more")
        raise SourceUnsuitable(what=what, suggestion=_("Select another one, and run the action itself."))
    whole = not origin.masked and action.result is not Result.CANVAS
    source = pixels.find_source(image, [layer] if layer else [], layer is None, whole and layer is not None)
    if action.result is Result.CANVAS:
        source = _before_it_grew(source, request)
    if origin.srgb:
        source = pixels.in_srgb(source)
    fits = source.frame.size == request.canvas and source.format == request.format
    if not fits or (action.wants_layer and not source.box.holds(request.region)):
        what = _("What this layer was made from has another size, place or kind of pixels now")
        raise SourceUnsuitable(what=what, suggestion=_("Run the action itself again."))
    return source


def _before_it_grew(source: Source, request: EditRequest) -> Source:
    """The part of a canvas that was all of it before it was expanded."""
    params = request.params
    assert isinstance(params, OutpaintParams)
    old = Box(params.left, params.top, request.canvas.width, request.canvas.height)
    grown = source.frame.size
    if (grown.width, grown.height) != (old.width + params.left + params.right, old.height + params.top + params.bottom):
        return source
    return replace(source, frame=old, box=source.box.moved(-old.x, -old.y).clipped(Box.of(old.size)))
