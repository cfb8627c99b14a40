"""From a click to a layer: ask, plan, read, send, watch, insert."""

from __future__ import annotations

import os
import traceback

from gi.repository import Gimp, GLib, GObject

from frisket.client.client import with_region
from frisket.edits.requests import EditRequest, InpaintParams, MaskDials
from frisket.errors import Cancelled, FrisketError, LayerUnsuitable
from frisket.raster.geometry import Box, Size
from frisket_gimp import layers, pixels, server
from frisket_gimp.progress import Progress


def fill_selection(procedure, run_mode, image, drawables, config):
    """GIMP's run function. Every failure becomes a status and a text of title, cause and remedy."""
    try:
        layer = _fill(procedure, run_mode, image, drawables, config)
    except Cancelled:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, GLib.Error())
    except FrisketError as error:
        return _failed(procedure, f"{error.title}\n\n{error.cause}\n{error.remedy}")
    except Exception as error:
        traceback.print_exc()
        return _failed(procedure, f"Something unexpected happened in Frisket's plug-in\n\n{error!r}")
    status = GObject.Value(Gimp.PDBStatusType, Gimp.PDBStatusType.SUCCESS)
    return Gimp.ValueArray.new_from_values([status, GObject.Value(Gimp.Layer, layer)])


def _failed(procedure, text: str):
    error = GLib.Error.new_literal(GLib.quark_from_string("frisket"), text, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def _fill(procedure, run_mode, image, drawables, config) -> Gimp.Layer:
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    pixels.check_image(image)
    if interactive:
        from frisket_gimp import dialog

        dialog.ask(procedure, config, lambda: _estimate(image, drawables, config), lambda: _engines(config))
    source = pixels.find_source(image, drawables, config.get_property("sample-merged"))
    selected = pixels.selected_box(image, source)
    if config.get_property("random-seed"):
        config.set_property("seed", int.from_bytes(os.urandom(4), "little") >> 1)  # seen in the dialog next time
    request = _request(config, image, source)
    kind = pixels.kind_of(image)
    progress = Progress("Fill Selection", interactive)
    try:
        session, plan = progress.do(lambda: server.open_and_plan(progress, _text(config, "server"), request, selected))
        request = with_region(request, plan.region.clipped(source.box), source.format)
        around, mask = pixels.read(image, source, request.region), pixels.read_selection(image, request.region)
        job, pictures = progress.do(lambda: session.run(request, around, mask, progress))
        session.close()
    finally:
        progress.close()
    _check_unchanged(image, source, kind, job)
    layer = layers.insert(image, source, pictures, job)
    if interactive:
        _tell_shortfalls(pictures)
    return layer


def _estimate(image, drawables, config):
    """What the dialog may run off the main thread to say what the server would do with the settings as they are."""
    source = pixels.find_source(image, drawables, config.get_property("sample-merged"))
    selected, request = pixels.selected_box(image, source), _request(config, image, source)
    address = _text(config, "server")
    return lambda: server.estimate(address, request, selected)


def _engines(config):
    """What the dialog may run off the main thread to know which engines there are."""
    address = _text(config, "server")
    return lambda: server.engines(address)


def _check_unchanged(image, source: pixels.Source, kind: tuple, job: str) -> None:
    """GIMP can be used while the server works. Raises LayerUnsuitable when the result has no place any more."""
    what = ""
    if not image.is_valid() or (source.layer is not None and not source.layer.is_valid()):
        what = "The image was closed, or its layer deleted, while the server worked"
    elif pixels.kind_of(image) != kind:
        what = "The image was resized or converted while the server worked"
    if what:
        raise LayerUnsuitable(what=what, suggestion=f"Run it again; the result for the old image is job {job}.")


def _request(config, image, source: pixels.Source) -> EditRequest:
    def px(name: str) -> int | None:
        value = config.get_property(name)
        return None if value < 0 else value

    return EditRequest(
        canvas=Size(image.get_width(), image.get_height()),
        region=Box(0, 0, 0, 0),
        params=InpaintParams(
            prompt=_text(config, "prompt"),
            negative_prompt=_text(config, "negative-prompt"),
            dials=MaskDials(grow=px("grow"), feather=px("feather"), context=px("context")),
        ),
        format=source.format,
        engine=_text(config, "engine"),
        seed=config.get_property("seed"),
        count=config.get_property("count"),
    )


def _text(config, name: str) -> str:
    return (config.get_property(name) or "").strip()  # a string left at its default arrives as None


def _tell_shortfalls(pictures) -> None:
    """What a result had to do without is said once, not once per picture."""
    said = dict.fromkeys(text for p in pictures for text in (*(d.detail for d in p.degraded), *p.notes))
    if said:
        Gimp.message("\n".join(said))
