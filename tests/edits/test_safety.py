"""The safety checker: who has to have one, what it gets to see, and that nobody sees more than it has let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fakes.engines import CensorEngine, PainterEngine, ToyEngine
from fakes.tellers import Listener
from frisket.edits.requests import EditRequest, InpaintParams, InstructParams, MaskDials, TextToLayerParams, to_json
from frisket.edits.run import EngineEasel
from frisket.edits.safety import Guarded, guarded
from frisket.edits.tasks import admit
from frisket.engines.registry import Registry, checked
from frisket.engines.spec import Degradation, DegradationKind, Silent, Task, Work
from frisket.errors import EngineFailed, PictureWithheld, SafetyCheckerMissing
from frisket.raster.geometry import Box

WHOLE = Box(0, 0, 8, 6)
BRIGHT, DARK = "x" * 80, "x" * 20  # painted at 80 % and 20 %


def ask(params, engine: str = "", **changes) -> EditRequest:
    return EditRequest(WHOLE.size, WHOLE, params, engine=engine, **changes)


def work(hole: np.ndarray, prompt: str = BRIGHT, seeds=(1,)) -> Work:
    crop = np.zeros((*hole.shape, 3), np.float32)
    return Work(Task.INSTRUCT, crop, hole.astype(np.float32), {}, seeds, prompt)


class Seen(Silent):
    def __init__(self) -> None:
        self.steps: list[tuple[int, int, bool]] = []
        self.degraded: list[Degradation] = []

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self.steps.append((step, total, preview is not None))

    def told(self, degradation: Degradation) -> None:
        self.degraded.append(degradation)


def test_a_model_without_a_checker_is_refused_before_it_is_asked() -> None:
    registry = Registry([ToyEngine(), PainterEngine()])
    request = ask(TextToLayerParams(DARK))
    admit(request, registry)
    with pytest.raises(SafetyCheckerMissing) as caught:
        admit(request, registry.with_safety())
    assert caught.value.data["engine"] == "painter"
    engine = PainterEngine()
    with pytest.raises(SafetyCheckerMissing):
        EngineEasel(Registry([engine]).with_safety()).run(to_json(request), {}, Listener())
    assert engine.works == []


def test_those_who_have_one_are_named() -> None:
    registry = Registry([PainterEngine(), CensorEngine()]).with_safety()
    with pytest.raises(SafetyCheckerMissing, match="censor"):
        admit(ask(TextToLayerParams(DARK)), registry)
    admit(ask(TextToLayerParams(DARK), "censor"), registry)


def test_what_is_not_trained_needs_none() -> None:
    engine = ToyEngine()
    registry = Registry([engine]).with_safety()
    admit(ask(InpaintParams()), registry)
    assert guarded(engine, Task.INPAINT, registry) is engine
    trained = PainterEngine()
    assert guarded(trained, Task.INPAINT, Registry([trained])) is trained, "where nobody asks for it"


def test_more_engines_change_nothing_about_the_duty() -> None:
    registry = Registry([], checked=True).with_extra(["frisket.engines.patch.engine:ENGINE"])
    assert registry.checked
    assert not Registry([]).with_extra(["frisket.engines.patch.engine:ENGINE"]).checked


def test_an_engine_that_says_it_checks_has_to() -> None:
    with pytest.raises(TypeError, match="unfit"):
        checked(PainterEngine(checks=True))
    checked(CensorEngine())


def test_a_job_that_is_let_through_and_one_that_is_not() -> None:
    engine = CensorEngine()
    easel = EngineEasel(Registry([engine]).with_safety())
    (done,) = easel.run(to_json(ask(TextToLayerParams(DARK))), {}, Listener())
    assert (np.asarray(done.planes[0]) == 51).all()
    with pytest.raises(PictureWithheld) as caught:
        easel.run(to_json(ask(TextToLayerParams(BRIGHT), seed=8, count=2)), {}, Listener())
    assert caught.value.data == {"engine": "censor", "seeds": "8, 9"}
    EngineEasel(Registry([engine])).run(to_json(ask(TextToLayerParams(BRIGHT))), {}, Listener())


def test_it_sees_what_would_be_shown() -> None:
    """Bright in the hole only: a fifth of the picture, so 16 % on the whole. Outside is the old picture."""
    hole = np.zeros((5, 4))
    hole[0] = 1
    engine = CensorEngine()
    (fill,) = Guarded(engine).run(work(hole), Silent())
    assert (fill == np.float32(0.8)).all(), "the fill itself is not touched"
    (seen,) = engine.seen
    assert (seen[0] == np.float32(0.8)).all()
    assert (seen[1:] == 0).all()


@pytest.mark.parametrize("level", [255, 100, 1])
def test_a_faint_mask_hides_nothing_from_it(level: int) -> None:
    """The result's pixels are the engine's, however little its mask shows of them."""
    request = ask(InstructParams(BRIGHT, dials=MaskDials(0, 0, 0, 0)))
    size = WHOLE.size.area
    planes = {"pixels": memoryview(bytes(size * request.format.pixel_bytes)), "mask": memoryview(bytes([level]) * size)}
    with pytest.raises(PictureWithheld):
        EngineEasel(Registry([CensorEngine()]).with_safety()).run(to_json(request), planes, Listener())


def test_previews_are_not_sent_and_all_else_is() -> None:
    class Telling(CensorEngine):
        def run(self, work, report):
            report.told(Degradation(DegradationKind.TILED, "In 2."))
            return super().run(work, report)

    report = Seen()
    Guarded(Telling()).run(work(np.zeros((2, 2))), report)
    assert report.steps == [(1, 1, False)]
    assert [told.detail for told in report.degraded] == ["In 2."]


@pytest.mark.parametrize("verdicts", [[], [False], [False, False, False]])
def test_a_checker_that_does_not_look_at_all_of_them_fails_the_edit(verdicts: list[bool]) -> None:
    class Lazy(CensorEngine):
        def unfit(self, pictures):
            return verdicts

    with pytest.raises(EngineFailed, match="another number"):
        Guarded(Lazy()).run(work(np.ones((2, 2)), seeds=(1, 2)), Silent())


def test_a_checker_that_breaks_fails_the_edit() -> None:
    class Broken(CensorEngine):
        def unfit(self, pictures):
            raise ValueError("no weights")

    with pytest.raises(EngineFailed, match="no weights"):
        EngineEasel(Registry([Broken()]).with_safety()).run(to_json(ask(TextToLayerParams(DARK))), {}, Listener())


def test_a_guarded_engine_is_the_same_to_the_rest_of_the_house() -> None:
    engine = CensorEngine()
    held = Guarded(engine)
    held.load("easel")
    assert (held.spec, engine.loads) == (engine.spec, ["easel"])
    assert replace(held.spec, checks=False) == PainterEngine(id="censor", title="Censor").spec
