"""Turned sources: exact where they can be, made of known pixels only, and of use where a shape needs them."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import Silent, box
from frisket.engines.patch.engine import ENGINE, PatchEngine
from frisket.engines.patch.match import SIDE
from frisket.engines.patch.pyramid import built
from frisket.engines.patch.turned import TURNS, Turn, turned, with_turns
from frisket.engines.spec import Task, Work

RNG = np.random.default_rng(0)
PICTURE = RNG.random((40, 56, 4), np.float32)
EVERYWHERE = np.ones((40, 56), bool)
MIDDLE = (19.5, 27.5)


def test_a_mirror_is_exact() -> None:
    out, shown = turned(PICTURE, EVERYWHERE, Turn(mirrored=True), MIDDLE, 40)
    assert shown.all()
    assert np.array_equal(out, PICTURE[:, ::-1])


@pytest.mark.parametrize(("angle", "quarters"), [(90.0, 1), (-90.0, 3), (180.0, 2)])
def test_quarter_turns_are_exact(angle: float, quarters: int) -> None:
    square, where = PICTURE[:, :40], EVERYWHERE[:, :40]
    out, shown = turned(square, where, Turn(angle=angle), (19.5, 19.5), 40)
    assert shown.all()
    assert np.array_equal(out, np.rot90(square, quarters))


@pytest.mark.parametrize("scale", [0.6, 1.6])
def test_a_scaled_gradient_has_the_scaled_slope(scale: float) -> None:
    ramp = np.repeat(np.arange(56, dtype=np.float32)[None, :, None], 40, 0).repeat(4, 2)
    out, shown = turned(ramp, EVERYWHERE, Turn(scale=scale), MIDDLE, 40)
    steps = np.diff(out[20, shown[20], 0])
    assert steps[2:-2].mean() == pytest.approx(1 / scale, rel=0.01)
    assert out.min() >= ramp.min()
    assert out.max() <= ramp.max()


@pytest.mark.parametrize("turn", TURNS["any"])
def test_nothing_unknown_is_shown(turn: Turn) -> None:
    """What must not be copied holds a value of its own: no pixel that is shown may carry a trace of it."""
    hole = box(40, 56, 10, 20, 12, 9) > 0
    picture = np.where(hole[..., None], np.float32(1000), PICTURE)
    out, shown = turned(picture, ~hole, turn, MIDDLE, 40)
    assert shown.any()
    assert out[shown].max() < (1.5 if turn.scale >= 1 else 100)


def test_the_picture_itself_stays_on_every_level() -> None:
    known = box(90, 100, 20, 30, 40, 40) == 0
    plain = built(RNG.random((90, 100, 4), np.float32), known)
    tall = with_turns(plain, TURNS["any"], lambda: None)
    assert len(tall) == len(plain) > 2
    for level, before in zip(tall, plain, strict=True):
        h = len(before.known)
        assert len(level.I) == len(level.valid) == len(level.sources) > 3 * h
        assert np.array_equal(level.picture.I, before.I)
        assert np.array_equal(level.picture.valid, before.valid)
        assert level.known is before.known
        assert level.valid[h:].any()
        assert not level.valid[h : h + SIDE // 2].any()  # no patch reaches from one panel into the next


def test_offsets_double_from_level_to_level() -> None:
    """A panel begins on every level where the finer one's panel begins, halved."""
    known = box(90, 100, 20, 30, 40, 40) == 0
    levels = with_turns(built(np.ones((90, 100, 4), np.float32), known), TURNS["mirrored"], lambda: None)
    starts = []
    for level in levels:
        h, w = level.known.shape
        starts.append(h + int(np.argmax(level.I[h:, w // 2, 0] > 0)))
    assert starts == [starts[0] >> k for k in range(len(levels))]


def ring() -> np.ndarray:
    y, x = np.mgrid[:128, :128] - 63.5
    r = np.hypot(y, x)
    band = 0.3 + 0.5 / (1 + np.exp(-(r - 35))) - 0.5 / (1 + np.exp(-(r - 42)))
    return np.repeat((band + np.random.default_rng(1).normal(0, 0.01, r.shape))[..., None], 3, 2).astype(np.float32)


@pytest.mark.parametrize("turns", ["mirrored", "rotated", "any"])
def test_a_ring_is_closed(turns: str) -> None:
    picture, hole = ring(), box(128, 128, 15, 75, 40, 33)
    wrong = {}
    for name in ("none", turns):
        params = ENGINE.spec.check_params({"turns": name})
        made = ENGINE.run(Work(Task.INPAINT, picture, hole, params, (0, 1)), Silent())
        assert all(np.array_equal(out[hole == 0], picture[hole == 0]) for out in made)
        wrong[name] = [np.abs(out - picture)[hole > 0].mean() for out in made]
    assert max(wrong[turns]) < 0.25 * min(wrong["none"])


def test_threads_change_nothing() -> None:
    picture, hole = ring(), box(128, 128, 15, 75, 40, 33)
    work = Work(Task.INPAINT, picture, hole, ENGINE.spec.check_params({"turns": "any"}), (3,))
    one, two = (PatchEngine(n).run(work, Silent())[0] for n in (1, 2))
    assert np.array_equal(one, two)
