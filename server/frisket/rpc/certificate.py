"""A server's own certificate: made once, for who connects by the line that the server prints (`client.link`)."""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import os
import re
import socket
from pathlib import Path

from frisket.errors import CertificateUnusable

FILES = ("certificate.pem", "certificate.key")  # in the server's home
YEARS = 10  # nobody checks its name or age: clients know it by its hash, and a new one cuts them all off
_FIRST = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def can_make() -> bool:
    """Whether the extra `remote` is installed."""
    return importlib.util.find_spec("cryptography") is not None


def own_pair(home: Path) -> tuple[Path, Path]:
    """Certificate and key of this home, PEM, made at the first call (P-256, self-signed); the key is 0600.

    `home` exists. Raises OSError.
    """
    cert, key = (home / name for name in FILES)
    if not (cert.exists() and key.exists()):
        _make(cert, key)
    return cert, key


def fingerprint(cert: Path) -> str:
    """sha256 of the first certificate in a PEM file, as clients see it (DER): 64 hex digits. Raises
    CertificateUnusable."""
    import ssl

    try:
        found = _FIRST.search(cert.read_bytes())
        if found is None:
            raise ValueError("there is no certificate in it")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0].decode())).hexdigest()
    except (OSError, ValueError) as error:
        raise CertificateUnusable(reason=f"{cert}: {error}") from error


def reached_at(address: str) -> str:
    """`address` as another machine would write it: the machine's own in place of 0.0.0.0 and [::]."""
    host, _, port = address.rpartition(":")
    if host not in ("0.0.0.0", "[::]"):
        return address
    return f"{_own_address() if host == '0.0.0.0' else socket.gethostname()}:{port}"


def reached_here(address: str) -> str:
    """`address` as this machine would write it."""
    host, _, port = address.rpartition(":")
    return {"0.0.0.0": f"127.0.0.1:{port}", "[::]": f"[::1]:{port}"}.get(host, address)


def _own_address() -> str:
    """Of the interface that leads out; the machine's name where there is none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # an address for documentation (RFC 5737)
            return str(sock.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _make(cert: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Frisket")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("frisket")]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    for path, data in ((key, pem), (cert, made.public_bytes(serialization.Encoding.PEM))):
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
