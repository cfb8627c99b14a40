"""An edit of picture files: read, ask the server, put the results back in place."""

from __future__ import annotations

import io
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from frisket.cli.made_by import packet_of
from frisket.client.client import Client
from frisket.client.client import Picture as Result
from frisket.edits.requests import EditRequest, Params
from frisket.engines.spec import Value
from frisket.errors import Cancelled, MaskEmpty, MaskMissing, MaskSizeDiffers, ParameterOutOfRange
from frisket.raster import files, masks, paste, pixels
from frisket.raster.formats import Layout, PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.rpc.convert import error_from_proto


def random_seed() -> int:
    return secrets.randbits(32)


def parse_params(pairs: Sequence[str]) -> dict[str, Value]:
    """NAME=VALUE each; numbers become numbers, true and false become flags. Raises ParameterOutOfRange."""
    found: dict[str, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ParameterOutOfRange(name="--param", value=pair, wanted="NAME=VALUE")
        found[name] = _value(text)
    return found


def _value(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A picture, the mask to repaint in it and where content may be copied from ((h, w) uint8 both, 255 = yes; sources
    None = anywhere), and what is asked for."""

    picture: files.Picture
    mask: np.ndarray
    request: EditRequest | None = None
    sources: np.ndarray | None = None

    @classmethod
    def read(cls, picture: Path, mask: Path | None, sources: Path | None = None, whole: bool = False) -> FileEdit:
        """Without a mask file the transparent part is repainted, or with `whole` everything.

        Raises FileUnreadable, ImageFormatUnsupported, MaskMissing, MaskSizeDiffers, MaskEmpty.
        """
        read = files.read_picture(picture)
        h, w = read.pixels.shape[:2]
        if mask is not None:
            found = files.read_mask(mask)
        elif whole:
            found = np.full((h, w), 255, np.uint8)
        elif read.format.layout.has_alpha:
            found = files.read_mask(picture, from_alpha=True)
        else:
            raise MaskMissing(path=picture)
        allowed = files.read_mask(sources) if sources else None
        for plane in (found, allowed):
            if plane is not None and plane.shape != (h, w):
                raise MaskSizeDiffers(width=w, height=h, mask_width=plane.shape[1], mask_height=plane.shape[0])
        if not found.any():
            raise MaskEmpty(width=w, height=h)
        return cls(read, found, None, allowed)

    def of_its_gaps(self) -> FileEdit:
        """The same with a mask of what is fully transparent; as it is when nothing is, and the server says so."""
        if self.picture.format.layout.has_alpha and (clear := self.picture.pixels[..., -1] <= 0).any():
            return replace(self, mask=clear.astype(np.uint8) * 255)
        return self

    @property
    def size(self) -> Size:
        return Size(self.mask.shape[1], self.mask.shape[0])

    def asking(
        self, params: Params, engine: str, model: str, seed: int, count: int, engine_params: Mapping[str, Value]
    ) -> FileEdit:
        request = EditRequest(
            canvas=self.size,
            region=Box.of(self.size),
            params=params,
            format=self.picture.format,
            engine=engine,
            model=model,
            seed=seed,
            count=count,
            engine_params=engine_params,
        )
        return replace(self, request=request)

    def run(self, client: Client, show: bool) -> list[Result]:
        """Plan, send the planned region, wait with a progress bar, fetch. Ctrl+C cancels the job on the server."""
        request, pixels, mask = self.sent(client)
        sources = None if self.sources is None else self.sources[request.region.slices].tobytes()
        job = client.submit(request, pixels, mask, sources=sources)
        return fetched(client, job.id, request.count, show)

    def sent(self, client: Client) -> tuple[EditRequest, bytes, bytes]:
        """The request for the region that the server plans, and the pixels and the mask over it."""
        assert self.request is not None
        bounds = masks.bounds(self.mask)
        assert bounds is not None
        request = replace(self.request, region=client.plan(self.request, [bounds]).region)
        where = request.region.slices
        return request, self.picture.pixels[where].tobytes(), self.mask[where].tobytes()

    def write(
        self, results: Sequence[Result], output: Path, layer: Path | None, keep_prompt: bool = False
    ) -> list[Path]:
        """The whole pictures, and with `layer` the new pixels alone. Returns the paths of the pictures.

        The files say who made them, with `keep_prompt` also from which words.
        """
        written = []
        for number, result in enumerate(results):
            path = output if number == 0 else numbered(output, number + 1)
            xmp = packet_of(result, self.picture.xmp, keep_prompt)
            files.write_picture(path, replace(self.picture, pixels=self.merged(result), xmp=xmp))
            written.append(path)
            if layer is not None:
                path = layer if number == 0 else numbered(layer, number + 1)
                files.write_picture(path, replace(self.layer_of(result), xmp=xmp))
        return written

    def check_targets(self, output: Path, layer: Path | None) -> None:
        """Before any work is done. Raises FileUnwritable."""
        files.check_target(output, self.picture.format)
        if layer is not None:
            files.check_target(layer, with_alpha(self.picture.format))

    def merged(self, result: Result) -> np.ndarray:
        """The picture with the result shown through its mask; what the mask leaves out is the same to the last bit. The
        result itself where it is the picture made larger."""
        fill = pixels.from_bytes(result.pixels, result.box.size, result.format)
        if result.scale > 1:
            return fill
        alpha = np.frombuffer(result.mask, np.uint8).reshape(fill.shape[:2])
        canvas = self._canvas(result)
        out = np.zeros((canvas.height, canvas.width, fill.shape[2]), fill.dtype)
        out[Box.of(self.size).relative_to(canvas).slices] = self.picture.pixels
        where = result.box.relative_to(canvas).slices
        work = pixels.to_work(fill, result.format)
        out[where] = paste.paste(out[where], work, masks.as_mask(alpha), result.format)
        return out

    def layer_of(self, result: Result) -> files.Picture:
        """The new pixels on a transparent canvas, as the editor's layer shows them."""
        made, wide = cutout(result)
        canvas = self._canvas(result)
        out = np.zeros((canvas.height, canvas.width, made.shape[2]), made.dtype)
        out[result.box.relative_to(canvas).slices] = made
        return replace(self.picture, pixels=out, format=wide)

    def _canvas(self, result: Result) -> Box:
        """The canvas after the edit, in the old one's coordinates: larger after an outpaint or made larger."""
        return Box.of(self.size).joined(result.box)


def cutout(result: Result) -> tuple[np.ndarray, PixelFormat]:
    """The result's pixels with its mask as alpha, and their format."""
    fill = pixels.to_work(pixels.from_bytes(result.pixels, result.box.size, result.format), result.format)
    alpha = np.frombuffer(result.mask, np.uint8).reshape(fill.shape[:2]).astype(np.float32) / 255
    layout = result.format.layout
    own = fill[..., -1] if layout.has_alpha else np.ones_like(alpha)
    wide = with_alpha(result.format)
    return pixels.from_work(np.dstack([fill[..., : layout.colors], own * alpha]).astype(np.float32), wide), wide


def with_alpha(fmt: PixelFormat) -> PixelFormat:
    return PixelFormat(fmt.samples, Layout.RGBA if fmt.layout.colors == 3 else Layout.GRAY_ALPHA)


def fetched(client: Client, job: str, count: int, show: bool) -> list[Result]:
    """Wait with a progress bar, then fetch. Ctrl+C cancels the job on the server."""
    try:
        wait(client, job, show)
    except KeyboardInterrupt:
        client.cancel(job)
        raise
    return [client.result(job, index) for index in range(count)]


def write_result(result: Result, path: Path, keep_prompt: bool = False) -> None:
    """The new pixels alone, transparent where nothing changed."""
    made, wide = cutout(result)
    files.write_picture(path, files.Picture(made, wide, xmp=packet_of(result, keep_prompt=keep_prompt)))


def numbered(path: Path, number: int) -> Path:
    """out.png -> out-2.png"""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def wait(client: Client, job: str, show: bool) -> None:
    """Follow a job to its end, with a bar on standard error. Raises the job's own error."""
    where = sys.stderr if show else io.StringIO()
    with click.progressbar(length=1000, label="Working", show_eta=True, file=where) as bar:
        shown = 0
        for event in client.watch(job):
            what = event.WhichOneof("what")
            if what == "progress":
                now = int(event.progress.fraction * 1000)
                bar.update(max(0, now - shown))
                shown = max(shown, now)
            elif what == "failed":
                raise error_from_proto(event.failed)
            elif what == "cancelled":
                raise Cancelled()
            elif what == "finished":
                bar.update(1000 - shown)
