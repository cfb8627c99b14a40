"""Edges of masks: clean parts, the picture's own edge at its own size, nothing changed far from it."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.subject import edge
from frisket.errors import Cancelled


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size]
    return np.hypot(y - size / 2 + 0.5, x - size / 2 + 0.5) < radius


def test_specks_and_small_holes_go_and_large_ones_stay() -> None:
    chosen = np.zeros((60, 60), bool)
    chosen[5:45, 5:45] = True
    chosen[10:12, 10:12] = False
    chosen[20:35, 20:35] = False
    chosen[55, 55] = True
    clean = edge.cleaned(chosen)
    assert clean[10, 10]
    assert not clean[25, 25]
    assert not clean[55, 55]
    assert clean.sum() == 40 * 40 - 15 * 15
    assert not edge.cleaned(np.zeros((4, 4), bool)).any()
    assert edge.cleaned(np.ones((4, 4), bool)).all()


def test_a_coarse_mask_gets_the_picture_s_edge() -> None:
    """A disc of 400 px, told by a mask of 100 px whose edge is 2 px (8 of the picture's) off."""
    truth = disc(400, 120)
    picture = np.where(truth[..., None], (0.9, 0.3, 0.2), (0.1, 0.4, 0.6)).astype(np.float32)
    small = edge.reduced(picture, 100, lambda: None)
    assert small.shape == (100, 100, 3)
    coarse = disc(100, 32).astype(np.float32)
    mask = edge.refined(coarse, small, picture, lambda: None)
    enlarged = np.kron(coarse, np.ones((4, 4)))
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    assert np.abs(mask - truth).mean() < 0.7 * np.abs(enlarged - truth).mean()
    assert (mask[disc(400, 80)] == 1).all()
    assert (mask[~disc(400, 170)] == 0).all()


def test_what_is_small_already_stays_and_nothing_is_cancelled_late() -> None:
    picture = np.zeros((30, 20, 3), np.float32)
    assert edge.reduced(picture, 30, lambda: None).shape == picture.shape

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        edge.refined(np.zeros((30, 20), np.float32), picture, picture, stop)
