import pickle

import pytest

from frisket.errors import EngineFailed
from frisket.workers import messages as m

ROOM = m.Room("/x", 64, 10)
ALL = [
    m.Setup("a:b", {"n": 1}, ("p",), "/control", 5.0),
    m.Alive(),
    ROOM,
    m.Span(1, 2),
    m.Run("j", "{}", {"pixels": m.Span(0, 4)}, ROOM, ROOM),
    m.MoreRoom(ROOM),
    m.NoRoom(EngineFailed(engine="e", reason="r")),
    m.Ready("trace"),
    m.Progressed(0.5),
    m.Previewed(b"jpeg", (1, 2, 3, 4)),
    m.NeedRoom(5),
    m.Delivered("{}", (m.Span(0, 1),)),
    m.Done((m.Delivered("{}", (m.Span(0, 1),)),)),
    m.Failed(EngineFailed(engine="e", reason="r"), "trace"),
    m.Ended("signal 9"),
    m.Stop(),
]


@pytest.mark.parametrize("message", ALL, ids=lambda m: type(m).__name__)
def test_every_message_arrives_equal(message):
    assert pickle.loads(pickle.dumps(message)) == message


def test_none_is_left_out():
    classes = {c for c in vars(m).values() if isinstance(c, type) and c.__module__ == m.__name__}
    assert classes == {type(message) for message in ALL}
