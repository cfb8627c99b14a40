"""*History*: results that the server still has, into an image. So nothing is lost with a GIMP that ended too early."""

from __future__ import annotations

from dataclasses import replace

from gi.repository import Gimp, GObject

from frisket.edits.requests import EditRequest, OutpaintParams, from_json
from frisket.errors import JobUnknown, NothingFinished
from frisket.raster.formats import PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size
from frisket.rpc.stubs import jobs_pb2
from frisket_gimp import kept, layers, pixels, procedure, server
from frisket_gimp.actions import ACTIONS, Action, Command, Result
from frisket_gimp.languages import _
from frisket_gimp.parasite import Origin
from frisket_gimp.pixels import Source
from frisket_gimp.progress import Progress
from frisket_gimp.settings import SIDES

# The action whose result it is, by the server's name of the task. Selecting leaves nothing to bring back.
OF_TASK = {action.task: action for action in reversed(ACTIONS) if action.result is not Result.SELECTION}
PRECISIONS = {
    (Samples.U8, Transfer.PERCEPTUAL): Gimp.Precision.U8_NON_LINEAR,
    (Samples.U8, Transfer.LINEAR): Gimp.Precision.U8_LINEAR,
    (Samples.U16, Transfer.PERCEPTUAL): Gimp.Precision.U16_NON_LINEAR,
    (Samples.U16, Transfer.LINEAR): Gimp.Precision.U16_LINEAR,
    (Samples.F16, Transfer.PERCEPTUAL): Gimp.Precision.HALF_NON_LINEAR,
    (Samples.F16, Transfer.LINEAR): Gimp.Precision.HALF_LINEAR,
    (Samples.F32, Transfer.PERCEPTUAL): Gimp.Precision.FLOAT_NON_LINEAR,
    (Samples.F32, Transfer.LINEAR): Gimp.Precision.FLOAT_LINEAR,
}


def run(command: Command, called, run_mode, image, drawables, config):
    """GIMP's run function."""

    def work() -> list:
        address = kept.server_address(config.get_property("server") or "")
        if run_mode == Gimp.RunMode.INTERACTIVE:
            from frisket_gimp import history_window

            layer = history_window.show(address, image)
        else:
            layer = bring(_fetched(address, (config.get_property("job") or "").strip()), image)[0]
        return [GObject.Value(Gimp.Layer, layer)]

    return procedure.answered(called, work)


def _fetched(address: str, job: str) -> tuple[str, list]:
    """(its id, its pictures) of a finished job; "" = the newest. Raises FrisketError."""
    progress = Progress(_("History"), interactive=False)
    try:
        session = progress.do(lambda: server.opened(progress, address))
        return progress.do(lambda: fetch(session.client, job))
    finally:
        progress.close()


def fetch(client, job: str) -> tuple[str, list]:
    """Off the main thread. Raises NothingFinished, JobUnknown, and what fetching does."""
    known = {one.id: one for one in finished(client)}
    found = known.get(job) if job else next(iter(known.values()), None)
    if found is None:
        raise JobUnknown(job=job) if job else NothingFinished()
    return found.id, [client.result(found.id, index) for index in range(found.result_count)]


def finished(client) -> list[jobs_pb2.Job]:
    """Those with a result for an image, newest first."""
    return [job for job in jobs(client) if job.state == jobs_pb2.JOB_STATE_FINISHED]


def jobs(client) -> list[jobs_pb2.Job]:
    """GIMP's own that were for an image, whatever became of them, newest first."""
    return [job for job in client.jobs(server.NAME) if job.task in OF_TASK]


