"""`frisket demo`: the photograph and the selection fit each other, and what is shown is what happened."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frisket.cli import demo as module
from live import ServerProcess


def test_before_selection_after(
    frisket, server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shared server in place of a private one."""
    monkeypatch.setattr(module, "private_server", lambda: contextlib.nullcontext(server.runtime))
    told = json.loads(frisket("demo", "-o", tmp_path / "demo", "--json").stdout)
    assert told["outside_unchanged"] is True
    photo = np.asarray(Image.open(module.PHOTO))
    h, w = photo.shape[:2]
    sheet = np.asarray(Image.open(told["before_after"]))
    assert sheet.shape == (h, 3 * w + 16, 3)
    before, marked, after = sheet[:, :w], sheet[:, w + 8 : 2 * w + 8], sheet[:, 2 * w + 16 :]
    assert np.array_equal(before, photo)
    layer = np.asarray(Image.open(told["layer"]))
    outside = layer[..., 3] == 0
    assert np.array_equal(after[outside], photo[outside])
    inside = layer[..., 3] == 255
    assert (marked[inside, 0] >= 127).all(), "the selection is shown in red"
    changed = (after[inside] != photo[inside]).any(axis=-1).mean()
    assert changed > 0.9, "the tower is still there"


def test_the_selection_lies_within_the_photograph() -> None:
    height, width = np.asarray(Image.open(module.PHOTO)).shape[:2]
    assert all(0 <= x < width and 0 <= y < height for x, y in module.TOWER)
    drawn = module._selection(width, height)
    xs, ys = zip(*module.TOWER, strict=True)
    rows, columns = np.nonzero(drawn)
    for low, high, found in ((min(xs), max(xs), columns), (min(ys), max(ys), rows)):
        assert low - 4 <= found.min() <= low
        assert high <= found.max() <= high + 4
