"""How a server is set up, as one value; and the token that guards it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from frisket.engines.diffusion.speed import Speed
from frisket.errors import AddressInvalid, AddressNotAllowed, CertificateUnusable, HomeUnusable
from frisket.rpc.certificate import can_make, own_pair
from frisket.rpc.limits import Limits

DEFAULT_LISTEN = "127.0.0.1:7411"
TOKEN_FILE = "token"
UNIX = "unix:"
UNIX_PATH_MAX = 100  # bytes; the kernel takes 108 or fewer


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """home: Frisket's folder. listen: "HOST:PORT" (port 0 = any free one) or "unix:/path".

    cache_folder: for compiled code, may be shared by several homes; None = home/cache. models_folder: of installed
    models, may be shared too; None = home/models. tls_cert, tls_key: PEM files; where other machines can reach the
    address and none are given, the home's own pair is used (`certificate`). engines: "module:attribute" of engines
    beside the installed ones. idle_exit: seconds without call or job after which the server ends, 0 = never.
    drain_seconds: how long a stopping server waits for running jobs (they are done again at the next start if need be).
    owner: id of a process with which the server ends, 0 = none. sweep_home: remove the home at the end. safety_checker:
    what trained models paint is shown only after a checker has seen it. gpu_memory: bytes of the card that models may
    take, None = all. pinned: ids of models that stay loaded once they are. speed: how models run.
    """

    home: Path
    listen: str = DEFAULT_LISTEN
    cache_folder: Path | None = None
    models_folder: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    engines: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    idle_exit: float = 0.0
    drain_seconds: float = 30.0
    owner: int = 0
    sweep_home: bool = False
    safety_checker: bool = False
    gpu_memory: int | None = None
    pinned: tuple[str, ...] = ()
    speed: Speed = field(default_factory=Speed)

    @property
    def cache(self) -> Path:
        return self.cache_folder or self.home / "cache"

    @property
    def models(self) -> Path:
        return self.models_folder or self.home / "models"

    def check_address(self) -> None:
        """Raises AddressInvalid, CertificateUnusable; AddressNotAllowed for an open address in the clear, where no
        certificate can be made."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise CertificateUnusable(reason="Only one of the two files was given")
        if self.tls_cert and self.tls_key:
            check_pair(self.tls_cert, self.tls_key)
        elif not is_local(self.listen) and not can_make():
            raise AddressNotAllowed(address=self.listen)

    def with_own_pair(self) -> ServerConfig:
        """With the home's own certificate where one is needed. The home exists. Raises HomeUnusable."""
        if self.tls_cert or is_local(self.listen):
            return self
        with usable(self.home):
            cert, key = own_pair(self.home)
        return replace(self, tls_cert=cert, tls_key=key)


def is_local(listen: str) -> bool:
    """Whether only this machine can reach the address. Raises AddressInvalid."""
    if listen.startswith(UNIX):
        if len(os.fsencode(listen)) > UNIX_PATH_MAX:
            raise AddressInvalid(address=listen, reason=f"a socket's path has at most {UNIX_PATH_MAX} bytes")
        return True
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise AddressInvalid(address=listen, reason="it is not HOST:PORT")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_pair(cert: Path, key: Path) -> None:
    """Whether certificate and key can be read and belong together. Raises CertificateUnusable."""
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateUnusable(reason=f"{cert} with {key}: {error}") from error


@contextlib.contextmanager
def usable(home: Path) -> Iterator[None]:
    """What goes wrong with Frisket's own files inside becomes HomeUnusable."""
    try:
        yield
    except OSError as error:
        raise HomeUnusable(folder=error.filename or home, reason=error.strerror or error) from error


def prepare_home(home: Path) -> None:
    """Make the folder, and from now on everything for this user alone: prompts and pictures are nobody else's business.

    Raises HomeUnusable.
    """
    os.umask(0o077)
    with usable(home):
        home.mkdir(parents=True, exist_ok=True)


def server_token(home: Path) -> str:
    """The token of this home: made once (256 random bits), kept in a file that only this user may read (0600).

    Raises HomeUnusable.
    """
    path = home / TOKEN_FILE
    with usable(home):
        token = _kept_token(path)
        if token:
            return token
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        token = secrets.token_urlsafe(32)
        with os.fdopen(fd, "w") as file:
            file.write(token)
        return token


def _kept_token(path: Path) -> str:
    """Empty when there is none that can be used."""
    try:
        path.chmod(0o600)
        token = path.read_bytes().strip()
    except FileNotFoundError:
        return ""
    return token.decode() if re.fullmatch(rb"[\w-]+", token) else ""
