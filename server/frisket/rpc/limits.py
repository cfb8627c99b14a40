"""What the server takes. Checked on the header, before a byte of pixels is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from frisket.edits.requests import NEEDS, EditRequest, Plane
from frisket.edits.results import Plan
from frisket.errors import (
    ImageTooLarge,
    MaskSizeDiffers,
    ParameterOutOfRange,
    RegionInvalid,
    RequestInvalid,
    UploadTooLarge,
)
from frisket.raster.formats import Codec, Layout, PixelFormat, Samples
from frisket.raster.geometry import Size
from frisket.rpc import convert
from frisket.rpc.stubs import images_pb2, studio_pb2

MASK_FORMAT = PixelFormat(Samples.U8, Layout.GRAY)


@dataclass(frozen=True, slots=True)
class Limits:
    """max_pixels and max_side of one sent region, and of what outpaint or upscale makes of it; max_id characters of
    ids and client names."""

    max_pixels: int = 128_000_000  # 128 MP of RGBA float is 2 GB: what one job may cost in memory and disk
    max_side: int = 32_767
    max_id: int = 128
    max_boxes: int = 4096  # parts of a selection in one PlanEdit; a client joins them itself beyond that
    chunk_bytes: int = 1 << 20

    def check_size(self, size: Size) -> None:
        """Raises ImageTooLarge."""
        if size.area > self.max_pixels or size.longer > self.max_side:
            raise ImageTooLarge(
                width=size.width,
                height=size.height,
                megapixels=round(size.area / 1e6, 1),
                limit=round(self.max_pixels / 1e6, 1),
                side=self.max_side,
            )

    def check_plan(self, request: EditRequest, plan: Plan) -> None:
        """Whether an edit of that plan would be taken. Raises ImageTooLarge."""
        from frisket.edits.plan import sheet_of

        laid_out = sheet_of(replace(request, region=plan.region))
        for box in (plan.region, laid_out, *(piece.crop for piece in plan.pieces)):
            self.check_size(box.size)

    def check_selection(self, boxes: int) -> None:
        """Raises ParameterOutOfRange."""
        if boxes > self.max_boxes:
            raise ParameterOutOfRange(name="selection", value=f"{boxes} boxes", wanted=f"at most {self.max_boxes}")

    def check_id(self, name: str, value: str) -> None:
        """Raises ParameterOutOfRange for an id, called `name`, that can be none's."""
        if not 0 < len(value) <= self.max_id:
            wanted = f"an id of at most {self.max_id} characters"
            raise ParameterOutOfRange(name=name, value=value[:40] or "empty", wanted=wanted)

    def check_submission(self, header: studio_pb2.SubmitHeader, request: EditRequest) -> None:
        """Everything that a header can be wrong about.

        Raises RequestInvalid, ImageTooLarge, RegionInvalid, MaskSizeDiffers, UploadTooLarge, ParameterOutOfRange.
        """
        if not 0 < len(header.request_id) <= self.max_id:
            raise ParameterOutOfRange(name="request_id", value=header.request_id[:40] or "empty", wanted="a UUID")
        if len(header.client_name) > self.max_id:
            raise ParameterOutOfRange(name="client_name", value="too long", wanted=f"at most {self.max_id} characters")
        from frisket.edits.plan import sheet_of

        sent = sent_planes(header)
        for plane in Plane:
            if plane in NEEDS[request.task] and plane not in sent:
                detail = f"The task {request.task.value} needs the {plane.value}, and the header declares none"
                raise RequestInvalid(detail=detail)
        if Plane.PIXELS in sent:
            self._check_pixels(header.pixels, request)
        self.check_size(request.region.size)
        if request.region.empty:
            raise RegionInvalid(region=request.region, width=request.canvas.width, height=request.canvas.height)
        self.check_size(sheet_of(request).size)
        for plane in (Plane.MASK, Plane.SOURCES):
            if plane in sent:
                _check_mask(plane.value, sent[plane], request.region.size)

    def _check_pixels(self, header: images_pb2.ImageHeader, request: EditRequest) -> None:
        size = convert.size_from_proto(header.size)
        self.check_size(size)
        if size.area < 1:
            raise RequestInvalid(detail=f"The pixels are declared as {size}")
        if size != request.region.size:
            raise RegionInvalid(region=request.region, width=request.canvas.width, height=request.canvas.height)
        if convert.format_from_proto(header.format) != request.format:
            raise RequestInvalid(detail="The format of the pixels differs from the request's")
        check_bytes("pixels", header, request.format)


def sent_planes(header: studio_pb2.SubmitHeader) -> dict[Plane, images_pb2.ImageHeader]:
    """The planes that a header declares."""
    fields = ((Plane.PIXELS, header.pixels), (Plane.MASK, header.mask), (Plane.SOURCES, header.sources))
    return {plane: own for plane, own in fields if header.HasField(plane.value)}


def _check_mask(plane: str, header: images_pb2.ImageHeader, size: Size) -> None:
    own = convert.size_from_proto(header.size)
    if own != size:
        raise MaskSizeDiffers(width=size.width, height=size.height, mask_width=own.width, mask_height=own.height)
    fmt = convert.format_from_proto(header.format)
    if (fmt.samples, fmt.layout) != (MASK_FORMAT.samples, MASK_FORMAT.layout):
        raise RequestInvalid(detail=f"The {plane} plane is {fmt}, it must be 8-bit gray")
    check_bytes(plane, header, MASK_FORMAT)


def check_bytes(plane: str, header: images_pb2.ImageHeader, fmt: PixelFormat) -> Codec:
    """Whether total_bytes can be true for that size, format and codec. Raises UploadTooLarge, RequestInvalid."""
    from frisket.raster.codecs import max_encoded_bytes

    codec = convert.codec_from_proto(header.codec)
    if codec is Codec.PNG and fmt.samples.is_float:
        raise RequestInvalid(detail="PNG holds no float samples")
    size = convert.size_from_proto(header.size)
    raw = size.area * fmt.pixel_bytes
    if codec is Codec.RAW and header.total_bytes < raw:
        raise RequestInvalid(detail=f"{header.total_bytes} bytes of {plane} were announced, {size} raw are {raw}")
    limit = raw if codec is Codec.RAW else max_encoded_bytes(fmt, size, codec)
    if header.total_bytes > limit:
        raise UploadTooLarge(declared=header.total_bytes, plane=plane, limit=limit)
    return codec
