"""From a click to a result: ask, plan, read, send, watch, place. The same for every action of the table."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from gi.repository import Gimp, GLib, GObject

from frisket.client.client import with_region
from frisket.edits.requests import EditRequest
from frisket.errors import Cancelled, FrisketError, ImageChanged, SettingsUnwritable, SourceUnsuitable
from frisket.raster.geometry import Box, Size
from frisket_gimp import kept, layers, pixels, prompts, server, settings, styles
from frisket_gimp.actions import Action, Result
from frisket_gimp.arguments import Kind
from frisket_gimp.languages import _, plain, words_of
from frisket_gimp.parasite import Origin
from frisket_gimp.progress import Progress, fitting

NOWHERE = Box(0, 0, 0, 0)


@dataclass(frozen=True)
class Wish:
    """What is to be done, with the settings and the image as they are now. selected: boxes of the source's frame, none
    where no selection could say more; masked: the selection goes with the request. address: of the server."""

    values: settings.Settings
    source: pixels.Source
    request: EditRequest
    selected: list[Box]
    masked: bool
    address: str


def run(action: Action, procedure, run_mode, image, drawables, config):
    """GIMP's run function of an action."""

    def work() -> list:
        layer = _carry_out(action, procedure, run_mode, image, drawables, config)
        return [] if action.result is Result.SELECTION else [GObject.Value(Gimp.Layer, layer)]

    return answered(procedure, work)


def answered(procedure, work: Callable[[], list]):
    """What GIMP is told of `work`, which gives the return values. Every failure becomes a status and a text of title,
    cause and remedy."""
    try:
        values = work()
    except Cancelled:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, GLib.Error())
    except FrisketError as error:
        return _failed(procedure, "{}\n\n{}\n{}".format(*words_of(error)))
    except Exception as error:
        traceback.print_exc()
        title = _("Something unexpected happened in the plug-in")
        remedy = _("Please report it: GIMP prints the details where it was started from a terminal.")
        return _failed(procedure, f"{title}\n\n{type(error).__name__}: {error}\n{remedy}")
    status = GObject.Value(Gimp.PDBStatusType, Gimp.PDBStatusType.SUCCESS)
    return Gimp.ValueArray.new_from_values([status, *values])


