"""What fails is tried alone, then told; what a parser does not know an oval stands in for."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.faces import CheckRestorer, HalfParser
from fakes.tellers import Listener
from frisket.edits.face_batches import Hands, reason_of
from frisket.edits.progress import Progress, Unseen
from frisket.edits.requests import EditRequest, RestoreFacesParams
from frisket.engines.faces.align import fallback_mask
from frisket.engines.spec import Param, ParamKind, Silent
from frisket.errors import Cancelled, EngineFailed, OutOfMemory
from frisket.raster.geometry import Box, Size

STACK = np.repeat(np.array((0, 0.25, 0.5), np.float32), 512 * 512 * 3).reshape(3, 512, 512, 3)
FRAMES = np.zeros((3, 2, 3))


def hands(engine=None, parser=None, **engine_params) -> Hands:
    request = EditRequest(Size(9, 9), Box(0, 0, 9, 9), RestoreFacesParams(), engine_params=engine_params)
    return Hands(request, engine or CheckRestorer(), parser, 5)


def test_each_face_comes_back_in_its_place() -> None:
    engine = CheckRestorer(0.1, params=(Param("weight", ParamKind.FLOAT, 0.5, "", 0, 1),))
    made = hands(engine, weight=0.25).restored(STACK, FRAMES, Silent())
    assert [isinstance(face, np.ndarray) and round(float(face.mean()), 3) for face in made] == [0.0, 0.25, 0.5]
    (work,) = engine.works
    assert (dict(work.params), work.seeds) == ({"weight": 0.25}, (5,))


def test_one_bad_face_costs_the_others_nothing_but_time() -> None:
    progress = Progress(Listener())
    good, bad, fine = hands(CheckRestorer(fails="second")).restored(STACK, FRAMES, Unseen(progress))
    assert isinstance(bad, RuntimeError)
    assert isinstance(good, np.ndarray)
    assert isinstance(fine, np.ndarray)
    assert "3 faces at a time failed (RuntimeError: CUDA error: out of luck)" in progress.degraded[0].detail


def test_a_cancelled_job_is_no_failure() -> None:
    class Stopped(CheckRestorer):
        def run(self, work, report):
            raise Cancelled

    with pytest.raises(Cancelled):
        hands(Stopped()).restored(STACK, FRAMES, Silent())


@pytest.mark.parametrize("made", [[], [np.zeros((2, 2, 3))], [np.zeros((512, 512))]])
def test_an_engine_that_breaks_its_contract_is_named(made: list[np.ndarray]) -> None:
    class Wrong(CheckRestorer):
        def run(self, work, report):
            return made

    (error,) = hands(Wrong()).restored(STACK[:1], FRAMES[:1], Silent())
    assert isinstance(error, EngineFailed)
    assert "checks" in error.cause


def test_what_a_parser_says_gets_a_soft_edge() -> None:
    one = hands(parser=HalfParser())
    mask, _, _ = one.masks(list(STACK), Silent())
    assert mask[256, 200] > 0.99
    assert 0.4 < mask[256, 256] < 0.6
    assert mask[256, 310] < 0.01
    assert one.notes == []


@pytest.mark.parametrize(
    ("parser", "says"), [(HalfParser(blind=True), "saw no face"), (HalfParser(broken=True), "no luck")]
)
def test_an_oval_stands_in_and_that_is_told_once(parser: HalfParser, says: str) -> None:
    one = hands(parser=parser)
    found = one.masks(list(STACK), Silent())
    assert all((mask == fallback_mask()).all() for mask in found)
    assert len(one.notes) == 1
    assert says in one.notes[0]
    assert hands().masks([], Silent()) == []


def test_reasons_are_for_people() -> None:
    assert reason_of(MemoryError()) == "not enough memory"
    assert reason_of(OutOfMemory(engine="x", width=1, height=2)) == "x ran out of memory at 1 x 2"
    assert reason_of(ValueError("odd")) == "ValueError: odd"
