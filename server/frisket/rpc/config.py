"""How a server is set up, as one value; and the token that guards it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from frisket.errors import AddressNotAllowed
from frisket.rpc.limits import Limits

DEFAULT_LISTEN = "127.0.0.1:7411"
TOKEN_FILE = "token"
LOOPBACK = ("127.", "localhost:", "[::1]:", "unix:")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """home: Frisket's folder. listen: "HOST:PORT" (port 0 = any free one) or "unix:/path".

    cache_folder: for compiled code, may be shared by several homes; None = home/cache. tls_cert, tls_key: PEM files;
    needed for any address that other machines can reach. engines: "module:attribute" of engines beside the installed
    ones. idle_exit: seconds without call or job after which the server ends, 0 = never. drain_seconds: how long a
    stopping server waits for running jobs (they are done again at the next start if need be).
    """

    home: Path
    listen: str = DEFAULT_LISTEN
    cache_folder: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    engines: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    idle_exit: float = 0.0
    drain_seconds: float = 30.0

    @property
    def cache(self) -> Path:
        return self.cache_folder or self.home / "cache"

    def check_address(self) -> None:
        """Raises AddressNotAllowed for an open address in the clear."""
        if not self.listen.startswith(LOOPBACK) and (self.tls_cert is None or self.tls_key is None):
            raise AddressNotAllowed(address=self.listen)


def server_token(home: Path) -> str:
    """The token of this home: made once (256 random bits), kept in a file that only this user may read (0600)."""
    path = home / TOKEN_FILE
    home.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        os.chmod(path, 0o600)
        token = path.read_text().strip()
        if token:
            return token
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC, 0o600)
    token = secrets.token_urlsafe(32)
    with os.fdopen(fd, "w") as file:
        file.write(token)
    return token
