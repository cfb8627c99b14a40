"""The yardsticks: known answers for perfect, blurred, foreign and misplaced fills."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from bench import metrics

SIDE = 128


@pytest.fixture
def picture() -> np.ndarray:
    """Grain with some extent, so that half the resolution still shows it."""
    noise = np.random.default_rng(3).random((SIDE, SIDE, 3), dtype=np.float32)
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.2) * 255, 0, 255).astype(np.uint8)


@pytest.fixture
def hole() -> np.ndarray:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[40:90, 40:90] = True
    return hole


def test_the_truth_itself_scores_perfectly(picture: np.ndarray, hole: np.ndarray) -> None:
    scores = metrics.measure(picture, picture, hole, picture)
    assert (scores.swd, scores.texture, scores.sharpness, scores.outside) == (0, 0, 1, 0)
    assert scores.seam == pytest.approx(1, abs=0.1)  # the edge of the hole is like its surroundings
    assert scores.psnr == pytest.approx(10 * math.log10(255**2 / 1e-6))


def test_a_brighter_fill_is_another_colour_but_the_same_texture(picture: np.ndarray, hole: np.ndarray) -> None:
    brighter = picture.copy()
    brighter[hole] += 20
    assert brighter.max() < 250
    swd, texture = metrics.sliced_wasserstein(brighter, hole, picture, hole)
    # A constant v added to all of a patch of n samples moves a projection by v * sum(direction), for directions even
    # over the sphere about v * N(0, 1): v * sqrt(2 / pi) in the mean. Half size keeps some of the edge's old colour.
    assert swd == pytest.approx(20 * math.sqrt(2 / math.pi), rel=0.25)
    assert texture < 0.1 * swd


def test_a_blurred_fill_has_less_gradient_and_another_texture(picture: np.ndarray, hole: np.ndarray) -> None:
    blurred = picture.copy()
    blurred[hole] = cv2.GaussianBlur(picture, (0, 0), 3)[hole]
    scores = metrics.measure(blurred, picture, hole, picture)
    assert scores.sharpness < 0.5
    assert scores.texture > 3
    without_truth = metrics.measure(blurred, picture, hole)
    assert without_truth.sharpness == pytest.approx(scores.sharpness, rel=0.15)  # the ring is of the same grain
    assert math.isnan(without_truth.psnr)


def test_a_step_of_known_height_at_the_edge() -> None:
    ramp = np.repeat(np.arange(SIDE, dtype=np.uint8)[None], SIDE, axis=0)  # each column 1 brighter than the last
    picture = np.repeat(ramp[..., None], 3, axis=2)
    hole = np.zeros((SIDE, SIDE), bool)
    hole[:, 64:] = True
    assert metrics.seam_ratio(picture, hole) == pytest.approx(1)
    stepped = picture.copy()
    stepped[hole] += 9
    assert metrics.seam_ratio(stepped, hole) == pytest.approx(10)


def test_a_single_sample_outside_is_seen(picture: np.ndarray, hole: np.ndarray) -> None:
    touched = picture.copy()
    touched[0, 0, 2] ^= 1
    touched[hole] = 0
    assert metrics.outside_change(touched, picture, hole) == 1
    assert metrics.outside_change(touched, picture, np.ones_like(hole)) == 0


def test_psnr_of_a_known_error(picture: np.ndarray, hole: np.ndarray) -> None:
    off = picture.copy()
    off[hole] += 5
    assert metrics.psnr(off, picture, hole) == pytest.approx(20 * math.log10(255 / 5))


def test_the_ring_is_24_px_in_small_pictures(hole: np.ndarray) -> None:
    ring = metrics.ring_of(hole)
    assert not (ring & hole).any()
    assert ring[64, 16:40].all()
    assert not ring[64, :16].any()


def test_too_small_a_hole_has_no_distance(picture: np.ndarray) -> None:
    tiny = np.zeros((SIDE, SIDE), bool)
    tiny[50:55, 50:55] = True
    assert all(math.isnan(value) for value in metrics.sliced_wasserstein(picture, tiny, picture, tiny))


def test_sizes_must_fit(picture: np.ndarray, hole: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the hole"):
        metrics.measure(picture, picture, hole[1:])


def test_likeness_of_structure_falls_with_blur_and_noise(picture: np.ndarray) -> None:
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
    grain = np.random.default_rng(0).normal(0, 10, picture.shape)
    noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
    assert metrics.ssim(picture, picture) == pytest.approx(1)
    assert metrics.ssim(soft, picture) < 0.95
    assert metrics.ssim(noisy, picture) < 0.95
    flat = np.full((20, 20, 3), 100, np.uint8)
    c1 = 6.5025
    assert metrics.ssim(flat, flat + 20) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))
