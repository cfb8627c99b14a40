"""A model whose right answer is known, through the whole of `edits`: its colour in the hole, nothing changed beside."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion import zoo
from engines.diffusion.analytic import colour_painter, plain_painter
from fakes.tellers import Listener
from frisket.edits.plan import plan_selection, two_passes
from frisket.edits.requests import EditRequest, InpaintParams, MaskDials, to_json
from frisket.edits.results import ResultMeta
from frisket.edits.run import EngineEasel
from frisket.engines.registry import Registry
from frisket.engines.spec import Task
from frisket.models import record as records
from frisket.models.choice import LOCK
from frisket.models.families import Family
from frisket.raster import pixels
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size

pytestmark = [pytest.mark.diffusion]
RED = (0.9, 0.1, 0.1)
HARD = MaskDials(grow=0, feather=0, blend=0)
SCHEDULERS = ["native", "euler", "dpm++"]  # the painter's own is DDIM
BENT = 20 / 255  # by so much, at the border up to 40 / 255, the house bends a fill to meet what is around it
SHARES = [0, 0.01, 0.1, 0.5, 0.9]  # of the picture; 0 is one pixel
SMALL = [(1, 2), (3, 1), (31, 17), (1, 400), (101, 83), (333, 217), (37, 4000), (4000, 37)]
MIDDLE = [(1000, 700)]
LARGE = [(2000, 1500), (1500, 4000), (4000, 4000)]
RGB = PixelFormat()


@pytest.fixture(scope="module")
def easel(tmp_path_factory: pytest.TempPathFactory) -> EngineEasel:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("models")
    for family, make, name in [
        (Family.SD15_INPAINT, colour_painter, "painter"),
        (Family.SD15, plain_painter, "plain"),
    ]:
        made = zoo.install(family, make(tmp_path_factory.mktemp("made") / name, RED), root, name)
        (root / name / LOCK).unlink()
        records.write(root / name, replace(made, defaults={"native_px": 96}))  # small is quick
    return EngineEasel(Registry.installed(root))


def picture(size: tuple[int, int], fmt: PixelFormat = RGB) -> np.ndarray:
    """(h, w, c) in the format's samples: slopes and grain."""
    w, h = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    slopes = np.stack([0.2 + 0.5 * x / w, 0.3 + 0.4 * y / h, 0.7 - 0.4 * x / w], -1)
    slopes += np.random.default_rng(3).normal(0, 0.05, slopes.shape).astype(np.float32)
    return in_format(np.clip(slopes, 0, 1), fmt)


def in_format(work: np.ndarray, fmt: PixelFormat) -> np.ndarray:
    """(h, w, 3) work values as (h, w, c) of the format, opaque."""
    opaque = np.ones((*work.shape[:2], fmt.layout.channels), np.float32)
    return pixels.from_work(pixels.from_rgb(work.astype(np.float32), opaque, fmt.layout), fmt)


def hole_of(share: float, size: tuple[int, int]) -> np.ndarray:
    w, h = size
    mask = np.zeros((h, w), np.uint8)
    rows, columns = (max(1, round(side * share**0.5)) for side in (h, w))
    top, left = (h - rows) // 2, (w - columns) // 2
    mask[top : top + rows, left : left + columns] = 255
    return mask


def painted(
    easel: EngineEasel,
    before: np.ndarray,
    mask: np.ndarray,
    fmt: PixelFormat,
    scheduler: str,
    dials: MaskDials,
    engine: str = "painter",
) -> tuple[np.ndarray, np.ndarray, float]:
    """(picture with the result laid over it, mask of the result over the whole picture, working px per px)."""
    canvas = Size(before.shape[1], before.shape[0])
    chosen = {"steps": 3, "scheduler": scheduler, "guidance_scale": 1.0}
    request = EditRequest(
        canvas, Box.of(canvas), InpaintParams("red", dials=dials), fmt, engine=engine, engine_params=chosen, seed=1
    )
    planes = {"pixels": memoryview(before.tobytes()), "mask": memoryview(mask.tobytes())}
    (done,) = easel.run(to_json(request), planes, Listener())
    here = ResultMeta.from_json(done.meta).box.slices
    new, weight = np.asarray(done.planes[0]), np.zeros(mask.shape, np.uint8)
    weight[here] = np.asarray(done.planes[1])
    laid = before.copy()
    shown = weight[here] == 255
    laid[here][shown] = new[shown]
    x, y, w, h = cv2.boundingRect(mask)
    (piece,) = plan_selection(request, [Box(x, y, w, h)], easel._registry.find(engine).spec).pieces
    return laid, weight, piece.working.longer / piece.crop.size.longer


