"""Pickles of weights are read, all others are refused, and none of them runs."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from fakes.torchfiles import FLOAT, described, name, number, numbers, pickled, storage, tensor, text
from frisket.models import pickled as room
from frisket.models.pickled import Storage, Unfit, read
from frisket.models.safetensors import Tensor


def value_of(raw: bytes) -> Any:
    return read(io.BytesIO(raw)).value


def test_tensors_and_the_storages_they_lie_in() -> None:
    shared = storage("7", 12)
    raw = pickled(b"}" + b"(" + text("a") + tensor(shared, (2, 3), offset=6) + text("b") + tensor(shared, (4,)) + b"u")
    found = read(io.BytesIO(raw))
    assert found.value == {"a": Tensor("F32", (2, 3), 24, 48), "b": Tensor("F32", (4,), 0, 16)}
    assert found.storages == {"7": Storage("7", "F32", 12)}
    assert found.storages["7"].size == 48


@pytest.mark.parametrize(("kind", "dtype"), room.STORAGES.items())
def test_every_type_that_torch_keeps(kind: str, dtype: str) -> None:
    assert value_of(pickled(tensor(storage("0", 6, f"torch {kind}Storage"), (6,)))).dtype == dtype


@pytest.mark.parametrize(
    "value",
    [{"a": 1, "b": [1, 2, (3, 4.5, None)], 3: True}, OrderedDict(a={"b": False}), [], "ü", 1 << 40, -5, (1, 2, 3, 4)],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_plain_values_as_the_standard_library_writes_them(value: Any, protocol: int) -> None:
    assert value_of(pickle.dumps(value, protocol)) == value


def test_it_stops_behind_one_pickle() -> None:
    stream = io.BytesIO(pickle.dumps(1, 2) + pickle.dumps(2, 2) + b"rest")
    assert [read(stream).value, read(stream).value, stream.read()] == [1, 2, b"rest"]


class _Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("make", ["system", "exec", "getattr", "open", "nested"])
def test_nothing_runs(tmp_path: Path, protocol: int, make: str) -> None:
    touched = tmp_path / "touched"
    evil = {
        "system": lambda: _Evil(os.system, f"touch {touched}"),
        "exec": lambda: _Evil(exec, f"open({str(touched)!r}, 'w')"),
        "getattr": lambda: _Evil(getattr, Path(touched), "touch"),
        "open": lambda: _Evil(open, str(touched), "w"),
        "nested": lambda: OrderedDict(a=_Evil(getattr, _Evil(getattr, os, "path"), "join")),
    }[make]
    if make == "nested":  # a module itself cannot be pickled: by hand, as an attacker would
        raw = pickled(name("builtins getattr") + b"(" + name("os path") + text("join") + b"tR")
    else:
        raw = pickle.dumps(evil(), protocol)
    with pytest.raises(Unfit):
        value_of(raw)
    assert not touched.exists()


@pytest.mark.parametrize(
    "wanted",
    ["os system", "posix system", "builtins eval", "torch.hub load", "torch load", "torch._utils __class__",
     "collections OrderedDict.__init__", "functools partial", "torch FloatStorage.__class__"],
)  # fmt: skip
@pytest.mark.parametrize("stacked", [False, True])
def test_names_that_no_weights_need_are_told(wanted: str, stacked: bool) -> None:
    first, last = wanted.split(" ")
    how = text(first) + text(last) + b"\x93" if stacked else name(wanted)
    with pytest.raises(Unfit, match=f"wants {first}.{last}"):
        value_of(pickled(how))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"\x80\x02(cos\nsystem\no.", "never run"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x02" + name("collections OrderedDict") + b")\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02I1\n2.", "INT"),
        (b"\x80\x02Pkey\n.", "PERSID"),
        (b"\x80\x02\x99.", "no sense"),
        (b"\x80\x02", "cut off"),
        (b"", "cut off"),
        (b"\x80\x02.", "no sense"),
        (b"\x80\x02(.", "no sense"),
        (b"\x80\x02t.", "no sense"),
        (b"\x80\x02h\x05.", "no sense"),
        (b"\x80\x02}K\x01s.", "no sense"),
        (b"\x80\x02}}}s.", "no sense"),
        (b"\x80\x02]K\x01K\x02s.", "no sense"),
        (b"\x80\x02K\x01)R.", "no sense"),
        (b"\x80\x02K\x01}b.", "no sense"),
        (b"\x80\x02X\xff\xff\xff\xffab", "no sense"),
        (pickled(name("collections OrderedDict") + b"K\x01\x85R"), "no sense"),
        (pickled(name(FLOAT) + b")R"), "no sense"),
        (pickled(tensor(b"K\x01", (2,))), "no sense"),
        (pickled(tensor(storage("0", 4, "torch float32"), (2,))), "no sense"),
        (pickled(tensor(storage("0", -4), (2,))), "no sense"),
        (pickled(tensor(storage("0", 4), (2,), offset=-1)), "no sense"),
        (pickled(tensor(storage("0", 4), (2,), strides=(-1,))), "no sense"),
        (pickled(tensor(storage("0", 4), (2,), strides=(1, 1))), "no sense"),
        (pickled(tensor(storage("0", 4), (5,))), "beyond its own storage"),
        (pickled(tensor(storage("0", 4), (2, 2), offset=1)), "beyond its own storage"),
        (pickled(tensor(storage("0", 4), (2,), strides=(4,))), "beyond its own storage"),
        (pickled(tensor(storage("0", 4), (3, 4), strides=(0, 1))), "lies over itself"),
        (pickled(tensor(storage("0", 1), (1 << 30, 1 << 30), strides=(0, 0))), "lies over itself"),
        (pickled(b"(" + storage("0", 4) + storage("0", 5) + b"t"), "disagree"),
        (pickled(b"(" + text("module") + name(FLOAT) + text("0") + text("cpu") + number(1) + b"tQ"), "unknown here"),
        (pickled(b"(" + text("storage") + name(FLOAT) + text("0") + text("cpu") + number(1) + numbers((1,)) + b"tQ"),
         "unknown here"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(raw: bytes, told: str) -> None:
    with pytest.raises(Unfit, match=told):
        value_of(raw)


def test_the_empty_tensor_and_the_number_have_their_bytes() -> None:
    assert value_of(pickled(tensor(storage("0", 0), (0, 3)))) == Tensor("F32", (0, 3), 0, 0)
    assert value_of(pickled(tensor(storage("0", 3), (), offset=2))) == Tensor("F32", (), 8, 12)


def test_lengths_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = described({str(i): (1,) for i in range(20)})
    monkeypatch.setattr(room, "MOST_TENSORS", 19)
    with pytest.raises(Unfit, match="more than 19 tensors"):
        value_of(raw)
    monkeypatch.setattr(room, "LONGEST", len(raw) - 1)
    with pytest.raises(Unfit, match="more than"):
        value_of(raw)
    monkeypatch.setattr(room, "LONGEST", 100)
    with pytest.raises(Unfit, match="more than 100 bytes"):
        value_of(b"\x80\x02c" + b"a" * 1000)


@pytest.mark.parametrize(("called", "item"), [("torch Size", b"K\x01"), ("collections OrderedDict", b"K\x01K\x02\x86")])
def test_a_list_that_is_copied_over_and_over_is_refused(
    called: str, item: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_COPIED", 300)
    start = b"]q\x00(" + item * 100 + b"e" + name(called) + b"q\x01" + b"]("
    assert len(value_of(pickled(start + b"h\x01h\x00\x85R" * 3 + b"e\x86"))[1]) == 3
    with pytest.raises(Unfit, match="over and over"):
        value_of(pickled(start + b"h\x01h\x00\x85R" * 4 + b"e\x86"))


def test_a_far_memo_takes_no_memory() -> None:
    assert value_of(pickled(b"K\x07r\xff\xff\xff\xffj\xff\xff\xff\xff\x86")) == (7, 7)


def test_every_beginning_of_one_is_refused() -> None:
    raw = described({"a": (2, 3), "b": (4,)}, "params")
    for end in range(len(raw)):
        with pytest.raises(Unfit):
            value_of(raw[:end])
