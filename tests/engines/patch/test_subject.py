"""Straight colours in, premultiplied ones out."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.subject import Subject


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_there_and_back(channels: int) -> None:
    crop = np.random.default_rng(channels).random((9, 8, channels), np.float32)
    if channels in (2, 4):
        crop[..., :-1] *= crop[..., -1:]
        crop[..., -1] = np.maximum(crop[..., -1], 0.6)
    subject = Subject.of(crop)
    assert subject is not None
    np.testing.assert_allclose(subject.leave(subject.I, subject.alpha), crop, atol=2e-7)
    assert (subject.I[..., 3] == 0).all()
    assert subject.channels == (1 if channels < 3 else 3)


def test_hidden_colours_never_come_in() -> None:
    crop = np.zeros((4, 4, 4), np.float32)
    crop[0] = (0.25, 0.1, 0, 0.5)
    crop[1] = (0.9, 0.9, 0.9, 0)  # no alpha: whatever it holds is no colour
    crop[2] = (0.1, 0.1, 0.1, 0.1)  # too thin to copy from
    subject = Subject.of(crop)
    assert subject is not None
    np.testing.assert_allclose(subject.I[0, 0], [127.5, 51, 0, 0], rtol=1e-5)
    assert (subject.I[1] == 0).all()
    assert subject.solid.all(1).tolist() == [True, False, False, False]


def test_a_transparent_picture_has_no_subject() -> None:
    assert Subject.of(np.zeros((3, 3, 2), np.float32)) is None
