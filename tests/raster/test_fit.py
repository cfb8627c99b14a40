"""Scaling and padding: golden pads, no ringing, no lost mask pixel, a photograph there and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frisket.errors import RequestInvalid
from frisket.raster import fit
from frisket.raster.geometry import Size
from frisket.raster.sizes import Fit, SizeRule


def size_of(array: np.ndarray) -> Size:
    return Size(array.shape[1], array.shape[0])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(float) - b) ** 2)))


def waves(height: int, width: int) -> np.ndarray:
    ys, xs = np.mgrid[:height, :width]
    planes = [0.5 + 0.4 * np.sin(xs / 9 + k) * np.cos(ys / 13 - k) for k in range(3)]
    return np.stack(planes, axis=2).astype(np.float32)


def test_padding_golden():
    image = np.array([[[1], [2], [3]], [[4], [5], [6]]], np.float32)
    got = fit.apply(image, Fit(Size(3, 2), Size(3, 2), Size(7, 4)))
    assert got[..., 0].tolist() == [
        [1, 2, 3, 2, 1, 1, 1],
        [4, 5, 6, 5, 4, 4, 4],
        [1, 2, 3, 2, 1, 1, 1],
        [1, 2, 3, 2, 1, 1, 1],
    ]


def test_padding_of_a_single_pixel_replicates_it():
    image = np.array([[[0.25, 7, -1]]], np.float32)
    got = fit.apply(image, SizeRule(multiple=4).plan(Size(1, 1)))
    assert (got == image).all()
    assert got.shape == (4, 4, 3)


def test_halving_golden():
    image = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    got = fit.apply(image, Fit(Size(4, 4), Size(2, 2), Size(2, 2)))
    assert got[..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_an_unchanged_fit_returns_the_same_array():
    image, mask = waves(12, 20), np.zeros((12, 20), np.float32)
    same = SizeRule(multiple=4).plan(Size(20, 12))
    assert fit.apply(image, same) is image
    assert fit.undo(image, same) is image
    assert fit.apply_mask(mask, same) is mask


def test_padding_alone_is_undone_exactly():
    image = waves(37, 51)
    plan = SizeRule(multiple=16, min_side=64).plan(size_of(image))
    assert fit.apply(image, plan).shape == (64, 64, 3)
    np.testing.assert_array_equal(fit.undo(fit.apply(image, plan), plan), image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_shapes_and_type_for_every_channel_count(channels):
    image = np.repeat(waves(40, 60)[..., :1], channels, axis=2)
    for rule in (SizeRule(max_side=31, multiple=8), SizeRule(native_side=128, multiple=8)):
        plan = rule.plan(size_of(image))
        there = fit.apply(image, plan)
        assert there.shape == (plan.padded.height, plan.padded.width, channels)
        back = fit.undo(there, plan)
        assert back.shape == image.shape
        assert there.dtype == back.dtype == np.float32


def test_enlarging_and_back_loses_little():
    image = waves(90, 120)
    plan = SizeRule(native_side=333, multiple=16).plan(size_of(image))
    assert plan.scale > 2.7
    assert psnr(fit.undo(fit.apply(image, plan), plan), image) > 66  # 69.4 here; enlarging linearly gives 63.3


def test_reducing_does_not_alias():
    """Stripes of one pixel become their mean; point sampling would keep them as bars."""
    image = np.zeros((64, 64, 1), np.float32)
    image[:, ::2] = 1
    got = fit.apply(image, SizeRule(max_side=16).plan(Size(64, 64)))
    np.testing.assert_allclose(got, 0.5, atol=1e-6)
    odd = fit.apply(image, SizeRule(max_side=21).plan(Size(64, 64)))
    assert np.abs(odd - 0.5).max() < 0.2


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_nothing_rings_beyond_the_range_of_its_channel(height, width, seed):
    rng = np.random.default_rng(seed)
    image = rng.choice(np.array([-2, 0, 1, 5], np.float32), (height, width, 2))
    for rule in (SizeRule(native_side=30), SizeRule(max_side=max(1, height // 2))):
        got = fit.apply(image, rule.plan(size_of(image)))
        assert (got.max(axis=(0, 1)) <= image.max(axis=(0, 1)) + 1e-6).all()
        assert (got.min(axis=(0, 1)) >= image.min(axis=(0, 1)) - 1e-6).all()


@given(st.integers(2, 300), st.integers(2, 300), st.integers(1, 40), st.data())
def test_a_selected_pixel_stays_selected_when_reduced(height, width, side, data):
    mask = np.zeros((height, width), np.float32)
    mask[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = 1
    plan = SizeRule(max_side=side).plan(Size(width, height))
    got = fit.apply_mask(mask, plan)
    assert got.max() > 0
    assert got.shape == (plan.padded.height, plan.padded.width)


@pytest.mark.parametrize(
    ("source", "scaled", "method"),
    [
        ((101, 150), (61, 90), cv2.INTER_AREA),
        ((96, 150), (32, 50), cv2.INTER_AREA),  # whole pixels on both sides
        ((101, 150), (60, 75), cv2.INTER_AREA),  # and on one alone
        ((61, 90), (101, 150), cv2.INTER_LANCZOS4),
        ((40, 17), (333, 141), cv2.INTER_LANCZOS4),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pieces_of_a_large_picture_are_the_whole(monkeypatch, source, scaled, method, channels):
    image = np.random.default_rng(0).random((*source, channels), np.float32)
    plan = Fit(size_of(image), Size(*scaled[::-1]), Size(*scaled[::-1]))
    whole, mask = fit.apply(image, plan), fit.apply_mask(image[..., 0], plan)
    bare = cv2.resize(image, scaled[::-1], interpolation=method).reshape(*scaled, channels)
    np.testing.assert_array_equal(whole, np.clip(bare, image.min((0, 1)), image.max((0, 1))))
    monkeypatch.setattr(fit, "PIECE", 1000)
    asked: list[None] = []
    pieces = fit.apply(image, plan, lambda: asked.append(None))
    np.testing.assert_allclose(pieces, whole, atol=5e-6)  # sums may be rounded in another order: 2.7e-6 here
    assert len(asked) >= max(image.size, whole.size) // channels // 1000
    pieces = fit.apply_mask(image[..., 0], plan)
    np.testing.assert_allclose(pieces, mask, atol=5e-6)
    np.testing.assert_array_equal(pieces > 0, mask > 0)


def test_mask_padding_is_zero_and_values_stay_in_range():
    mask = np.ones((10, 14), np.float32)
    got = fit.apply_mask(mask, SizeRule(native_side=56, multiple=32).plan(Size(14, 10)))
    assert got.shape == (64, 64)
    assert (got[:40, :56] == 1).all()
    assert not got[40:].any()
    assert not got[:, 56:].any()


def test_another_size_is_refused():
    plan = SizeRule(max_side=8).plan(Size(16, 16))
    for call in (
        lambda: fit.apply(waves(16, 17), plan),
        lambda: fit.undo(waves(16, 16), plan),
        lambda: fit.apply_mask(np.zeros((15, 16), np.float32), plan),
    ):
        with pytest.raises(RequestInvalid):
            call()
