"""One HTTP request to a hub: redirects that keep a secret, answers read in pieces, and every failure sorted.

Sorted means: Interrupted is worth another try, Refused carries the hub's status, HubAnswerWrong is nonsense.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from frisket.models.patience import Interrupted

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT_S = 30.0  # without a byte


class Refused(Exception):
    """The hub answered with a status that another try will not change. `code` is its X-Error-Code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status 200 or 206 (or the redirect itself), headers, and the body to read."""

    status: int
    headers: Mapping[str, str]
    body: http.client.HTTPResponse

    def read(self, count: int) -> bytes:
        """What has come, at most `count` bytes; b"" at the end, be it too early. Raises Interrupted on a break."""
        with _sorted():
            return self.body.read1(count)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a hub to its content servers, and leaves the token at home."""

    def __init__(self, follow: bool) -> None:
        self.follow = follow

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        same = old.netloc == new.netloc and old.scheme == new.scheme
        # A HEAD wants the hub's own headers: a renamed repository is followed, a file that lies elsewhere is not.
        if not self.follow and not same:
            return None
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
            raise Refused(code, "it redirects to an insecure address")
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            made.method = req.get_method()
            if not same:
                made.headers.pop("Authorization", None)
        return made


@contextlib.contextmanager
def request(url: str, headers: Mapping[str, str], method: str = "GET", timeout: float = TIMEOUT_S) -> Iterator[Answer]:
    """The answer to one request, for the length of this block; a HEAD does not leave the hub.

    Raises Interrupted, Refused.
    """
    opener = urllib.request.build_opener(_Redirects(follow=method != "HEAD"))
    asked = urllib.request.Request(url, headers={**headers, "Accept-Encoding": "identity"}, method=method)
    with _sorted():
        try:
            response: Any = opener.open(asked, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                if 300 <= error.code < 400 and method == "HEAD":
                    response = error
                else:
                    raise _of_status(error) from None
    with contextlib.closing(response):
        yield Answer(response.status, _folded(response.headers), response)


def _of_status(error: urllib.error.HTTPError) -> Exception:
    if error.code in BUSY:
        asked = error.headers.get("Retry-After", "")
        return Interrupted(f"it answered {error.code}", float(asked) if asked.isdigit() else None)
    return Refused(error.code, error.headers.get("X-Error-Code", ""))


def _folded(headers: Message) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


@contextlib.contextmanager
def _sorted() -> Iterator[None]:
    try:
        yield
    except (Interrupted, Refused):
        raise
    except urllib.error.URLError as error:
        raise _of_reason(error.reason) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError) as error:
        raise _of_reason(error) from None


def _of_reason(reason: object) -> Exception:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Refused(0, f"its certificate is not trusted ({reason.verify_message})")
    if isinstance(reason, TimeoutError):
        return Interrupted(f"no answer within {TIMEOUT_S:.0f} s")
    if isinstance(reason, http.client.IncompleteRead):
        return Interrupted("the connection was cut")
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return Interrupted(f"{words}")
