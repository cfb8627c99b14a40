"""How soon a window's main loop answers, from outside: _NET_WM_PING of the Extended Window Manager Hints, every 10 ms.

GTK answers a ping from its main loop, so the longest delay of an answer is the longest time that the loop did not turn.
The X server answers a request of ours in the same rhythm: what that takes is the machine's part of a delay.

    python bench/x_pings.py WINDOW_ID       pings until its standard input ends, then prints a JSON object:
                                            {"window": [ms, ...], "x": [ms, ...], "unanswered": how many}
"""

from __future__ import annotations

import ctypes
import json
import select
import sys
import time

EVERY = 0.010  # s
GRACE = 3.0  # s after the last ping in which answers are taken
CLIENT_MESSAGE = 33
SUBSTRUCTURE_NOTIFY, SUBSTRUCTURE_REDIRECT = 1 << 19, 1 << 20


class ClientMessage(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
    ]


class Event(ctypes.Union):
    _fields_ = [("type", ctypes.c_int), ("client", ClientMessage), ("pad", ctypes.c_long * 24)]


ErrorHandler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Pinger:
    """Pings one window of $DISPLAY, by its own connection."""

    def __init__(self, window: int) -> None:
        self._x = x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype = ctypes.c_void_p
        for name in ("XDefaultRootWindow", "XInternAtom"):
            getattr(x, name).restype = ctypes.c_ulong
        self._ignored = ErrorHandler(lambda *_: 0)  # a window may go while it is pinged
        x.XSetErrorHandler(self._ignored)
        self._display = ctypes.c_void_p(x.XOpenDisplay(None))
        assert self._display, "no X display"
        self._root = ctypes.c_ulong(x.XDefaultRootWindow(self._display))
        x.XSelectInput(self._display, self._root, ctypes.c_long(SUBSTRUCTURE_NOTIFY))
        self._protocols, self._ping = (
            x.XInternAtom(self._display, name, 0) for name in (b"WM_PROTOCOLS", b"_NET_WM_PING")
        )
        self._window = window
        self.socket: int = x.XConnectionNumber(self._display)
        self._sent: dict[int, float] = {}
        self.delays: list[float] = []  # s

    def send(self, number: int) -> None:
        event = Event()
        event.client.type, event.client.window, event.client.format = CLIENT_MESSAGE, self._window, 32
        event.client.message_type = self._protocols
        event.client.data[:4] = self._ping, 0, self._window, number
        self._sent[number] = time.perf_counter()
        self._x.XSendEvent(self._display, ctypes.c_ulong(self._window), 0, ctypes.c_long(0), ctypes.byref(event))
        self._x.XFlush(self._display)

    def take(self) -> None:
        """Answers that have come. They go to the root window, and so to all who listen there."""
        event = Event()
        while self._x.XPending(self._display):
            self._x.XNextEvent(self._display, ctypes.byref(event))
            client = event.client
            if event.type != CLIENT_MESSAGE or (client.data[0], client.data[2]) != (self._ping, self._window):
                continue
            sent = self._sent.pop(client.data[3], None)
            if sent is not None:
                self.delays.append(time.perf_counter() - sent)

    def sync(self) -> float:
        """Seconds that the X server takes to answer us."""
        began = time.perf_counter()
        self._x.XSync(self._display, 0)
        return time.perf_counter() - began

    @property
    def unanswered(self) -> int:
        return len(self._sent)


def main(window: int) -> None:
    pinger, server, number = Pinger(window), [], 1
    print("ready", flush=True)
    due = time.perf_counter()
    while True:
        readable, _, _ = select.select([pinger.socket, sys.stdin], [], [], max(0.0, due - time.perf_counter()))
        pinger.take()
        if sys.stdin in readable:
            break
        if time.perf_counter() >= due:
            pinger.send(number)
            server.append(pinger.sync())
            number, due = number + 1, max(due + EVERY, time.perf_counter())
    until = time.perf_counter() + GRACE
    while pinger.unanswered and time.perf_counter() < until:
        select.select([pinger.socket], [], [], 0.05)
        pinger.take()
    answers = {"window": pinger.delays, "x": server}
    print(json.dumps({**{k: [1000 * s for s in v] for k, v in answers.items()}, "unanswered": pinger.unanswered}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
