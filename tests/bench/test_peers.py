"""Peers get the mask the way they want it, and what is missing is said."""

from __future__ import annotations

import shlex
import sys

import cv2
import numpy as np
import pytest
from bench.peers import Peer, installed

COPY = "import shutil, sys; shutil.copy(sys.argv[2 if sys.argv[1] == 'image' else 3], sys.argv[4])"


@pytest.fixture
def flat() -> tuple[np.ndarray, np.ndarray]:
    """A flat colour with a black hole: every peer must fill it with that colour."""
    picture = np.full((48, 48, 3), (200, 120, 40), np.uint8)
    hole = np.zeros((48, 48), bool)
    hole[20:28, 20:28] = True
    picture[hole] = 0
    return picture, hole


def test_every_installed_peer_fills_a_flat_hole(flat: tuple[np.ndarray, np.ndarray]) -> None:
    picture, hole = flat
    for peer in installed()[0]:
        filled = peer.fill(picture.copy(), hole.copy())
        error = np.abs(filled[hole].astype(int) - (200, 120, 40)).max()
        assert error <= 8, f"{peer.name} fills with another colour, off by {error}"


def test_what_is_not_installed_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.peers.shutil.which", lambda name: None)
    monkeypatch.setattr("bench.peers.importlib.util.find_spec", lambda name: None)
    monkeypatch.delattr(cv2, "xphoto", raising=False)
    peers, missing = installed()
    assert [peer.name for peer in peers] == ["telea", "ns"]
    assert [line.split(":")[0] for line in missing] == [
        "shiftmap, fsr fast",
        "biharmonic",
        "gmic patch, gmic matchpatch",
    ]


def test_a_command_of_the_users_gets_files_and_gives_one_back(flat: tuple[np.ndarray, np.ndarray]) -> None:
    picture, hole = flat
    for which, wanted in (("image", picture), ("mask", np.repeat(hole[..., None] * np.uint8(255), 3, axis=2))):
        words = [sys.executable, "-c", COPY, which, "{image}", "{mask}", "{output}"]
        peer = installed([f"copy={shlex.join(words)}"])[0][-1]
        assert peer.name == "copy"
        np.testing.assert_array_equal(peer.fill(picture, hole), wanted)


def test_a_command_that_fails_says_so(flat: tuple[np.ndarray, np.ndarray]) -> None:
    words = [sys.executable, "-c", "import sys; sys.exit('no such brush')", "{image}", "{mask}", "{output}"]
    with pytest.raises(RuntimeError, match="no such brush"):
        installed([f"bad={shlex.join(words)}"])[0][-1].fill(*flat)


@pytest.mark.parametrize("text", ["cp {image} {output}", "name=cp {image} {output}"])
def test_a_command_without_its_files_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=COMMAND"):
        installed([text])


def test_a_small_peer_is_spared_large_cases(flat: tuple[np.ndarray, np.ndarray]) -> None:
    _, hole = flat
    assert Peer("p", lambda p, h: p, most_hole=64).takes(hole)
    assert not Peer("p", lambda p, h: p, most_hole=63).takes(hole)
    assert not Peer("p", lambda p, h: p, most_pixels=47 * 48).takes(hole)
