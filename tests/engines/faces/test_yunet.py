"""YuNet with its real weights, and the size that is written into files that come without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.faces.installed import install
from engines.faces.photos import photo, weights
from frisket.engines.faces.yunet import SEEN, YuNetDetector, sized
from frisket.engines.registry import checked
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import FrisketError, ModelDamaged, ModelFileUnusable
from frisket.models.families import Family

FACE = (178, 60, 92, 118)  # the astronaut's: x, y, width, height
POINTS = ((202, 104), (247, 105), (227, 129), (208, 144), (246, 146))


def detector(root: Path, file: Path) -> YuNetDetector:
    engine = YuNetDetector(*install(file, Family.YUNET, root))
    checked(engine)
    return engine


def found(engine: YuNetDetector, crop: np.ndarray, **params) -> np.ndarray:
    hole = np.ones(crop.shape[:2], np.float32)
    (rows,) = engine.run(Work(Task.DETECT_FACES, crop, hole, engine.spec.check_params(params), (0,)), Silent())
    return rows


def test_the_astronaut_s_face_and_its_five_points(tmp_path) -> None:
    engine = detector(tmp_path, weights("yunet_n_dynamic.onnx"))
    engine.load("")
    crop = photo("astronaut.png")
    rows = found(engine, crop)
    assert rows.shape == (1, 15)
    assert np.abs(rows[0, :4] - FACE).max() < 15
    assert np.abs(rows[0, 4:14].reshape(5, 2) - POINTS).max() < 9  # a corner of the mouth
    assert (found(engine, crop) == rows).all()
    assert found(engine, photo("chelsea.png")).shape == (0, 15)
    assert found(engine, crop[:1, :1]).shape == (0, 15)


def test_a_large_picture_is_seen_smaller(tmp_path) -> None:
    engine = detector(tmp_path, weights("yunet_n_dynamic.onnx"))
    crop = np.repeat(np.repeat(photo("astronaut.png"), 3, axis=0), 3, axis=1)
    rows = found(engine, crop, side=512, closer=False)
    assert np.abs(rows[0, :4] / 3 - FACE).max() < 10


def test_a_file_cut_short_and_one_that_is_none_are_told(tmp_path) -> None:
    whole = weights("yunet_n_dynamic.onnx").read_bytes()
    for name, raw in {"cut": whole[:-5000], "text": b"hello, this is no network" * 9, "empty": b""}.items():
        file = tmp_path / f"{name}.onnx"
        file.write_bytes(raw)
        with pytest.raises((ModelDamaged, ModelFileUnusable)):
            detector(tmp_path / name, file).load("")


def test_a_file_that_changed_since_it_was_installed_is_refused(tmp_path) -> None:
    engine = detector(tmp_path, weights("yunet_n_dynamic.onnx"))
    with (tmp_path / "tiny" / "yunet_n_dynamic.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(FrisketError):
        engine.load("")


def test_a_model_of_no_file_is_told(tmp_path) -> None:
    other = tmp_path / "readme.txt"
    other.write_text("none here")
    with pytest.raises(ModelFileUnusable):
        YuNetDetector(*install(other, Family.YUNET, tmp_path / "m")).load("")


def test_sizes_are_written_where_a_file_has_names() -> None:
    """A model of one graph of one input of shape (batch, 3, height, width), by hand from onnx.proto."""

    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    def model(*dims: bytes) -> bytes:
        shape = b"".join(field(1, dim) for dim in dims)
        kind = field(1, b"\x08\x01" + field(2, shape))
        graph = field(2, b"name") + field(11, field(1, b"input") + field(2, kind)) + field(12, b"\x0a\x01y")
        return b"\x08\x06" + field(7, graph) + field(8, b"\x10\x0b")

    named = model(field(2, b"batch"), b"\x08\x03", field(2, b"height"), field(2, b"width"))
    assert sized(named) == model(b"\x08\x01", b"\x08\x03", b"\x08\x80\x05", b"\x08\x80\x05")
    assert SEEN == (1, 3, 640, 640)
    assert sized(sized(named)) == sized(named)
    for raw in (named[:-1], b"\x0f", b"\x80"):
        with pytest.raises((ValueError, IndexError)):
            sized(raw)
