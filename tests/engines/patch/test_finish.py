"""The last step: no step along the rim, nothing outside, alpha as it was."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box
from frisket.engines.patch import finish
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.between import targets
from frisket.engines.patch.climb import Answer
from frisket.engines.patch.finish import finished
from frisket.engines.patch.ladder import Rung
from frisket.engines.patch.subject import Subject


def test_a_tone_that_differs_is_led_in_from_the_rim() -> None:
    """Left half 0.4, right half 0.6 of white; everything in the hole, on the left, is copied from the right."""
    crop = np.full((40, 80, 3), 0.4, np.float32)
    crop[:, 40:] = 0.6
    hole = box(40, 80, 5, 5, 30, 30) > 0
    subject = Subject.of(crop)
    assert subject is not None
    full = Rung.of(subject.I, hole, subject.solid, subject.solid, None)
    field = targets(hole, wraps=False)
    field.sy[:], field.sx[:] = field.ty, np.clip(field.tx + 40, 44, 76)
    answer = Answer(full.V, field, np.ones(len(field.ty), np.float32))
    with Bands(1, lambda: None) as bands:
        out = finished(crop, subject, full, answer, 1000.0, False, bands)
        hard = finished(crop, subject, full, answer, 0.0, False, bands)
    assert (out[~hole] == crop[~hole]).all()
    assert np.abs(hard[hole] - 0.6).max() < 1e-5  # nothing is led in where the limit forbids it
    assert np.abs(out[20, 5] - 0.4).max() < 0.03  # 0.2 without the rise; one px inside exp(-0.1) of it is taken away
    assert 0.53 < out[20, 20, 0] < 0.6  # 15 px inside exp(-1.5) = 0.22 of it: 0.556
    assert (np.diff(out[20, 5:20, 0]) >= 0).all()


def test_alpha_is_the_crops() -> None:
    rng = np.random.default_rng(0)
    crop = rng.random((24, 24, 4), np.float32)
    crop[..., :3] *= crop[..., 3:]
    crop[:4] = 0
    subject = Subject.of(crop)
    assert subject is not None
    hole = crop[..., 3] > 0
    full = Rung.of(subject.I, hole, subject.solid, subject.solid, subject.alpha)
    field = targets(hole, wraps=False)
    field.sy[:], field.sx[:] = rng.integers(3, 21, (2, len(field.ty)))
    answer = Answer(full.V, field, np.ones(len(field.ty), np.float32))
    with Bands(1, lambda: None) as bands:
        out = finished(crop, subject, full, answer, 50.0, False, bands)
    assert (out[..., 3] == crop[..., 3]).all()
    assert (out[..., :3] <= out[..., 3:] + 1e-6).all()
    assert (out[:4] == 0).all()


def test_the_distance_to_the_rim_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rim = np.zeros((700, 90), bool)
    rim[40, 10:60] = rim[400:420, 30] = True
    with Bands(1, lambda: None) as bands:
        whole = finish._away(rim, bands)
        monkeypatch.setattr(finish, "RIM_SPAN", 3000)
        pieces = finish._away(rim, bands)
    near = whole <= finish.MARGIN * 0.95
    np.testing.assert_array_equal(pieces[near], whole[near])
    assert (pieces[~near] > finish.MARGIN * 0.95).all()
