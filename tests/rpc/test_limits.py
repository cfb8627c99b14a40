"""A header is judged by itself: at each limit it passes, one beyond it is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from frisket.edits.requests import EditRequest, InpaintParams, OutpaintParams, UpscaleParams
from frisket.errors import FrisketError, ImageTooLarge, ParameterOutOfRange
from frisket.raster.codecs import max_encoded_bytes
from frisket.raster.formats import Codec, Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.rpc import convert
from frisket.rpc.limits import MASK_FORMAT, Limits, check_bytes
from frisket.rpc.stubs import images_pb2, studio_pb2

LIMITS = Limits(max_pixels=1000, max_side=100, max_id=8, max_boxes=3)
SIZE = Size(20, 10)
FLOAT = PixelFormat(Samples.F32)


def plane(size: Size, fmt: PixelFormat, codec: Codec = Codec.RAW, total: int | None = None) -> images_pb2.ImageHeader:
    return images_pb2.ImageHeader(
        size=convert.size_to_proto(size),
        format=convert.format_to_proto(fmt),
        codec=convert.CODECS[codec],
        total_bytes=size.area * fmt.pixel_bytes if total is None else total,
    )


def judge(size=SIZE, mask=None, sources=None, region=None, fmt=PixelFormat(), sent=None, params=None, **fields) -> None:
    """A request for `region` whose pixels have the format `fmt`; the header says `size` and `sent`."""
    region = region or Box.of(size)
    canvas = Size(max(region.right, 1), max(region.bottom, 1))
    request = EditRequest(canvas, region, params or InpaintParams(), fmt)
    ids: dict[str, Any] = {"request_id": "id", "client_name": "me"}
    header = studio_pb2.SubmitHeader(
        **ids | fields,
        pixels=sent or plane(size, fmt),
        mask=mask or plane(size, MASK_FORMAT),
        sources=sources,
    )
    LIMITS.check_submission(header, request)


GOOD = {
    "plain": {},
    "the most pixels": {"size": Size(100, 10)},
    "float": {"fmt": FLOAT},
    "ids of full length": {"request_id": "x" * 8, "client_name": "y" * 8},
    "no name": {"client_name": ""},
    "sources": {"sources": plane(SIZE, MASK_FORMAT)},
    "mask of linear gray": {"mask": plane(SIZE, PixelFormat(Samples.U8, Layout.GRAY))},
    "zstd mask": {"mask": plane(SIZE, MASK_FORMAT, Codec.ZSTD, 5)},
    "a small png": {"sent": plane(SIZE, PixelFormat(), Codec.PNG, 60)},
    "grown to the most pixels": {"params": OutpaintParams(left=10, right=20, top=10)},
    "not grown": {"params": OutpaintParams(transparent=True)},
    "enlarged to the most pixels": {"size": Size(16, 6), "params": UpscaleParams(3)},
}
BAD = {
    "too wide": ({"size": Size(101, 1)}, "image-too-large"),
    "too many pixels": ({"size": Size(100, 11)}, "image-too-large"),
    "grown to too many pixels": ({"params": OutpaintParams(left=10, right=21, top=10)}, "image-too-large"),
    "enlarged to too many pixels": ({"size": Size(16, 7), "params": UpscaleParams(3)}, "image-too-large"),
    "grown too wide": ({"params": OutpaintParams(right=81)}, "image-too-large"),
    "no size": ({"sent": plane(Size(0, 10), PixelFormat())}, "request-invalid"),
    "not the region": ({"region": Box(0, 0, 10, 20)}, "region-invalid"),
    "another format": ({"sent": plane(SIZE, FLOAT)}, "request-invalid"),
    "no id": ({"request_id": ""}, "parameter-out-of-range"),
    "a long id": ({"request_id": "x" * 9}, "parameter-out-of-range"),
    "a long name": ({"client_name": "x" * 9}, "parameter-out-of-range"),
    "a smaller mask": ({"mask": plane(Size(20, 9), MASK_FORMAT)}, "mask-size-differs"),
    "a mask of colour": ({"mask": plane(SIZE, PixelFormat())}, "request-invalid"),
    "a mask of 16 bit": ({"mask": plane(SIZE, PixelFormat(Samples.U16, Layout.GRAY))}, "request-invalid"),
    "smaller sources": ({"sources": plane(Size(19, 10), MASK_FORMAT)}, "mask-size-differs"),
    "sources of colour": ({"sources": plane(SIZE, PixelFormat())}, "request-invalid"),
    "one byte too few": ({"sent": plane(SIZE, PixelFormat(), total=599)}, "request-invalid"),
    "one byte too many": ({"sent": plane(SIZE, PixelFormat(), total=601)}, "upload-too-large"),
    "one mask byte too many": ({"mask": plane(SIZE, MASK_FORMAT, total=201)}, "upload-too-large"),
    "float in png": ({"fmt": FLOAT, "sent": plane(SIZE, FLOAT, Codec.PNG, 60)}, "request-invalid"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_taken(name: str) -> None:
    judge(**GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    changes, slug = BAD[name]
    with pytest.raises(FrisketError) as caught:
        judge(**changes)
    assert caught.value.slug == slug


@pytest.mark.parametrize("codec", [Codec.STRIP_ZSTD, Codec.PNG, Codec.ZSTD])
def test_an_encoded_plane_may_be_as_long_as_its_codec_makes_it(codec: Codec) -> None:
    fmt = MASK_FORMAT if codec is Codec.ZSTD else PixelFormat()
    most = max_encoded_bytes(fmt, SIZE, codec)
    assert check_bytes("pixels", plane(SIZE, fmt, codec, most), fmt) is codec
    with pytest.raises(FrisketError) as caught:
        check_bytes("pixels", plane(SIZE, fmt, codec, most + 1), fmt)
    assert caught.value.data == {"declared": str(most + 1), "plane": "pixels", "limit": str(most)}


def test_the_numbers_are_told() -> None:
    with pytest.raises(ImageTooLarge) as caught:
        Limits().check_size(Size(20_000, 10_000))
    assert caught.value.data["megapixels"] == "200.0"
    assert caught.value.data["limit"] == "128.0"


def test_a_selection_has_so_many_parts() -> None:
    LIMITS.check_selection(3)
    with pytest.raises(ParameterOutOfRange):
        LIMITS.check_selection(4)


def test_an_id_has_a_length() -> None:
    Limits(max_id=3).check_id("model", "abc")
    for value in ("", "abcd"):
        with pytest.raises(ParameterOutOfRange) as caught:
            Limits(max_id=3).check_id("model", value)
        assert caught.value.data["name"] == "model"
