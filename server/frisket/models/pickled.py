"""The one kind of pickle that weights need, read without running anything: a closed interpreter of its opcodes.

A pickle is a program: it names functions of any module and has them called. Here nothing is ever called and no module
imported. A name outside of `STORAGES` and the few below, or an opcode outside of `_STEPS`, ends the reading. The format
is what the standard library's pickletools documents; what torch writes is in torch/_utils.py and serialization.py.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from frisket.models.safetensors import BITS, Tensor

LONGEST = 4 << 20  # bytes of one pickle: those of the largest restorers and upscalers have some 0.2 million
MOST_TENSORS = 20_000
MOST_BYTES = 1 << 62
MOST_COPIED = (
    200_000  # values that calls make copies of: a dict of a network's has a few thousand, its shapes are short
)
STORAGES: Mapping[str, str] = {
    "Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16", "Long": "I64", "Int": "I32", "Short": "I16",
    "Char": "I8", "Byte": "U8", "Bool": "BOOL", "ComplexFloat": "C64",
}  # fmt: skip
_STORAGE_NAMES = {f"torch {name}Storage": dtype for name, dtype in STORAGES.items()}
_ORDERED, _SIZE, _PARAMETER = "collections OrderedDict", "torch Size", "torch._utils _rebuild_parameter"
_TENSORS = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")
_INERT = frozenset(
    f"torch {name}" for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
)  # types by themselves, beside the tensors
_NAMES = frozenset({_ORDERED, _SIZE, _PARAMETER, *_TENSORS, *_STORAGE_NAMES, *_INERT})


class Unfit(Exception):
    """What is wrong with a pickle, for people."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers that tensors are parts of: where the file keeps it, its type, how many it holds."""

    key: str
    dtype: str
    count: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * BITS[self.dtype] // 8


@dataclass(frozen=True, slots=True)
class _Name:
    """A function or class that the pickle speaks of. It stays a name."""

    name: str


@dataclass(frozen=True, slots=True)
class _Mark:
    pass


class _Bounded:
    """A stream of which at most LONGEST bytes are read, as pickletools wants one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, LONGEST

    def read(self, count: int) -> bytes:
        return self._taken(self._stream.read(min(count, self._left + 1)))

    def readline(self) -> bytes:
        return self._taken(self._stream.readline(self._left + 1))

    def _taken(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise Unfit(f"it describes its tensors in more than {LONGEST} bytes")
        return piece


@dataclass(slots=True)
class Pickle:
    """What one pickle described: `value` of dicts, lists, tuples, numbers, texts and Tensors, and the storages that
    the tensors lie in, by key. A Tensor's begin and end are bytes within its storage."""

    value: Any
    storages: dict[str, Storage]


def read(stream: IO[bytes]) -> Pickle:
    """Read one pickle and stop behind it. Raises Unfit for whatever is not a description of tensors."""
    reader = _Reader()
    try:
        for opcode, argument, _ in pickletools.genops(_Bounded(stream)):  # type: ignore[arg-type]
            if opcode.name == "STOP":
                return Pickle(reader.pop(), reader.storages)
            step = _STEPS.get(opcode.name)
            if step is None:
                raise Unfit(f"its pickle uses {opcode.name}, which no weights need")
            step(reader, argument)
    except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError, EOFError, UnicodeError):
        raise Unfit("its pickle is cut off or makes no sense") from None
    raise Unfit("its pickle is cut off")