def bring(made: tuple[str, list], image) -> tuple[Gimp.Layer, str]:
    """Put the pictures of a job into the image, at their place, in one undo step; into a new image where they do not
    suit this one. Returns the first layer, and a sentence when it is not simply at its place."""
    job, pictures = made
    request = from_json(pictures[0].request_json)
    action, fmt = OF_TASK[request.task.value], pictures[0].format
    remark = ""
    trained = pictures[0].maker is not None and pictures[0].maker.trained
    source = None
    if image is not None:
        source = _place_in(image, action, request, fmt, trained)
        if source is None:
            remark = _("It was made for an image of another size or kind, so it is in a new one.")
    if source is None or image is None:
        image = _new_image(request, fmt)
        source = Source(None, True, Box.of(request.canvas), Box.of(request.canvas), fmt)
    values: dict[str, object] = {"unit": "px", "into": "image", **dict.fromkeys(SIDES, 0)}
    if isinstance(request.params, OutpaintParams) and source.frame.size == Size(image.get_width(), image.get_height()):
        values |= {side: getattr(request.params, side) for side in SIDES}
    words = str(getattr(request.params, "prompt", ""))
    origin = replace(Origin.of(action.name, words, source, None), masked=action.result is Result.MASKED)
    layer = layers.place(action, image, source, pictures, job, values, origin)
    assert layer is not None
    return layer, remark


def _place_in(image, action: Action, request: EditRequest, fmt: PixelFormat, trained: bool) -> Source | None:
    """Where it belongs in this image; None where it does not suit. trained: of the engine that made it."""
    srgb = trained and pixels.has_own_space(image) and (fmt.samples, fmt.transfer) == (Samples.F32, Transfer.PERCEPTUAL)
    if image.get_base_type() != _base(fmt) or not (srgb or pixels.samples_of(image) == (fmt.samples, fmt.transfer)):
        return None
    source = _frame_in(image, action, request, fmt)
    return replace(source, srgb=srgb) if source else None


def _frame_in(image, action: Action, request: EditRequest, fmt: PixelFormat) -> Source | None:
    """The same for an image of its kind."""
    canvas = Box(0, 0, image.get_width(), image.get_height())
    chosen = next(iter(image.get_selected_layers()), None)
    params = request.params
    if canvas.size == request.canvas:
        return Source(chosen, True, canvas, canvas, fmt)
    if isinstance(params, OutpaintParams):
        old = Box(params.left, params.top, request.canvas.width, request.canvas.height)
        wide, high = old.width + params.left + params.right, old.height + params.top + params.bottom
        return Source(chosen, True, old, Box.of(old.size), fmt) if canvas.size == Size(wide, high) else None
    if chosen is not None and action.result is not Result.PLAIN:  # of a whole layer, which had a frame of its own
        source = pixels.find_source(image, [chosen], merged=False, whole=True)
        return replace(source, format=fmt) if source.frame.size == request.canvas else None
    return None


def _new_image(request: EditRequest, fmt: PixelFormat) -> Gimp.Image:
    """Empty, of the size and kind that the result was made for."""
    precision = PRECISIONS[fmt.samples, fmt.transfer]
    return Gimp.Image.new_with_precision(request.canvas.width, request.canvas.height, _base(fmt), precision)


def _base(fmt: PixelFormat) -> Gimp.ImageBaseType:
    return Gimp.ImageBaseType.GRAY if fmt.layout.colors == 1 else Gimp.ImageBaseType.RGB


def thumbnail(picture, side: int):
    """A pixbuf of it, at most `side` px wide and high. By way of an image that nobody sees: GIMP knows the formats."""
    size, fmt = picture.box.size, picture.format
    image = Gimp.Image.new_with_precision(size.width, size.height, _base(fmt), PRECISIONS[fmt.samples, fmt.transfer])
    try:
        layer = layers.bare(image, "", size, fmt.layout)
        layers.write(layer, pixels.native_format(layer), picture.pixels)
        scale = min(1.0, side / max(size.width, size.height))
        wide, high = max(1, round(size.width * scale)), max(1, round(size.height * scale))
        return layer.get_thumbnail(wide, high, Gimp.PixbufTransparency.SMALL_CHECKS)
    finally:
        image.delete()
