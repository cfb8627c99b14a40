"""TLS to a server whose certificate is known by its sha256, as a socket that never blocks. Standard library only.

No authority is asked: the pin comes with the token, from whoever runs the server, and says more than a name would.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import select
import socket
import ssl
import time
from typing import Protocol

from frisket.errors import Cancelled, ServerNotTheOne, ServerUnreachable

FULL = 1 << 20  # bytes after which a read is enough: a record holds 16 KiB, and each turn of the loop has its price


class Interrupting(Protocol):
    """What ends a wait from another thread (`h2_wire.Wake`)."""

    def fileno(self) -> int: ...


class TlsSocket:
    """As much of a non-blocking socket as `h2_wire.Wire` uses: BlockingIOError where it would have to wait."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, data: memoryview) -> int:
        try:
            return self._sock.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            raise BlockingIOError from None

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes of what has come, b"" at the end."""
        pieces, count = [], 0
        while count < min(size, FULL):
            try:
                piece = self._sock.recv(size - count)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if not pieces:
                    raise BlockingIOError from None
                break
            except ssl.SSLEOFError:
                piece = b""
            if not piece:
                break
            pieces.append(piece)
            count += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._sock.unwrap()
        self._sock.close()


def wrapped(sock: socket.socket, address: str, pin: str, wake: Interrupting, until: float) -> TlsSocket:
    """TLS over the connected non-blocking `sock`, which it owns from now on; `until` on the monotonic clock.

    Raises ServerNotTheOne for another certificate, ServerUnreachable for a peer without TLS, OSError, Cancelled when
    `wake` is called meanwhile.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the pin is what is checked
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    secure = context.wrap_socket(sock, do_handshake_on_connect=False)
    try:
        _shake_hands(secure, wake, until)
        found = hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(found, pin):
            raise ServerNotTheOne(address=address)
    except ssl.SSLError as error:
        secure.close()
        reason = "what answers there does not speak TLS as the server of this line does"
        raise ServerUnreachable(address=address, reason=reason) from error
    except BaseException:
        secure.close()
        raise
    return TlsSocket(secure)


def _shake_hands(sock: ssl.SSLSocket, wake: Interrupting, until: float) -> None:
    while True:
        reading, writing = [wake, sock], []
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            reading, writing = [wake], [sock]
        readable, writable, _ = select.select(reading, writing, [], max(0.0, until - time.monotonic()))
        if wake in readable:
            raise Cancelled()
        if not (readable or writable):
            raise TimeoutError("no answer in time")
