"""The easel: stored requests and raw planes in, finished planes out."""

from __future__ import annotations

import numpy as np
import pytest

import frisket
from fakes.engines import BrokenEngine, PainterEngine, ToyEngine
from fakes.tellers import Listener
from frisket.edits.requests import EditRequest, InpaintParams, InstructParams, Plane, TextToLayerParams, to_json
from frisket.edits.results import Maker, ResultMeta
from frisket.edits.run import EngineEasel, as_planes, make_easel
from frisket.engines.registry import Registry
from frisket.engines.spec import Degradation, DegradationKind, Report, Work
from frisket.errors import EngineFailed, OutOfMemory, ParameterNotHonoured, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size


def planes(w: int = 8, h: int = 6) -> dict[str, memoryview]:
    mask = np.zeros((h, w), np.uint8)
    mask[2:4, 3:6] = 255
    return {"pixels": memoryview(bytes(range(w * h * 3))), "mask": memoryview(mask.tobytes())}


def ask(engine: str, **params) -> str:
    return to_json(EditRequest(Size(8, 6), Box(0, 0, 8, 6), InpaintParams(), engine=engine, engine_params=params))


def test_runs_a_stored_request_and_loads_once() -> None:
    engine = ToyEngine()
    easel = EngineEasel(Registry([engine]))
    easel.warm()
    for _ in range(2):
        (done,) = easel.run(ask("toy", level=1.0), planes(), Listener())
        assert ResultMeta.from_json(done.meta).box == Box(3, 2, 3, 2)
        assert np.asarray(done.planes[0]).tobytes() == b"\xff" * 18
        assert np.asarray(done.planes[1]).tobytes() == b"\xff" * 6
    assert engine.loads == [""]


@pytest.mark.parametrize("trained", [True, False])
def test_a_result_names_who_painted_it(trained: bool) -> None:
    engine = ToyEngine(models=("own",), revision="c0ffee", trained=trained)
    (done,) = EngineEasel(Registry([engine])).run(ask("toy", level=1.0), planes(), Listener())
    maker = ResultMeta.from_json(done.meta).maker
    assert maker == Maker(f"Frisket {frisket.__version__}", "toy", "own", "c0ffee", trained)


