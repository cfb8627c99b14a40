"""What stands out, on pictures where everybody would say so."""

from __future__ import annotations

import cv2
import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.standout import resized, standout


def map_of(picture: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """picture: (h, w, 3) grey levels."""
    I = np.zeros((*picture.shape[:2], 4), np.float32)
    I[..., :3] = picture
    with Bands(1, lambda: None) as bands:
        return standout(I, np.ones(I.shape[:2], bool) if known is None else known, bands)


def grain(height: int = 150, width: int = 150) -> np.ndarray:
    noise = np.random.default_rng(2).normal(0, 15, (height, width, 1))
    return (120 + noise).repeat(3, 2).astype(np.float32)


def test_a_disc_on_grain_stands_out_and_the_grain_does_not() -> None:
    picture = grain()
    cv2.circle(picture, (75, 75), 18, (230, 20, 20), -1)
    found = map_of(picture)
    assert found[65:85, 65:85].mean() > 0.7
    assert found[:30].max() < 0.1
    assert found[-30:].max() < 0.1


def test_grain_alone_has_nothing_in_it() -> None:
    assert map_of(grain()).mean() < 0.02


def test_what_repeats_stands_out_less_than_what_is_alone() -> None:
    alone, many = grain(), grain()
    cv2.circle(alone, (75, 75), 9, (230, 20, 20), -1)
    for y in range(15, 150, 30):
        for x in range(15, 150, 30):
            cv2.circle(many, (x, y), 9, (230, 20, 20), -1)
    at = slice(70, 81), slice(70, 81)
    assert map_of(many)[at].mean() < 0.7 * map_of(alone)[at].mean()


def test_what_the_border_cuts_stands_out_less_than_what_it_does_not_touch() -> None:
    cut, whole = grain(), grain()
    cut[60:90, 60:] = whole[60:90, 60:110] = (230, 20, 20)
    assert map_of(cut)[70:80, 80:100].mean() < 0.6 * map_of(whole)[70:80, 80:100].mean()


def test_what_the_growing_side_cuts_is_a_thing_too() -> None:
    picture, known = grain(), np.ones((150, 150), bool)
    known[:, 110:] = False
    cv2.circle(picture, (100, 75), 25, (230, 20, 20), -1)
    whole = map_of(picture[:, :110])
    assert map_of(picture, known)[70:80, 85:95].mean() > 1.5 * whole[70:80, 85:95].mean()


def test_the_unknown_counts_nothing_whatever_it_holds() -> None:
    picture, known = grain(), np.ones((150, 150), bool)
    known[:, 100:] = False
    found = map_of(picture, known)
    picture[:, 100:] = np.random.default_rng(0).random((150, 50, 3)) * 255
    assert (found[:, 100:] == 0).all()
    assert (map_of(picture, known) == found).all()


def test_a_map_at_another_size_shows_the_nearest_values() -> None:
    small = np.array([[0, 1], [2, 3]], np.float32)
    assert resized(small, (4, 6)).tolist() == [[0, 0, 0, 1, 1, 1]] * 2 + [[2, 2, 2, 3, 3, 3]] * 2
    assert (resized(resized(small, (51, 77)), (2, 2)) == small).all()
