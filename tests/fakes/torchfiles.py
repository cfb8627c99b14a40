"""Files as torch.save writes them, made without torch: zeros of given shapes, in both formats, and crooked ones."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]
ORDERED, REBUILD, FLOAT = "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage"
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."
MACHINE = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s."


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def number(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def name(value: str) -> bytes:
    return b"c" + value.replace(" ", "\n").encode() + b"\n"


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(number(v) for v in values) + b"t"


def storage(key: str, count: int, kind: str = FLOAT, old: bool = False) -> bytes:
    view = b"N" if old else b""
    return b"(" + text("storage") + name(kind) + text(key) + text("cpu") + number(count) + view + b"tQ"


def tensor(where: bytes, shape: tuple[int, ...], offset: int = 0, strides: tuple[int, ...] | None = None) -> bytes:
    """The opcodes for one tensor in a storage."""
    steps = strides or tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    ordered = name(ORDERED) + b")R"
    return name(REBUILD) + b"(" + where + number(offset) + numbers(shape) + numbers(steps) + b"\x89" + ordered + b"tR"


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def described(shapes: Shapes, wrap: str = "", old: bool = False) -> bytes:
    """The pickle of a dict of tensors, each in a storage of its own: "0", "1" ..."""
    items = b""
    for key, (called, shape) in enumerate(shapes.items()):
        items += text(called) + tensor(storage(str(key), math.prod(shape), old=old), shape)
    body = b"}(" + items + b"u"
    return pickled(b"}" + text(wrap) + body + b"s" if wrap else body)


def archive(members: Mapping[str, bytes], packed: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packed) as file:
        for member, content in members.items():
            file.writestr(member, content)
    return made.getvalue()


def zipped(shapes: Shapes, wrap: str = "") -> bytes:
    """As torch.save writes since 1.6."""
    data = {f"weights/data/{key}": bytes(4 * math.prod(shape)) for key, shape in enumerate(shapes.values())}
    return archive({"weights/data.pkl": described(shapes, wrap), **data, "weights/version": b"3\n"})


def legacy(shapes: Shapes, wrap: str = "") -> bytes:
    """As torch.save wrote before 1.6, and writes still when asked to."""
    keys = pickled(b"](" + b"".join(text(str(key)) for key in range(len(shapes))) + b"e")
    counts = [math.prod(shape) for shape in shapes.values()]
    data = b"".join(count.to_bytes(8, "little") + bytes(4 * count) for count in counts)
    return MAGIC + VERSION + MACHINE + described(shapes, wrap, old=True) + keys + data
