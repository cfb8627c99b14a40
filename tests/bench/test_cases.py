"""Sets on disk, and the sheets drawn of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench.cases import Kind, read_places, read_rgb, read_set, write_rgb
from bench.sheets import marked, view_of, write_sheet

from frisket.raster.geometry import Box

RED = np.full((6, 8, 3), (255, 0, 0), np.uint8)


def white_at(y: int, x: int) -> np.ndarray:
    mask = np.zeros_like(RED)
    mask[y, x] = 255
    return mask


def test_a_set_with_and_without_truth(tmp_path: Path) -> None:
    rows = [{"id": "known", "kind": "inpaint"}, {"id": "gone", "kind": "removal"}]
    (tmp_path / "set.json").write_text(json.dumps(rows))
    for row in rows:
        write_rgb(tmp_path / row["id"] / "image.png", RED)
        write_rgb(tmp_path / row["id"] / "mask.png", white_at(2, 3))
    write_rgb(tmp_path / "known" / "gt.png", RED // 2)
    known, gone = read_set(tmp_path)
    assert (known.kind, gone.kind) == (Kind.INPAINT, Kind.REMOVAL)
    np.testing.assert_array_equal(known.picture, RED)  # red stays red: no swapped channels
    assert np.argwhere(known.hole).tolist() == [[2, 3]]
    assert known.truth is not None
    assert known.truth[0, 0].tolist() == [127, 0, 0]
    assert gone.truth is None
    assert [case.name for case in read_set(tmp_path, ["gone"])] == ["gone"]
    with pytest.raises(ValueError, match="typo"):
        read_set(tmp_path, ["typo"])


def test_places_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "2"):
        for folder in ("images", "masks", "migan"):
            write_rgb(tmp_path / folder / f"{name}.png", white_at(1, 1))
    assert [place.name for place in read_places(tmp_path)] == ["2", "10"]
    with pytest.raises(FileNotFoundError, match="photographs"):
        read_places(tmp_path / "images")


def test_a_sheet_holds_each_tile_where_it_belongs(tmp_path: Path) -> None:
    green = np.full((64, 64, 3), (0, 255, 0), np.uint8)
    write_sheet(tmp_path / "sheet.png", [{"a": RED, "b": green}, {"c": green}], 64)
    sheet = read_rgb(tmp_path / "sheet.png")
    assert sheet.shape == (136, 136, 3)
    assert sheet[40, 10].tolist() == [255, 0, 0]
    assert sheet[40, 100].tolist() == [0, 255, 0]
    assert sheet[110, 10].tolist() == [0, 255, 0]
    assert sheet[110, 100].tolist() == [255, 255, 255]


def test_the_view_stays_on_the_picture_and_the_mark_on_the_hole() -> None:
    hole = np.zeros((100, 300), bool)
    hole[90:, 290:] = True
    view = view_of(hole)
    assert Box(0, 0, 300, 100).holds(view)
    assert view.holds(Box(290, 90, 10, 10))
    tinted = marked(np.zeros((100, 300, 3), np.uint8), hole, 1.0)
    assert tinted[95, 295].tolist() == [255, 0, 255]
    assert not tinted[~hole].any()
