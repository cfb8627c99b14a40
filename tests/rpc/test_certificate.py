"""A server's own certificate."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from frisket.errors import CertificateUnusable
from frisket.rpc.certificate import FILES, fingerprint, own_pair, reached_at, reached_here
from frisket.rpc.config import ServerConfig, check_pair


def test_it_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    cert, key = own_pair(tmp_path)
    check_pair(cert, key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = fingerprint(cert)
    assert own_pair(tmp_path) == (cert, key)
    assert fingerprint(cert) == before
    key.unlink()
    own_pair(tmp_path)
    check_pair(cert, key)
    assert fingerprint(cert) != before, "half a pair is made anew"
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_the_fingerprint_is_that_of_the_leaf(tmp_path: Path) -> None:
    import hashlib

    cert, _ = own_pair(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(cert.read_text())
    assert fingerprint(cert) == hashlib.sha256(der).hexdigest()
    (tmp_path / "other").mkdir()
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"words before\n" + cert.read_bytes() + own_pair(tmp_path / "other")[0].read_bytes())
    assert fingerprint(chain) == fingerprint(cert)
    chain.write_text("nothing")
    with pytest.raises(CertificateUnusable, match="no certificate"):
        fingerprint(chain)


def test_it_is_used_only_where_others_reach_the_server(tmp_path: Path) -> None:
    assert ServerConfig(tmp_path, "127.0.0.1:0").with_own_pair().tls_cert is None
    assert not list(tmp_path.iterdir())
    opened = ServerConfig(tmp_path, "0.0.0.0:0")
    opened.check_address()
    assert opened.with_own_pair().tls_cert == tmp_path / FILES[0]


def test_an_address_is_written_as_others_reach_it() -> None:
    assert reached_at("10.0.0.7:1") == "10.0.0.7:1"
    assert reached_at("0.0.0.0:7411").endswith(":7411")
    assert not reached_at("0.0.0.0:7411").startswith("0.0.0.0")
    assert reached_here("0.0.0.0:7411") == "127.0.0.1:7411"
    assert reached_here("[::]:7411") == "[::1]:7411"
    assert reached_here("10.0.0.7:1") == "10.0.0.7:1"
