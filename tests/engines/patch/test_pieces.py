"""A strip's layout from whole pieces."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.pieces import laid
from frisket.engines.patch.pyramid import Level


def level_of(I: np.ndarray, known: int) -> Level:
    there = np.zeros(I.shape[:2], bool)
    there[:, :known] = True
    return Level.of(np.where(there[..., None], I, np.float32(0)), there, there)


def layout(level: Level, price: np.ndarray | None = None, down: float = 120, across: float = 10) -> Field | None:
    if price is None:
        price = np.zeros(level.known.shape, np.float32)
    with Bands(1, lambda: None) as bands:
        return laid(level, price, down, across, 0, bands)


def striped(height: int = 48, width: int = 90) -> np.ndarray:
    """Columns of period 9, in noise that never repeats."""
    I = np.random.default_rng(0).normal(0, 4, (height, width, 4)).astype(np.float32)
    return I + np.where(np.arange(width) % 9 < 3, 200, 50)[None, :, None].astype(np.float32)


def test_a_rhythm_goes_on_in_step() -> None:
    level = level_of(striped(), 66)
    field = layout(level)
    assert field is not None
    assert ((field.tx - field.sx) % 9 == 0).mean() > 0.9
    assert level.valid[field.sy, field.sx].all()


def test_it_is_laid_in_pieces() -> None:
    field = layout(level_of(striped(), 66))
    assert field is not None
    offsets = np.stack([field.sy - field.ty, field.sx - field.tx], 1)
    assert len(np.unique(offsets, axis=0)) < 12  # of a thousand targets; border patches move in by a few px


def test_what_is_dear_is_not_shown() -> None:
    I = np.random.default_rng(1).normal(100, 8, (48, 90, 4)).astype(np.float32)
    level, price = level_of(I, 66), np.zeros((48, 90), np.float32)
    price[:, 36:66] = 150
    field = layout(level, price)
    assert field is not None
    inner = field.tx >= 66 + 4  # patches that show the border itself may keep to it
    assert (price[field.sy, field.sx][inner] > 0).mean() < 0.02


def test_sky_comes_from_the_side_not_from_above() -> None:
    I = np.random.default_rng(2).normal(0, 3, (48, 90, 4)).astype(np.float32)
    I += np.linspace(60, 200, 48, dtype=np.float32)[:, None, None]
    field = layout(level_of(I, 66))
    assert field is not None
    assert np.abs(field.sy - field.ty).mean() < 2


@pytest.mark.parametrize("known", [10, 14])
def test_a_narrow_picture_is_enough(known: int) -> None:
    level = level_of(striped(40, 60), known)
    field = layout(level)
    assert field is None or level.valid[field.sy, field.sx].all()