@pytest.mark.parametrize(("how", "error"), [("raise", EngineFailed), ("memory", OutOfMemory), ("nan", EngineFailed)])
def test_whatever_an_engine_does_has_words(how: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        EngineEasel(Registry([BrokenEngine()])).run(ask("broken", how=how), planes(), Listener())


def test_planes_of_the_wrong_length_are_refused() -> None:
    short = planes() | {"pixels": memoryview(b"abc")}
    with pytest.raises(RequestInvalid):
        EngineEasel(Registry([ToyEngine()])).run(ask("toy"), short, Listener())


@pytest.mark.parametrize("lacking", ["pixels", "mask"])
def test_a_stored_job_without_a_plane_that_it_needs_is_refused(lacking: str) -> None:
    sent = {name: plane for name, plane in planes().items() if name != lacking}
    with pytest.raises(RequestInvalid, match=f"needs the {lacking}"):
        EngineEasel(Registry([ToyEngine()])).run(ask("toy"), sent, Listener())


def test_where_to_copy_from_goes_to_engines_that_copy_alone() -> None:
    sent = {**planes(), Plane.SOURCES.value: planes()[Plane.MASK.value]}
    with pytest.raises(ParameterNotHonoured, match="sources"):
        EngineEasel(Registry([ToyEngine()])).run(ask("toy"), sent, Listener())
    engine = ToyEngine(uses_sources=True)
    EngineEasel(Registry([engine])).run(ask("toy"), sent, Listener())
    assert engine.works[0].sources is not None


def test_a_plane_that_may_be_absent_is_nothing_of_it_or_all_of_it() -> None:
    fmt, region = PixelFormat(Samples.U16, Layout.RGBA), Box(1, 2, 5, 3)
    wanted = EditRequest(Size(8, 6), region, TextToLayerParams("cat"), fmt)
    nothing = as_planes(wanted, {})
    assert (nothing.image.shape, nothing.image.dtype, nothing.image.any()) == ((3, 5, 4), np.dtype("<u2"), False)
    assert (nothing.mask.shape, nothing.mask.min(), nothing.sources) == ((3, 5), 255, None)
    sent = {Plane.PIXELS.value: memoryview(bytes(range(120))), Plane.SOURCES.value: memoryview(bytes(15))}
    some = as_planes(EditRequest(Size(8, 6), region, InstructParams("cat"), fmt), sent)
    assert some.image.tobytes() == bytes(range(120))
    assert some.mask.min() == 255
    assert some.sources is not None
    assert not some.sources.any()


def test_a_new_layer_from_no_plane_at_all() -> None:
    request = EditRequest(Size(8, 6), Box(1, 2, 5, 3), TextToLayerParams("x" * 40))
    (done,) = EngineEasel(Registry([PainterEngine()])).run(to_json(request), {}, Listener())
    assert ResultMeta.from_json(done.meta).box == Box(1, 2, 5, 3)
    assert np.asarray(done.planes[0]).tobytes() == b"\x66" * 45


def test_the_workers_easel_has_the_built_in_engine_and_those_named() -> None:
    easel = make_easel(("fakes.engines:TOY",))
    assert isinstance(easel, EngineEasel)
    assert easel._registry.default.spec.id == "patch"
    assert easel._registry.find("toy")


def test_a_small_stroke_is_healed_and_nothing_else_changes() -> None:
    """With the built-in engine, through the crop: a pattern that repeats goes on, whatever was painted over it."""
    y, x = np.mgrid[:150, :200]
    truth = np.stack([(x * 16) % 256, (y * 16) % 256, ((x + y) * 16) % 256], 2).astype(np.uint8)
    stroke = np.abs((y - 60) - 0.4 * (x - 100)) < 6
    stroke &= (x > 75) & (x < 130)
    scratched = np.where(stroke[..., None], np.uint8(255), truth)
    whole = Box(0, 0, 200, 150)
    request = to_json(EditRequest(whole.size, whole, InpaintParams(), engine="patch", seed=3))
    sent = {"pixels": memoryview(scratched.tobytes()), "mask": memoryview((stroke * np.uint8(255)).tobytes())}
    (done,) = make_easel().run(request, sent, Listener())
    pixels, mask = (np.asarray(plane) for plane in done.planes)
    here = ResultMeta.from_json(done.meta).box.slices
    assert (mask[~stroke[here]] == 0).all()
    assert (mask[stroke[here]] == 255).all()
    error = np.abs(pixels[stroke[here]].astype(int) - truth[stroke])
    assert error.max() <= 1  # an exact repeat but for rounding


def test_what_an_engine_had_to_do_without_is_told_with_each_picture_once() -> None:
    class Poor(ToyEngine):
        def run(self, work: Work, report: Report) -> list[np.ndarray]:
            for _ in work.seeds:
                report.told(Degradation(DegradationKind.ONE_BY_ONE, "2 pictures, one after the other"))
            return super().run(work, report)

    request = EditRequest(Size(8, 6), Box(0, 0, 8, 6), InpaintParams(), engine="toy", count=2)
    done = EngineEasel(Registry([Poor()])).run(to_json(request), planes(), Listener())
    kinds = [[told.kind for told in ResultMeta.from_json(picture.meta).degraded] for picture in done]
    assert kinds == [[DegradationKind.ONE_BY_ONE]] * 2


def test_an_engine_that_does_not_fit_makes_others_leave_and_they_come_back() -> None:
    table: list[str] = []

    class Large(ToyEngine):
        def load(self, model: str) -> None:
            table.append(self.spec.id)

        def unload(self) -> None:
            table.remove(self.spec.id)

        def fits(self) -> bool:
            return not table

    easel = EngineEasel(Registry([Large(id="first"), Large(id="second")]))
    for name in ("first", "second", "first", "first"):
        (done,) = easel.run(ask(name), planes(), Listener())
        assert len(done.planes) == 2
        assert table == [name]
