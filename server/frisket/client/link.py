"""A server's address, token and certificate as one line to paste: `frisket://TOKEN@HOST:PORT/SHA256`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from frisket.errors import LinkInvalid

SCHEME = "frisket://"
_LINK = re.compile(r"frisket://([\w-]+)@((?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5})/([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Link:
    """pin: sha256 of the server's certificate (DER), 64 hex digits. Who has the line may use the server."""

    address: str
    token: str = field(repr=False)
    pin: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.token}@{self.address}/{self.pin}"


def is_link(text: str) -> bool:
    """Whether it is meant to be one."""
    return text.strip().startswith(SCHEME)


def parse(text: str) -> Link:
    """The line that `frisket serve` prints. Raises LinkInvalid."""
    found = _LINK.fullmatch(text.strip())
    if found is None:
        raise LinkInvalid()
    token, address, pin = found.groups()
    return Link(address, token, pin)