class _Reader:
    """The machine's stack and memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.tensors = self.copied = 0

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a mark")
        return value

    def top(self, kind: type) -> Any:
        value = self.stack[-1]
        if type(value) is not kind:
            raise TypeError(kind)
        return value

    def since_mark(self) -> list[Any]:
        items = []
        while not isinstance(value := self.stack.pop(), _Mark):
            items.append(value)
        return items[::-1]

    def keep(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def put(self, pairs: list[Any]) -> None:
        """Into the dict on top."""
        if len(pairs) % 2:
            raise ValueError("a key without a value")
        into = self.top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            into[_key(key)] = value

    def name(self, text: str) -> None:
        if text not in _NAMES:
            raise Unfit(f"its pickle wants {text.replace(' ', '.')}, which no weights need and which is never run")
        self.push(_Name(text))

    def stack_name(self) -> None:
        last, first = self.pop(), self.pop()
        self.name(f"{_text(first)} {_text(last)}")

    def persistent(self) -> None:
        """("storage", type, key, where it was, how many[, no view of another one])."""
        kind, name, key, _, count, *view = self.pop()
        if kind != "storage" or view not in ([], [None]) or not isinstance(name, _Name):
            raise Unfit("its tensors lie in storages of a kind unknown here")
        storage = Storage(_text(key), _STORAGE_NAMES[name.name], _count(count))
        if self.storages.setdefault(storage.key, storage) != storage:
            raise Unfit("two of its tensors disagree on where they lie")
        self.push(storage)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Name) or type(arguments) is not tuple:
            raise TypeError(function)
        if function.name == _ORDERED:
            self.push({_key(k): v for k, v in self.bounded(arguments[0] if arguments else ())})
        elif function.name in _TENSORS:
            self.push(self.tensor(*arguments[:4]))
        elif function.name == _PARAMETER and type(arguments[0]) is Tensor:
            self.push(arguments[0])
        elif function.name == _SIZE:
            self.push(tuple(_count(n) for n in self.bounded(arguments[0])))
        else:
            raise TypeError(function)

    def bounded(self, values: Any) -> Any:
        """`values`, to be copied: one list, named again and again, would fill the memory."""
        self.copied += len(values)
        if self.copied > MOST_COPIED:
            raise Unfit("it copies its own lists over and over, which no weights need")
        return values

    def build(self) -> None:
        """Attributes of the dict on top, such as the versions that torch notes: not needed."""
        self.pop()
        self.top(dict)

    def tensor(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
        self.tensors += 1
        if self.tensors > MOST_TENSORS:
            raise Unfit(f"it has more than {MOST_TENSORS} tensors")
        if type(storage) is not Storage or len(shape) != len(strides) or len(shape) > 64:
            raise TypeError(storage)
        begin, width = _count(offset), BITS[storage.dtype] // 8
        steps = [(_count(n) - 1) * _count(stride) for n, stride in zip(shape, strides, strict=True)]
        reach = 0 if 0 in shape else 1 + sum(steps)
        if begin + reach > storage.count:
            raise Unfit("one of its tensors reaches beyond its own storage")
        if math.prod(shape) > reach:
            raise Unfit("one of its tensors lies over itself, and is larger than the file says")
        return Tensor(storage.dtype, tuple(shape), begin * width, (begin + reach) * width)


def _key(value: Any) -> str | int:
    if type(value) not in (str, int):
        raise TypeError(value)
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(value)
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MOST_BYTES:
        raise ValueError(value)
    return value


def _constant(value: Any) -> Callable[[_Reader, Any], None]:
    return lambda reader, _: reader.push(value)


def _push(reader: _Reader, argument: Any) -> None:
    reader.push(argument)


_VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING",
           "SHORT_BINSTRING")  # fmt: skip
_STEPS: Mapping[str, Callable[[_Reader, Any], None]] = {
    **dict.fromkeys(_VALUES, _push),
    **dict.fromkeys(("PROTO", "FRAME"), lambda reader, _: None),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), lambda reader, index: reader.keep(index)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda reader, index: reader.push(reader.memo[index])),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": _constant(_Mark()),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_DICT": lambda reader, _: reader.push({}),
    "EMPTY_LIST": lambda reader, _: reader.push([]),
    "TUPLE": lambda reader, _: reader.push(tuple(reader.since_mark())),
    "TUPLE1": lambda reader, _: reader.tuple_of(1),
    "TUPLE2": lambda reader, _: reader.tuple_of(2),
    "TUPLE3": lambda reader, _: reader.tuple_of(3),
    "APPEND": lambda reader, _: _append(reader, [reader.pop()]),
    "APPENDS": lambda reader, _: _append(reader, reader.since_mark()),
    "SETITEM": lambda reader, _: reader.put([reader.pop(), reader.pop()][::-1]),
    "SETITEMS": lambda reader, _: reader.put(reader.since_mark()),
    "GLOBAL": lambda reader, name: reader.name(name),
    "STACK_GLOBAL": lambda reader, _: reader.stack_name(),
    "BINPERSID": lambda reader, _: reader.persistent(),
    "REDUCE": lambda reader, _: reader.reduce(),
    "BUILD": lambda reader, _: reader.build(),
}


def _append(reader: _Reader, items: list[Any]) -> None:
    reader.top(list).extend(items)
