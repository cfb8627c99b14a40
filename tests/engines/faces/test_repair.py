"""Damage that was done on purpose is measured as what it is, and taken back in part."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from frisket.engines.faces.repair import Damage, blur_of, denoised, livelier, measured, noise_of, repaired, steps_of
from frisket.errors import Cancelled


def idle() -> None:
    pass


def scene(side: int = 160) -> np.ndarray:
    """(side, side, 3) uint8: soft shading, discs with crisp edges of every direction."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side] / side
    big = np.stack([90 + 60 * x, 80 + 70 * y, 120 + 40 * (x - y)], axis=2)
    big = np.repeat(np.repeat(big, 4, axis=0), 4, axis=1).astype(np.float32)
    for _ in range(40):
        at, color = rng.integers(0, 4 * side, 2), rng.integers(40, 220, 3)
        cv2.circle(big, tuple(int(v) for v in at), int(rng.integers(20, 70)), tuple(int(v) for v in color), -1)
    return np.rint(cv2.resize(big, (side, side), interpolation=cv2.INTER_AREA)).astype(np.uint8)


def compressed(rgb: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def noisy(rgb: np.ndarray, sigma: float) -> np.ndarray:
    grain = np.random.default_rng(5).normal(0, sigma, rgb.shape)
    return np.clip(np.rint(rgb + grain), 0, 255).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2GRAY), np.float32)


def mended(rgb: np.ndarray, denoise: float = 1, sharpen: float = 1) -> np.ndarray:
    out = repaired(np.divide(rgb, 255, dtype=np.float32), measured(luma(rgb)), denoise, sharpen, idle)
    return np.clip(out * 255, 0, 255)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2))))


def test_noise_is_measured_in_its_own_unit() -> None:
    flat = np.full((128, 128), 0.5, np.float32)
    assert noise_of(flat) == 0
    grain = np.random.default_rng(0).normal(0, 0.03, flat.shape).astype(np.float32)
    assert noise_of(flat + grain) == pytest.approx(0.03, rel=0.05)
    assert noise_of(flat[:1]) == 0


@pytest.mark.parametrize("width", [1.0, 1.5, 2.0, 3.0])
def test_a_blur_is_measured_in_px(width: float) -> None:
    own = blur_of(luma(scene()))
    assert own < 0.8
    more = np.asarray(cv2.GaussianBlur(luma(scene()), (0, 0), width), np.float32)
    assert blur_of(more) == pytest.approx(np.hypot(width, own), rel=0.1), "variances add up"
    assert blur_of(np.full((64, 64), 0.5, np.float32)) == 0, "no edge says anything"


def test_blocks_are_seen_where_they_lie() -> None:
    assert steps_of(luma(scene())) < 1 / 255
    bad = luma(compressed(scene(), 15))
    assert steps_of(bad) > 3 / 255
    assert steps_of(np.ascontiguousarray(bad[4:, 4:])) < 1 / 255, "off the lattice they are ordinary steps"
    assert steps_of(bad[:16]) == 0


def test_a_clean_picture_is_left_nearly_alone() -> None:
    clean = scene()
    damage = measured(luma(clean))
    assert (damage.coarse, damage.noise < 1 / 255) == (0, True)
    assert psnr(mended(clean), clean) > 45


@pytest.mark.parametrize(
    ("name", "gain"), [("noise", 6), ("blocks", 0.3), ("blur", 0.4), ("shrunk", 0.05), ("small and noisy", 0.3)]
)
def test_damage_is_taken_back_in_part(name: str, gain: float) -> None:
    clean = scene()
    half = cv2.resize(clean, (80, 80), interpolation=cv2.INTER_AREA)
    quarter = cv2.resize(clean, (40, 40), interpolation=cv2.INTER_AREA)
    bad = {
        "noise": noisy(clean, 10),
        "blocks": compressed(clean, 20),
        "blur": cv2.GaussianBlur(clean, (0, 0), 2),
        "shrunk": cv2.resize(quarter, (160, 160), interpolation=cv2.INTER_CUBIC),
        "small and noisy": cv2.resize(noisy(half, 10), (160, 160), interpolation=cv2.INTER_CUBIC),
    }[name]
    assert psnr(mended(bad), clean) > psnr(bad, clean) + gain


def test_dials_at_zero_change_nothing() -> None:
    bad = cv2.GaussianBlur(noisy(scene(), 10), (0, 0), 1.5)
    assert np.abs(mended(bad, 0, 0) - bad).max() < 1e-3
    assert psnr(mended(bad, 1, 0), bad) != psnr(mended(bad, 0, 1), bad)


def test_a_plane_shape_of_any_size_keeps_its_size() -> None:
    rng = np.random.default_rng(1)
    for h, w in ((1, 1), (7, 9), (8, 8), (17, 33)):
        image = rng.random((h, w, 3), np.float32)
        out = denoised(image, 0.1, idle)
        assert out.shape == image.shape
        assert np.isfinite(out).all()
        assert repaired(image, Damage(0.05, 0.02, 1.5), 1, 1, idle).shape == image.shape


def test_constant_colours_stay() -> None:
    flat = np.full((20, 20, 3), 0.3, np.float32)
    assert np.abs(denoised(flat, 0.1, idle) - 0.3).max() < 1e-5
    assert np.abs(livelier(flat, 1.0) - 0.3).max() < 1e-5


def test_local_contrast_is_raised() -> None:
    image = np.divide(scene(), 255, dtype=np.float32)
    assert livelier(image, 0.5).std() > image.std()


def test_it_can_be_stopped_between_pieces() -> None:
    asked = []

    def stop() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Cancelled()

    with pytest.raises(Cancelled):
        repaired(np.full((64, 64, 3), 0.5, np.float32), Damage(0.1, 0, 2.0), 1, 1, stop)
