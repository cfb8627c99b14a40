"""Restore faces with toy engines: what is changed, how far, and that everything else keeps its bits."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from fakes.faces import CheckRestorer, HalfParser, ToyDetector, row_at
from fakes.tellers import Listener
from frisket.edits import restore_faces
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, RestoreFacesParams
from frisket.edits.results import DegradationKind
from frisket.engines.faces.enhance import ENGINE as CLEAR
from frisket.engines.spec import EngineSpec, Task
from frisket.engines.upscale.edges import ENGINE as EDGES
from frisket.errors import Cancelled, EngineFailed, ImageNotFinite, NoFaceFound, OutOfMemory
from frisket.raster import masks, paste, pixels
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size

CANVAS = Size(220, 160)
FORMATS = [PixelFormat(s, l) for s in Samples for l in Layout]
ONE = row_at(80, 70, 24)
TWO = row_at(150, 80, 20, score=0.8)


def picture(fmt: PixelFormat, size: Size = CANVAS) -> np.ndarray:
    """Smooth values with some grain, alpha from 0 to 1 in its upper rows where there is one."""
    rng = np.random.default_rng(1)
    work = np.empty((size.height, size.width, fmt.layout.channels), np.float32)
    work[...] = 0.35 + 0.3 * np.linspace(0, 1, size.width)[None, :, None] + rng.normal(0, 0.02, work.shape)
    if fmt.layout.has_alpha:
        work[..., -1] = np.clip(np.linspace(-0.5, 3, size.height), 0, 1)[:, None]
    return pixels.from_work(work, fmt)


def do(
    image: np.ndarray,
    fmt: PixelFormat = PixelFormat(),
    rows=(ONE,),
    engine=None,
    mask: np.ndarray | None = None,
    region: Box | None = None,
    tell: Listener | None = None,
    parser=None,
    upscaler=None,
    seeds: int = 1,
    **params,
) -> list[Painted]:
    size = Size(image.shape[1], image.shape[0])
    region = region or Box.of(size)
    request = EditRequest(CANVAS, region, RestoreFacesParams(**params), fmt, count=seeds)
    mask = np.full(image.shape[:2], 255, np.uint8) if mask is None else mask
    crew = {Task.DETECT_FACES: ToyDetector(rows), Task.PARSE_FACES: parser, Task.UPSCALE: upscaler}
    crew = {task: helper for task, helper in crew.items() if helper}
    progress = Progress(tell or Listener())
    made = restore_faces.run(request, Planes(image, mask), engine or CheckRestorer(), progress, crew)
    for one in made:
        assert one.pixels.shape[:2] == one.mask.shape == (one.meta.box.height, one.meta.box.width)
        assert one.mask.dtype == np.uint8
    do.degraded = [d.kind for d in progress.degraded]  # type: ignore[attr-defined]
    return made


def merged(image: np.ndarray, done: Painted, fmt: PixelFormat = PixelFormat()) -> np.ndarray:
    """The picture as a client puts it together."""
    out = image.copy()
    here = done.meta.box.slices
    out[here] = paste.paste(image[here], pixels.to_work(done.pixels, fmt), masks.as_mask(done.mask), fmt)
    return out


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_the_face_changes_and_all_else_keeps_its_bits(fmt: PixelFormat) -> None:
    image = picture(fmt)
    (done,) = do(image, fmt, strength=1.0)
    assert done.pixels.dtype == image.dtype
    out = merged(image, done, fmt)
    seen = np.zeros(image.shape[:2], bool)
    seen[done.meta.box.slices] = done.mask > 0
    assert (out[~seen] == image[~seen]).all()
    assert (done.pixels[done.mask == 0] == image[done.meta.box.slices][done.mask == 0]).all()
    assert done.meta.box.height < 80, "the box is the face's, not the picture's"
    before, after = pixels.to_work(image, fmt), pixels.to_work(out, fmt)
    if fmt.layout.has_alpha:
        assert np.abs(after[..., -1] - before[..., -1]).max() < 1e-3, "alpha is kept"
    colors = slice(0, fmt.layout.colors)
    middle = np.abs(after - before)[72:98, 66:94, colors]  # within the oval
    assert 0.1 < np.percentile(middle, 75) < 0.25, "checks of +-0.2"


def test_an_engine_that_changes_nothing_changes_no_bit() -> None:
    for fmt in FORMATS:
        image = picture(fmt)
        (done,) = do(image, fmt, engine=CheckRestorer(0.0), strength=1.0)
        assert (done.pixels == image[done.meta.box.slices]).all(), fmt
        assert done.mask.max() == 255


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_strength_0_is_the_same_picture_and_the_way_from_there_is_monotone(fmt: PixelFormat) -> None:
    image = picture(fmt)
    away = []
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        (done,) = do(image, fmt, strength=strength)
        out = merged(image, done, fmt)
        away.append(np.abs(pixels.to_work(out, fmt) - pixels.to_work(image, fmt)).sum())
        if strength == 0:
            assert out.tobytes() == image.tobytes()
            assert (done.pixels == image[done.meta.box.slices]).all()
    assert all(a < b for a, b in pairwise(away)), away


def test_linear_documents_come_back_within_rounding_where_nothing_is_restored() -> None:
    fmt = PixelFormat(Samples.F32, Layout.RGB, Transfer.LINEAR)
    image = picture(fmt) * 4 - 0.5  # light brighter than white, and some that is none
    (done,) = do(image, fmt, strength=1.0)
    out = merged(image, done, fmt)
    outside = np.ones(image.shape[:2], bool)
    outside[done.meta.box.slices] = done.mask == 0
    assert (out[outside] == image[outside]).all()
    assert np.isfinite(out).all()
    assert out.min() >= image.min(), "nothing is darker than black that was not"


def test_same_seed_same_bytes_and_a_picture_for_each_seed() -> None:
    image = picture(PixelFormat())
    first, second = do(image, seeds=2)
    (again,) = do(image)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.mask.tobytes() == again.mask.tobytes()
    assert (first.meta.seed, second.meta.seed) == (0, 1)


def test_the_tone_of_the_face_stays_that_of_the_picture() -> None:
    image = picture(PixelFormat())

    class Bright(CheckRestorer):
        def run(self, work, report):
            tint = np.array((0.3, 0.0, -0.2), np.float32)
            return [np.clip(face + tint, 0, 1) for face in super().run(work, report)]

    (done,) = do(image, engine=Bright(), strength=1.0)
    here = image[done.meta.box.slices]
    inner = done.mask > 250
    assert np.abs(done.pixels[inner].mean(axis=0) - here[inner].mean(axis=0)).max() < 6, "of 255"
    assert np.abs(done.pixels[inner].astype(int) - here[inner]).mean() > 20, "the checks are there"


def test_faces_are_picked_by_box_and_by_mask() -> None:
    image = picture(PixelFormat())
    whole = (ONE, TWO)
    (both,) = do(image, rows=whole)
    assert len(both.meta.faces) == 2
    assert [f.trouble for f in both.meta.faces] == ["", ""]
    assert both.meta.faces[0].box == Box(56, 54, 48, 48)
    assert both.meta.faces[0].landmarks[0] == pytest.approx((68, 70), abs=0.1)
    (by_box,) = do(image, rows=whole, faces=(Box(130, 60, 40, 60),))
    assert by_box.meta.box.x > 110
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[60:90, 60:100] = 255
    (by_mask,) = do(image, rows=whole, mask=mask)
    assert by_mask.meta.box.right < 130
    assert len(by_mask.meta.faces) == 2, "those that were left alone are told of too"


@pytest.mark.parametrize(
    ("rows", "params", "says"),
    [
        ((), {}, "no face"),
        ((ONE,), {"faces": (Box(0, 0, 9, 9),)}, "one face, but none where it was asked for"),
        ((row_at(80, 70, 4), row_at(150, 80, 3)), {}, "2 faces, too small"),
    ],
)
def test_no_face_is_an_error_with_its_reason(rows, params, says: str) -> None:
    with pytest.raises(NoFaceFound, match=says):
        do(picture(PixelFormat()), rows=rows, **params)


def test_small_and_unclear_faces_are_left_and_told() -> None:
    image = picture(PixelFormat())
    rows = (ONE, row_at(150, 40, 4), row_at(150, 100, 20, points=False))
    (done,) = do(image, rows=rows, engine=CheckRestorer(trained=True))
    _, small, unclear = done.meta.faces
    assert "4.0 px apart" in small.trouble
    assert "not found" in unclear.trouble
    assert done.meta.box.right < 130
    assert any("2 of the faces" in note for note in done.meta.notes)
    (done,) = do(image, rows=rows, engine=CheckRestorer(trained=False))
    assert [bool(face.trouble) for face in done.meta.faces] == [False, True, False], "classical: needs no upright face"


@pytest.mark.parametrize(
    ("height", "strength", "told"), [(0.0, 1.0, "nothing to restore"), (0.2, 0.0, "strength is 0")]
)
def test_where_nothing_was_changed_nothing_is_said_to_be(height: float, strength: float, told: str) -> None:
    image = picture(PixelFormat())
    (done,) = do(image, engine=CheckRestorer(height, trained=True), strength=strength)
    assert (done.pixels == image[done.meta.box.slices]).all()
    assert told in done.meta.notes[0]
    assert "restored by" not in done.meta.notes[0]


@pytest.mark.parametrize("upscale", [1, 2])
def test_a_face_whose_points_lie_beyond_the_picture_is_left_and_told(upscale: int) -> None:
    beyond = [200, 60, 40, 40, *row_at(300, 70, 10)[4:14], 0.7]
    (done,) = do(picture(PixelFormat()), rows=(ONE, beyond), upscale=upscale, upscaler=EDGES, tell=Listener())
    assert [face.trouble for face in done.meta.faces] == ["", "Its eyes, nose and mouth lie beyond the picture."]


def test_notes_say_who_restored_and_under_which_licence() -> None:
    image = picture(PixelFormat())
    (done,) = do(image, engine=CheckRestorer(trained=True))
    assert done.meta.notes == ("Faces were restored by Toy restorer. Its licence: CC-BY-NC-4.0.",)
    (done,) = do(image, engine=CLEAR)
    assert "classical" in done.meta.notes[0]


def many(count: int) -> list[list[float]]:
    return [row_at(20 + 20 * (k % 9), 20 + 30 * (k // 9), 6, score=0.9 - k / 100) for k in range(count)]


def test_faces_go_to_the_engine_some_at_a_time_with_their_frames() -> None:
    image, engine = picture(PixelFormat()), CheckRestorer()
    (done,) = do(image, rows=many(20), engine=engine)
    assert [len(w.crop) for w in engine.works] == [8, 8, 4]
    work = engine.works[0]
    assert work.crop.shape == (8, 512, 512, 3)
    assert (work.task, work.hole.shape, work.hole.min()) == (Task.RESTORE_FACES, (512, 512), 1)
    eyes = np.array([face.landmarks[0] for face in done.meta.faces])
    for work in engine.works:
        assert work.frames is not None
        for frame in work.frames:
            seen = eyes @ frame[:, :2].T + frame[:, 2]
            assert np.abs(seen - (193, 240)).max(axis=1).min() < 1, "it takes a right eye to its place"


def test_a_batch_that_fails_goes_one_by_one_and_is_told() -> None:
    image = picture(PixelFormat())
    engine = CheckRestorer(fails="together")
    (done,) = do(image, rows=(ONE, TWO), engine=engine)
    assert do.degraded == [DegradationKind.ONE_BY_ONE]  # type: ignore[attr-defined]
    assert [len(w.crop) for w in engine.works] == [2, 1, 1]
    (plain,) = do(image, rows=(ONE, TWO))
    assert done.pixels.tobytes() == plain.pixels.tobytes()


def test_a_face_that_fails_alone_is_told_and_the_others_are_done() -> None:
    image = picture(PixelFormat())
    (done,) = do(image, rows=(ONE, TWO), engine=CheckRestorer(fails="second"))
    assert sorted(bool(face.trouble) for face in done.meta.faces) == [False, True]
    (bad,) = [face for face in done.meta.faces if face.trouble]
    assert "out of luck" in bad.trouble
    out = merged(image, done)
    inside = bad.box.slices
    assert (out[inside][:, -10:] == image[inside][:, -10:]).all()
    assert (out != image).any()


@pytest.mark.parametrize(("fails", "error"), [("always", OutOfMemory), ("nan", EngineFailed)])
def test_when_every_face_fails_the_error_itself_is_raised(fails: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        do(picture(PixelFormat()), engine=CheckRestorer(fails=fails))


def test_a_parser_says_what_is_face() -> None:
    image, parser = picture(PixelFormat()), HalfParser()
    (done,) = do(image, parser=parser)
    assert parser.shapes == [(1, 512, 512, 3)]
    assert done.meta.box.right <= 89, "the left half alone, up to the middle of the eyes (80) and its feather"
    (oval,) = do(image)
    for bad in (HalfParser(blind=True), HalfParser(broken=True)):
        (done,) = do(image, parser=bad)
        assert done.mask.tobytes() == oval.mask.tobytes()
        assert any("oval" in note for note in done.meta.notes)


def test_overlapping_faces_show_the_larger_one_on_top() -> None:
    image = picture(PixelFormat())
    large, small = row_at(80, 70, 30), row_at(104, 74, 14)
    (both,) = do(image, rows=(large, small), strength=1.0)
    (alone,) = do(image, rows=(large,), strength=1.0)
    deep = np.zeros(image.shape[:2], bool)
    deep[alone.meta.box.slices] = alone.mask == 255
    a, b = merged(image, both), merged(image, alone)
    assert np.abs(a[deep].astype(int) - b[deep]).max() <= 1
    assert (a != b).any(), "beside it the smaller one is seen"


def test_a_face_cut_by_the_border_is_restored_as_far_as_it_is_there() -> None:
    image = picture(PixelFormat())
    for x, y in ((2, 70), (218, 70), (80, 4), (80, 150)):
        (done,) = do(image, rows=(row_at(x, y, 24, degrees=15),), strength=1.0)
        assert Box.of(CANVAS).holds(done.meta.box)
        assert (merged(image, done) != image).any()


def test_a_region_has_its_place_on_the_canvas() -> None:
    image = picture(PixelFormat())
    region = Box(30, 20, 120, 110)
    row = row_at(80 - 30, 70 - 20, 24)
    (done,) = do(image[region.slices], rows=(row,), region=region)
    (whole,) = do(image)
    assert done.meta.box == whole.meta.box
    assert done.meta.faces[0].box == whole.meta.faces[0].box
    assert np.abs(done.pixels.astype(int) - whole.pixels).max() <= 1


def test_progress_ends_at_1_shows_what_was_laid_and_can_be_stopped() -> None:
    image, tell = picture(PixelFormat()), Listener()
    do(image, rows=(ONE, TWO), tell=tell)
    assert tell.fractions == sorted(tell.fractions)
    assert tell.fractions[-1] == pytest.approx(1)
    assert len(tell.previews) == 1
    x, y, width, height = tell.previews[0][1]
    assert Box.of(CANVAS).holds(Box(x, y, width, height))
    with pytest.raises(Cancelled):
        do(image, rows=(ONE, TWO), tell=Listener(cancel_at=0.3))


def test_pixels_that_are_no_numbers_are_refused_and_hidden_colour_is_kept() -> None:
    broken = picture(PixelFormat(Samples.F32))
    broken[3, 4, 1] = np.nan
    with pytest.raises(ImageNotFinite):
        do(broken, PixelFormat(Samples.F32))
    fmt = PixelFormat(Samples.U8, Layout.RGBA)
    image = picture(fmt)
    image[60:80, 60:80, 3] = 0
    (done,) = do(image, fmt, strength=1.0)
    clear = image[done.meta.box.slices][..., 3] == 0
    assert clear.any()
    assert (done.pixels[clear] == image[done.meta.box.slices][clear]).all()


@pytest.mark.parametrize(("times", "fmt"), [(2, PixelFormat()), (4, PixelFormat(Samples.U16, Layout.GRAY_ALPHA))])
def test_the_picture_is_made_larger_and_faces_are_restored_at_that_size(times: int, fmt: PixelFormat) -> None:
    image, engine = picture(fmt), CheckRestorer()
    big = image.repeat(times, axis=0).repeat(times, axis=1)
    (plain,) = do(image, fmt, rows=(), engine=engine, upscaler=Repeater(), upscale=times)
    assert (plain.meta.box, plain.meta.scale) == (Box(0, 0, 220 * times, 160 * times), times)
    assert (plain.pixels == big).all(), "no face was found: enlarged, and that is all"
    assert "No face" in plain.meta.notes[0]
    (done, twin) = do(image, fmt, engine=engine, upscaler=Repeater(), upscale=times, strength=1.0, seeds=2)
    assert (done.mask == 255).all()
    assert done.pixels.tobytes() == twin.pixels.tobytes()
    assert done.meta.faces[0].box == Box(56, 54, 48, 48), "in the canvas as it was sent"
    (same,) = do(image, fmt, engine=engine, upscaler=Repeater(), upscale=times, strength=0.0)
    assert (same.pixels == big).all()
    (small,) = do(image, fmt, strength=1.0)
    seen = np.zeros(image.shape[:2], np.uint8)
    seen[small.meta.box.slices] = small.mask > 0
    around = cv2.dilate(seen, np.ones((5, 5))).repeat(times, axis=0).repeat(times, axis=1) > 0
    assert (done.pixels[~around] == big[~around]).all()
    changed = (done.pixels != big).any(axis=2)
    assert changed[72 * times : 98 * times, 66 * times : 94 * times].mean() > 0.5


def test_faces_too_small_for_it_are_left_in_the_larger_picture() -> None:
    image = picture(PixelFormat())
    (done,) = do(image, rows=(row_at(80, 70, 4),), upscaler=Repeater(), upscale=2)
    assert "too small" in done.meta.faces[0].trouble
    assert (done.pixels == image.repeat(2, axis=0).repeat(2, axis=1)).all()


class Repeater:
    """Enlarges by repeating px."""

    spec = EngineSpec("repeater", "Repeater", "Repeats.", frozenset({Task.UPSCALE}))

    def load(self, model: str) -> None:
        pass

    def run(self, work, report) -> list[np.ndarray]:
        return [work.crop.repeat(work.scale, axis=0).repeat(work.scale, axis=1)]
