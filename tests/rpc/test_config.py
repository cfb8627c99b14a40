"""What a server is set up with is checked before it listens, and what it keeps is its user's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from frisket.errors import AddressInvalid, AddressNotAllowed, CertificateUnusable, HomeUnusable
from frisket.rpc.config import ServerConfig, is_local, server_token
from live import ServerProcess


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:0", True),
        ("127.9.9.9:7411", True),
        ("[::1]:7411", True),
        ("localhost:7411", True),
        ("unix:/tmp/x", True),
        ("0.0.0.0:7411", False),
        ("192.168.1.5:7411", False),
        ("127.0.0.1.some.host:7411", False),
        ("localhost.some.host:7411", False),
        ("[::]:7411", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(listen: str, local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frisket.rpc.config.can_make", lambda: False)
    assert is_local(listen) is local
    if not local:
        with pytest.raises(AddressNotAllowed):
            ServerConfig(Path("/x"), listen).check_address()


@pytest.mark.parametrize("listen", ["", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:x", ":7411"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(AddressInvalid):
        is_local(listen)


def test_an_overlong_socket_path_is_refused() -> None:
    with pytest.raises(AddressInvalid, match="bytes"):
        is_local("unix:/" + "x" * 200)


def test_half_a_certificate_never_means_in_the_clear(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_text("nonsense")
    pairs: list[dict[str, Any]] = [{"tls_cert": file}, {"tls_key": file}, {"tls_cert": file, "tls_key": file}]
    for pair in pairs:
        with pytest.raises(CertificateUnusable):
            ServerConfig(tmp_path, "127.0.0.1:0", **pair).check_address()
    with pytest.raises(CertificateUnusable):
        ServerConfig(tmp_path, "127.0.0.1:0", tls_cert=tmp_path, tls_key=file).check_address()


def test_the_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    token = server_token(tmp_path)
    assert len(token) >= 43, "256 bits"
    assert server_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"two words", b"bad\ntoken"])
def test_a_token_that_cannot_be_used_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    os.chmod(tmp_path / "token", 0o644)
    token = server_token(tmp_path)
    assert len(token) >= 43
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_home_that_cannot_be_used_has_words(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(HomeUnusable, match="token"):
        server_token(tmp_path)


def test_nothing_in_the_home_can_be_read_by_others(server: ServerProcess) -> None:
    open_to_others = [
        path for path in server.home.rglob("*") if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert not open_to_others


@pytest.mark.parametrize("broken", ["home is a file", "lock is a folder", "blobs is a file", "database is garbage"])
def test_a_start_that_fails_has_words_and_no_traceback(tmp_path: Path, broken: str) -> None:
    home = tmp_path / "home"
    if broken == "home is a file":
        home.write_text("")
    else:
        home.mkdir()
        if broken == "lock is a folder":
            (home / "lock").mkdir()
        elif broken == "blobs is a file":
            (home / "blobs").write_text("")
        else:
            (home / "jobs.db").write_bytes(b"garbage" * 1000)
    command = [sys.executable, "-m", "frisket.cli.main", "serve", "--listen", "127.0.0.1:0", "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    assert "never awaited" not in done.stderr
    assert not home.is_dir() or not (home / "server.json").exists()


def test_what_lies_in_the_home_unless_it_is_shared(tmp_path: Path) -> None:
    own = ServerConfig(tmp_path)
    assert (own.cache, own.models) == (tmp_path / "cache", tmp_path / "models")
    shared = ServerConfig(tmp_path, cache_folder=Path("/c"), models_folder=Path("/m"))
    assert (shared.cache, shared.models) == (Path("/c"), Path("/m"))
