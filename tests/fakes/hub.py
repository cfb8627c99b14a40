"""A model hub on loopback, with the faults that real ones have.

Large files are sent from another host name, as hubs do: `localhost` for content, 127.0.0.1 for the hub itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer that carries a file's bytes."""

    cut_after: int | None = None  # bytes, then the connection ends
    reset: bool = False  # ... with a reset instead of a plain end
    status: int = 0
    retry_after: str = ""
    flip: bool = False  # one bit of the first byte sent
    no_range: bool = False
    wrong_range: bool = False
    length: int | None = None  # the size claimed
    slow: float = 0.0  # seconds after every 64 KiB


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    host: str
    path: str
    range: str
    token: str


@dataclass
class FakeHub:
    """`repositories`: name -> path -> bytes. `faults`: path -> those of its next answers. `seen`: all requests."""

    repositories: Mapping[str, dict[str, bytes]]
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    large: int = 1000  # bytes from which a file has a sha256 and lies elsewhere
    gated: set[str] = field(default_factory=set)
    token: str = "hf_right"
    states_hashes: bool = True
    list_faults: list[Fault] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> FakeHub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ranges(self, path: str) -> list[str]:
        """The Range headers with which the bytes of `path` were asked for, "" for none."""
        return [s.range for s in self.seen if s.method == "GET" and s.host == "localhost" and s.path.endswith(path)]


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        host = self.headers["Host"].split(":")[0]
        seen = Seen(self.command, host, path, self.headers.get("Range", ""), self.headers.get("Authorization", ""))
        self.hub.seen.append(seen)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
            self._list(match[1], match[2], "blobs" in query)
        elif match := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
            self._bytes(self.hub.repositories[match[1]][match[2]], match[2])
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(match[1], match[2], match[3])
        else:
            self._error(404, "NotFound")

    def _list(self, name: str, revision: str, blobs: bool) -> None:
        if self.hub.list_faults:
            fault = self.hub.list_faults.pop(0)
            self._error(fault.status, "", fault.retry_after)
        elif name in self.hub.renamed:
            self._redirect(307, f"/api/models/{self.hub.renamed[name]}/revision/{revision}?blobs=true")
        elif name not in self.hub.repositories:
            self._error(404 if self.headers.get("Authorization") else 401, "RepoNotFound")
        elif revision not in ("main", COMMIT):
            self._error(404, "RevisionNotFound")
        else:
            files = [self._entry(p, data, blobs) for p, data in self.hub.repositories[name].items()]
            self._send(200, json.dumps({"id": name, "sha": COMMIT, "siblings": files}).encode())

    def _entry(self, path: str, data: bytes, blobs: bool) -> dict[str, Any]:
        entry: dict[str, Any] = {"rfilename": path}
        if blobs and self.hub.states_hashes:
            entry |= {"size": len(data), "blobId": git_hash(data)}
            if len(data) >= self.hub.large:
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        return entry

    def _resolve(self, name: str, revision: str, path: str) -> None:
        token = self.headers.get("Authorization")
        if name in self.hub.gated and token != f"Bearer {self.hub.token}":
            self._error(403 if token else 401, "GatedRepo")
            return
        data = self.hub.repositories.get(name, {}).get(path)
        if data is None or revision != COMMIT:
            self._error(404, "EntryNotFound")
        elif len(data) < self.hub.large:
            self._bytes(data, path, {"ETag": f'"{git_hash(data)}"'})
        else:
            stated = {"X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Linked-Size": str(len(data))}
            self._redirect(302, f"http://localhost:{self.hub.port}/cdn/{name}/{path}?signed=1", stated)

    def _bytes(self, data: bytes, path: str, headers: Mapping[str, str] | None = None) -> None:
        faults = self.hub.faults.get(path, [])
        fault = faults.pop(0) if faults and self.command == "GET" else Fault()
        if fault.status:
            self._error(fault.status, "", fault.retry_after)
            return
        start, status = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        sent = dict(headers or {})
        if asked and not fault.no_range:
            start, status = int(asked[1]), 206
            if start >= len(data):
                self._error(416, "")
                return
            told = start + 1 if fault.wrong_range else start
            sent["Content-Range"] = f"bytes {told}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        if fault.flip:
            body = bytes([body[0] ^ 1]) + body[1:]
        self._send(status, body, sent, fault)

    def _send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        fault: Fault = Fault(),
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if fault.length is None else fault.length))
        self.end_headers()
        if self.command == "HEAD":
            return
        part = body if fault.cut_after is None else body[: fault.cut_after]
        try:
            for at in range(0, len(part), 1 << 16):
                self.wfile.write(part[at : at + (1 << 16)])
                self.wfile.flush()
                if fault.slow:
                    time.sleep(fault.slow)
        except (BrokenPipeError, ConnectionResetError):
            return
        if fault.reset:
            time.sleep(0.05)  # else the reset overtakes the bytes
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _redirect(self, status: int, to: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, b"", {"Location": to, **(headers or {})})

    def _error(self, status: int, code: str, retry_after: str = "") -> None:
        headers = {"X-Error-Code": code} | ({"Retry-After": retry_after} if retry_after else {})
        self._send(status, b'{"error": "injected"}', headers)