def _failed(procedure, text: str):
    error = GLib.Error.new_literal(GLib.quark_from_string("frisket"), text, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def _carry_out(action: Action, procedure, run_mode, image, drawables, config) -> Gimp.Layer | None:
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    pixels.check_image(image, action.selection)
    if run_mode != Gimp.RunMode.NONINTERACTIVE and any(a.kind is Kind.FACES for a in action.arguments):
        config.set_property("faces", "")  # those of another picture mean nothing here
    if interactive and action.main:
        from frisket_gimp import dialog, faces

        dialog.ask(
            action,
            procedure,
            config,
            Size(image.get_width(), image.get_height()),
            lambda: _estimate(_wish(action, image, drawables, config)),
            lambda: _engines(action, config),
            lambda: faces.look(image, _wish(action, image, drawables, config)),
        )
    settings.draw_seed(action, config)
    wish = _wish(action, image, drawables, config)
    if interactive:
        _remember(action, wish)
    kind = pixels.kind_of(image)
    progress = Progress(plain(_(action.label)), interactive, picture=action.result is not Result.SELECTION)
    try:
        job, pictures, mask, source = _made(action, image, wish, progress)
    finally:
        progress.close()
    check_unchanged(image, source, kind, job)
    words = str(wish.values.get("prompt", "")).strip()
    origin = Origin.of(action.name, words, source, mask)
    layer = layers.place(action, image, source, pictures, job, wish.values, origin)
    if run_mode != Gimp.RunMode.NONINTERACTIVE and layer is not None and layer.get_image() != image:
        Gimp.Display.new(layer.get_image())
    if interactive and len(pictures) > 1 and layer is not None:
        from frisket_gimp import chooser

        return chooser.choose(layer.get_parent(), wish.address)  # it tells of shortfalls, too
    if interactive:
        tell_shortfalls(pictures)
    return layer


def _remember(action: Action, wish: Wish) -> None:
    """The words, for the next dialog. A courtesy: a folder that cannot be written stops nothing."""
    history = kept.read(prompts.FILE, {})
    new = prompts.with_run(history, action.task, wish.values)
    if new != history:
        with contextlib.suppress(SettingsUnwritable):
            kept.write(prompts.FILE, new)


def _wish(action: Action, image, drawables, config) -> Wish:
    """Raises SourceUnsuitable, ParameterOutOfRange."""
    values = settings.read(action, config)
    style = styles.called(str(values.get("style", "")), styles.known(kept.folder() / "styles"))
    masked = pixels.selects(image, action.selection)
    merged = bool(values.get("sample-merged", not action.wants_layer))
    whole = not masked and action.result is not Result.CANVAS
    source = pixels.find_source(image, drawables, merged, whole)
    if source.layer is not None and source.box.empty and not masked:
        what = _("The layer '{name}' lies outside the canvas").format(name=source.layer.get_name())
        raise SourceUnsuitable(what=what, suggestion=_("Select another layer, or switch on 'Sample merged'."))
    selected = [] if action.result is Result.CANVAS else [source.box]
    if masked:
        selected = [pixels.selected_box(image, source)]
    region = NOWHERE if action.wants_layer else selected[0]
    request = settings.request(action, values, source.frame, source.format, region, style)
    return Wish(values, source, request, selected, masked, kept.server_address(str(values["server"])))


def _made(action: Action, image, wish: Wish, progress: Progress) -> tuple[str, list, bytes | None, pixels.Source]:
    """(job, pictures of the server, the selection in their region, how they travelled). Raises FrisketError."""
    session = progress.do(lambda: server.opened(progress, wish.address))
    plan = progress.do(lambda: session.plan(wish.request, wish.selected))
    source = wish.source
    if pixels.has_own_space(image) and progress.do(lambda: server.is_trained(session, plan.engine)):
        source = pixels.in_srgb(source)
    region = plan.region.clipped(source.box)
    request = with_region(wish.request, source.box if region.empty else region, source.format)
    around = pixels.read(image, source, request.region, progress.turn) if action.wants_layer else None
    mask = pixels.read_selection(image, request.region, progress.turn) if wish.masked else None
    return (*_painted(action, source, request, around, mask, session, progress), mask, source)


def _painted(action: Action, source, request, around, mask, session, progress: Progress) -> tuple[str, list]:
    """(job, pictures) of a request whose pixels and selection have been read. Raises FrisketError."""
    sent = mask if action.wants_layer else None
    if around is not None and progress.previews:
        progress.begin_with(
            pixels.thumbnail(source, request.region, *fitting(request.region.width, request.region.height))
        )
    job, pictures = progress.do(lambda: session.run(request, around, sent, progress))
    session.close()
    if mask is not None and sent is None:  # words alone are painted: what is selected shows of it
        pictures = [replace(picture, mask=mask) for picture in pictures]
    return job, pictures


def repeated(
    title: str, action: Action, image, source, request: EditRequest, around, mask, address: str, interactive: bool
) -> tuple[str, list]:
    """The same for a request that is known whole. around, mask: its pixels and its selection. Raises FrisketError."""
    kind = pixels.kind_of(image)
    progress = Progress(title, interactive, picture=action.result is not Result.SELECTION)
    try:
        session = progress.do(lambda: server.opened(progress, address))
        job, pictures = _painted(action, source, request, around, mask, session, progress)
    finally:
        progress.close()
    check_unchanged(image, source, kind, job)
    return job, pictures


def _estimate(wish: Wish):
    """What the dialog may run off the main thread to say what the server would do with the settings as they are."""
    return lambda: server.estimate(wish.address, wish.request, wish.selected)


def _engines(action: Action, config):
    """What the dialog may run off the main thread to know which engines there are."""
    address = kept.server_address(config.get_property("server") or "")
    return lambda: server.engines(address, action.task)


def check_unchanged(image, source: pixels.Source, kind: tuple, job: str) -> None:
    """GIMP can be used while the server works. Raises ImageChanged when the result has no place any more."""
    what = ""
    if not image.is_valid() or (source.layer is not None and not source.layer.is_valid()):
        what = _("It was closed, or its layer deleted, while the server worked")
    elif pixels.kind_of(image) != kind:
        what = _("It was resized or converted while the server worked")
    if what:
        raise ImageChanged(what=what, job=job)


def tell_shortfalls(pictures) -> None:
    """What a result had to do without is said once, not once per picture."""
    said = dict.fromkeys(text for p in pictures for text in (*(d.detail for d in p.degraded), *p.notes))
    if said:
        Gimp.message("\n".join(said))
