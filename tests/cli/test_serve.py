"""`frisket serve`: options become a configuration, and a start that cannot be has words."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from frisket.cli.exits import EXIT
from frisket.cli.main import main
from frisket.cli.serve import ATTENTIONS
from frisket.client.places import Runtime
from frisket.engines.diffusion.speed import Attention, Speed
from frisket.errors import FrisketError
from frisket.rpc import serve as rpc_serve
from frisket.rpc.config import ServerConfig
from frisket.rpc.limits import Limits
from live import ServerProcess, run_cli


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[ServerConfig]:
    """What a server would have been started with."""
    seen: list[ServerConfig] = []

    def fake(config: ServerConfig, on_ready) -> None:
        seen.append(config)
        on_ready(Runtime("127.0.0.1:9", "secret", 1, "0.1"))

    monkeypatch.setattr(rpc_serve, "serve", fake)
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    return seen


def test_all_options(configs: list[ServerConfig], tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.touch()
    key.touch()
    words = ["serve", "--listen", "127.0.0.1:0", "--home", tmp_path / "h", "--cache", tmp_path / "c",
             "--max-megapixels", "2.5", "--tls-cert", cert, "--tls-key", key, "--idle-exit", "9", "--drain", "4",
             "--engine", "a:b", "--engine", "c:d", "--owner", "77", "--sweep-home",
             "--models", tmp_path / "m", "--safety-checker",
             "--gpu-memory", "10GB", "--pin", "sdxl", "--pin", "flux",
             "--attention", "flash-3", "--compile"]  # fmt: skip
    done = CliRunner().invoke(main, list(map(str, words)))
    assert configs == [
        ServerConfig(
            home=tmp_path / "h",
            listen="127.0.0.1:0",
            cache_folder=tmp_path / "c",
            models_folder=tmp_path / "m",
            tls_cert=cert,
            tls_key=key,
            engines=("a:b", "c:d"),
            limits=Limits(max_pixels=2_500_000),
            idle_exit=9,
            drain_seconds=4,
            owner=77,
            sweep_home=True,
            safety_checker=True,
            gpu_memory=10_000_000_000,
            pinned=("sdxl", "flux"),
            speed=Speed(Attention.FLASH_3, True),
        )
    ]
    assert done.stdout == "Frisket 0.1 listens on 127.0.0.1:9. Ctrl+C stops it.\n", "and the token stays unsaid"


@pytest.mark.parametrize(
    ("words", "wanted"), [("10GB", 10**10), ("1.5 gib", 3 << 29), ("512MiB", 1 << 29), ("10", None), ("0GB", None)]
)
def test_amounts_of_memory(configs: list[ServerConfig], tmp_path: Path, words: str, wanted: int | None) -> None:
    done = CliRunner().invoke(main, ["serve", "--home", str(tmp_path), "--gpu-memory", words])
    assert [config.gpu_memory for config in configs] == ([] if wanted is None else [wanted])
    assert (done.exit_code == 2 and "Try 10GB" in done.output) is (wanted is None)


def test_the_defaults_are_the_configurations(
    configs: list[ServerConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRISKET_HOME", str(tmp_path))
    CliRunner().invoke(main, ["serve"])
    assert configs == [ServerConfig(home=tmp_path)]


def test_a_second_server_in_the_same_home_is_refused(server: ServerProcess) -> None:
    done = run_cli("serve", "--listen", "127.0.0.1:0", "--home", str(server.home), home=server.home, check=False)
    assert done.returncode == EXIT[FrisketError.registry["server-already-running"].kind]
    assert str(server.runtime.pid) in done.stderr


@pytest.mark.parametrize(("listen", "slug"), [("nowhere", "address-invalid"), ("TAKEN", "address-in-use")])
def test_addresses_are_checked(server: ServerProcess, tmp_path: Path, listen: str, slug: str) -> None:
    listen = server.runtime.address if listen == "TAKEN" else listen
    done = run_cli("serve", "--listen", listen, home=tmp_path, check=False)
    assert done.returncode == EXIT[FrisketError.registry[slug].kind]
    assert FrisketError.registry[slug].title in done.stderr


def test_every_kind_of_attention_can_be_asked_for_and_no_other(configs: list[ServerConfig], tmp_path: Path) -> None:
    assert tuple(kind.value for kind in Attention) == ATTENTIONS
    done = CliRunner().invoke(main, ["serve", "--home", str(tmp_path), "--attention", "flash_hub"])
    assert (done.exit_code, configs) == (2, [])
    assert "xformers" in done.output