def check(
    easel: EngineEasel,
    size: tuple[int, int],
    share: float,
    scheduler: str,
    fmt: PixelFormat = RGB,
    engine: str = "painter",
) -> None:
    before, mask = picture(size, fmt), hole_of(share, size)
    laid, weight, scale = painted(easel, before, mask, fmt, scheduler, HARD, engine)
    np.testing.assert_array_equal(weight, mask)
    np.testing.assert_array_equal(laid[mask == 0], before[mask == 0])
    full = 1.0 if fmt.samples.is_float else float(np.iinfo(before.dtype).max)
    off = np.abs(laid.astype(np.float64) - in_format(np.array([[RED]]), fmt)).max(-1) / full
    # Where the model sees the picture smaller than it is, enlarging mixes the two sides of the hole's border.
    margin = math.ceil(1.5 / min(scale, 1)) if scale < 1 else 0
    inside = cv2.erode(mask, np.ones((2 * margin + 1,) * 2, np.uint8)) > 0
    about = np.median(off[mask > 0]) * 255
    assert about <= (8 if inside.any() else 20), (size, share, scheduler, about)
    if inside.any():
        assert off[inside].max() <= BENT, (size, share, scheduler, off[inside].max() * 255)


@pytest.mark.parametrize("size", SMALL, ids=str)
def test_its_colour_in_the_hole_and_nothing_beside(easel: EngineEasel, size: tuple[int, int]) -> None:
    for share in SHARES:
        for scheduler in SCHEDULERS:
            check(easel, size, share, scheduler)


SLOW = [pytest.param(size, id=str(size), marks=pytest.mark.slow) for size in LARGE]


@pytest.mark.parametrize("size", [*MIDDLE, *SLOW], ids=str)
def test_its_colour_in_large_pictures(easel: EngineEasel, size: tuple[int, int]) -> None:
    for number, share in enumerate(SHARES):
        check(easel, size, share, SCHEDULERS[number % 3])


FORMATS = [PixelFormat(samples, layout) for samples in Samples for layout in Layout]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_its_colour_in_every_format(easel: EngineEasel, fmt: PixelFormat) -> None:
    check(easel, (101, 83), 0.3, "native", fmt)


def test_one_pixel_is_a_whole_picture(easel: EngineEasel) -> None:
    laid, weight, _ = painted(easel, picture((1, 1)), np.full((1, 1), 255, np.uint8), RGB, "native", HARD)
    assert weight[0, 0] == 255
    assert np.abs(laid[0, 0] - np.rint(np.array(RED) * 255)).max() <= 2


@pytest.mark.parametrize("corner", [(0, 0), (100, 0), (0, 82), (100, 82)], ids=str)
def test_a_pixel_in_a_corner(easel: EngineEasel, corner: tuple[int, int]) -> None:
    before, mask = picture((101, 83)), np.zeros((83, 101), np.uint8)
    mask[corner[1], corner[0]] = 255
    laid, weight, _ = painted(easel, before, mask, RGB, "euler", HARD)
    np.testing.assert_array_equal(weight, mask)
    assert np.abs(laid[mask > 0][0] - np.rint(np.array(RED) * 255)).max() <= 8
    np.testing.assert_array_equal(laid[mask == 0], before[mask == 0])


def test_the_automatic_dials_reach_no_further_than_they_say(easel: EngineEasel) -> None:
    before, mask = picture((333, 217)), hole_of(0.1, (333, 217))
    laid, weight, _ = painted(easel, before, mask, RGB, "native", MaskDials())
    beyond = weight == 0
    assert (weight[mask > 0] == 255).all()
    grown = cv2.dilate(mask, np.ones((81, 81), np.uint8))
    assert beyond[grown == 0].all()
    assert not beyond[cv2.dilate(mask, np.ones((5, 5), np.uint8)) > 0].any(), "a seam just beside the selection"
    np.testing.assert_array_equal(laid[beyond], before[beyond])
    assert np.median(np.abs(laid[mask > 0] - np.rint(np.array(RED) * 255))) <= 8


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("size", [(101, 83), (520, 390)], ids=str)
def test_a_model_not_trained_for_holes_and_its_second_pass(
    easel: EngineEasel, size: tuple[int, int], scheduler: str
) -> None:
    """It blends; the larger picture is laid out small and gone over in tiles, which must not show."""
    shares = SHARES if size == (101, 83) else [0.2, 0.9]
    spec = easel._registry.find("plain").spec
    assert two_passes(Size(*size), Task.INPAINT, spec) == (size != (101, 83))
    for share in shares:
        check(easel, size, share, scheduler, engine="plain")
