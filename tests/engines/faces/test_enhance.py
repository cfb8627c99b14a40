"""The built-in enhancer: works on the picture's own grid, wherever the aligned face came from."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from engines.faces.test_repair import compressed, noisy, psnr, scene
from frisket.engines.faces.enhance import ENGINE
from frisket.engines.spec import Silent, Task, Work

SIDE = 512


def turned(degrees: float, scale: float) -> np.ndarray:
    """(2, 3): canvas to stack; what lies around (80, 80) comes to the middle."""
    matrix = cv2.getRotationMatrix2D((80, 80), degrees, scale)
    matrix[:, 2] += SIDE / 2 - 80
    return matrix


def seen(rgb: np.ndarray, frame: np.ndarray) -> np.ndarray:
    image = rgb.astype(np.float32) / 255
    return cv2.warpAffine(image, frame, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def enhanced(stack: np.ndarray, frames: np.ndarray | None, **params: float) -> np.ndarray:
    whole = ENGINE.spec.check_params(params)
    hole = np.ones(stack.shape[1:3], np.float32)
    return np.stack(ENGINE.run(Work(Task.RESTORE_FACES, stack, hole, whole, (0,), frames=frames), Silent()))


def inner(face: np.ndarray) -> np.ndarray:
    return 255 * face[64:448, 64:448]


@pytest.mark.parametrize(("degrees", "scale"), [(0, 3.4), (20, 3.4), (45, 5.0), (-90, 3.4)])
@pytest.mark.parametrize("how", ["blocks", "noise", "blur"])
def test_damage_is_found_through_any_turn(degrees: float, scale: float, how: str) -> None:
    bad = {
        "blocks": compressed(scene(), 20),
        "noise": noisy(scene(), 10),
        "blur": cv2.GaussianBlur(scene(), (0, 0), 2),
    }[how]
    frame = turned(degrees, scale)
    truth, before = seen(scene(), frame), seen(bad, frame)
    (after,) = enhanced(before[None], frame[None])
    assert psnr(inner(after), inner(truth)) > psnr(inner(before), inner(truth)) + 0.4


def test_a_clean_face_is_left_nearly_alone() -> None:
    frame = turned(10, 3.4)
    clean = np.clip(seen(scene(), frame), 0, 1)
    assert psnr(255 * enhanced(clean[None], frame[None])[0], 255 * clean) > 45


def test_faces_are_independent_and_repeat_to_the_bit() -> None:
    frames = np.stack([turned(5, 3.4), turned(-5, 4.0)])
    stack = np.stack([seen(noisy(scene(), 10), frame) for frame in frames])
    both = enhanced(stack, frames)
    assert both.shape == stack.shape
    assert (both[1:] == enhanced(stack[1:], frames[1:])).all()
    assert both.min() >= 0
    assert both.max() <= 1


def test_without_frames_or_where_the_face_is_larger_than_the_stack_its_own_grid_stands_in() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (SIDE, SIDE, 3)).astype(np.float32)
    stack = np.clip(0.5 + noise, 0, 1)[None]
    for frames in (None, turned(0, 0.5)[None]):
        assert enhanced(stack, frames)[0].std() < 0.01


def test_contrast_is_a_matter_of_taste() -> None:
    frame = turned(0, 3.4)
    clean = seen(scene(), frame)
    assert enhanced(clean[None], frame[None], contrast=1.0).std() > enhanced(clean[None], frame[None]).std() * 1.02


def test_importing_it_costs_nothing() -> None:
    code = "import sys, frisket.engines.faces.enhance; sys.exit('cv2' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
