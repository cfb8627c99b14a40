"""YuNet (Wu, Peng and Yu, 2023) through OpenCV's own FaceDetectorYN: fast, small faces too, no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from frisket.engines.diffusion.guard import check_files
from frisket.engines.faces import rows as faces
from frisket.engines.faces.dials import CLOSER, SIDE, SIZES, confidence
from frisket.engines.faces.looking import Picture, looked
from frisket.engines.faces.rows import Rows
from frisket.engines.spec import Channels, EngineSpec, Report, Task, Work
from frisket.errors import ModelDamaged, ModelFileUnusable
from frisket.models import onnxfile
from frisket.models.record import Record
from frisket.raster.spans import Check

CONFIDENT = 0.85  # between the surest thing that is no face and the least sure face of `bench.faces`
MOST = 5000  # boxes before they are merged
MERGED = 0.3  # of their union: where boxes share more, they are one face
SEEN = (1, 3, 640, 640)  # what a file says that comes without sizes: OpenCV's importer wants some, and takes any then
GRAPH, INPUT, TYPE, TENSOR_TYPE, SHAPE, DIMENSION, NUMBER = 7, 11, 2, 1, 2, 1, 1  # fields of onnx.proto


class YuNetDetector:
    """An installed model of the family YUNET. On the processor only; the same picture gives the same faces."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._net: cv2.FaceDetectorYN | None = None
        self.spec = EngineSpec(
            id=record.id,
            title=record.title,
            summary="Finds faces and their eyes, nose and mouth, from the side too, with a small network.",
            tasks=frozenset({Task.DETECT_FACES}),
            size=SIZES,
            channels=Channels.RGB,
            params=(confidence(CONFIDENT), SIDE, replace(CLOSER, default=True)),
            models=(record.id,),
            uses_strength=False,
            licence=record.licence.name,
            revision=record.commit or record.revision,
            rank=20,
        )

    def load(self, model: str) -> None:
        """Raises ModelDamaged, ModelFileUnusable."""
        check_files(self._folder, self._record)
        paths = [self._folder / f.path for f in self._record.files if f.path.endswith(".onnx")]
        if len(paths) != 1:
            raise ModelFileUnusable(path=self._folder, reason=f"it has {len(paths)} .onnx files, not one")
        (path,) = paths
        onnxfile.read_header(path)
        try:
            raw = np.frombuffer(sized(path.read_bytes()), np.uint8)
            net = cv2.FaceDetectorYN.create("onnx", raw, np.zeros(0, np.uint8), (64, 64), 0.5, MERGED, MOST)
            net.detect(np.full((64, 64, 3), 127, np.uint8))
        except (cv2.error, ValueError, IndexError) as error:
            suggestion = f"Run `frisket models verify {self._record.id}`, or remove it and get it again."
            findings = f"{path.name} cannot be opened by OpenCV {cv2.__version__} ({type(error).__name__})"
            raise ModelDamaged(model=self._record.id, findings=findings, suggestion=suggestion) from error
        self._net = net

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        if self._net is None:
            self.load("")
        assert self._net is not None
        self._net.setScoreThreshold(float(work.params["confidence"]))
        return list(looked(partial(_find, self._net), work, report))


def _find(net: cv2.FaceDetectorYN, picture: Picture, check: Check) -> Rows:
    """Columns and order are OpenCV's, which are ours."""
    bgr = np.ascontiguousarray(picture[..., ::-1])
    net.setInputSize((bgr.shape[1], bgr.shape[0]))
    check()
    _, found = net.detect(bgr)
    check()
    return faces.none() if found is None else np.asarray(found, np.float32)


def sized(raw: bytes) -> bytes:
    """An ONNX model whose input has the size SEEN: those with a size of any number are refused by OpenCV 4's importer.

    Raises ValueError, IndexError for what is no protocol buffer.
    """
    return _changed(raw, (GRAPH, INPUT, TYPE, TENSOR_TYPE, SHAPE), _with_numbers)


def _changed(raw: bytes, path: tuple[int, ...], change: Callable[[bytes], bytes]) -> bytes:
    """A message whose fields at `path`, level by level, are changed."""
    if not path:
        return change(raw)
    parts = []
    for number, value, whole in _fields(raw):
        if number == path[0] and value is not None:
            whole = _field(number, _changed(value, path[1:], change))
        parts.append(whole)
    return b"".join(parts)


def _with_numbers(shape: bytes) -> bytes:
    wanted = iter(SEEN)
    return b"".join(
        _field(number, _varint(NUMBER << 3) + _varint(next(wanted, 1))) if number == DIMENSION else whole
        for number, _, whole in _fields(shape)
    )


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _fields(raw: bytes) -> Iterator[tuple[int, bytes | None, bytes]]:
    """Of each field: its number, its bytes where it has some, and all of it as it stands."""
    at = 0
    while at < len(raw):
        start = at
        key, at = _number(raw, at)
        value = None
        if key & 7 == 0:
            _, at = _number(raw, at)
        elif key & 7 == 2:
            length, at = _number(raw, at)
            value, at = raw[at : at + length], at + length
        elif key & 7 in (1, 5):
            at += 8 if key & 7 == 1 else 4
        else:
            raise ValueError("no protocol buffer")
        if at > len(raw):
            raise ValueError("cut off")
        yield key >> 3, value, raw[start:at]


def _number(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
