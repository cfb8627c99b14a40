"""`frisket serve`."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import click

from frisket.cli.speak import spoken
from frisket.client import places
from frisket.client.link import Link

DEFAULT_LISTEN = "127.0.0.1:7411"
# Those of engines.diffusion.speed, which is not imported before a server starts.
ATTENTIONS = ("native", "cudnn", "native-flash", "efficient", "math", "flash", "flash-3", "sage", "xformers")
UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 1 << 20, "GIB": 1 << 30}


class Memory(click.ParamType):
    """An amount of memory, in bytes: a number with MB, GB, MiB or GiB."""

    name = "memory"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MG]i?B)", str(value), re.IGNORECASE)
        if found is None or not (amount := int(float(found[1]) * UNITS[found[2].upper()])):
            self.fail(f"{value} is no amount of memory. Try 10GB or 512MiB.", param, ctx)
        return amount


@click.command()
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="HOST:PORT (port 0: any) or unix:/path.")
@click.option("--home", type=click.Path(path_type=Path), help="Folder for jobs, token and log. [env: FRISKET_HOME]")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for compiled code. [default: HOME/cache]")
@click.option("--models", type=click.Path(path_type=Path), help="Folder of installed models. [default: HOME/models]")
@click.option("--max-megapixels", default=128.0, show_default=True, help="Largest region taken in one edit.")
@click.option("--tls-cert", type=click.Path(exists=True, path_type=Path), help="PEM certificate, with --tls-key.")
@click.option("--tls-key", type=click.Path(exists=True, path_type=Path), help="PEM key, with --tls-cert.")
@click.option("--idle-exit", default=0.0, help="End after so many seconds without work. [default: never]")
@click.option("--drain", default=30.0, show_default=True, help="Seconds to wait for running jobs when stopping.")
@click.option("--owner", default=0, hidden=True, help="End when the process with this id has gone.")
@click.option("--sweep-home", is_flag=True, hidden=True, help="Remove the home at the end.")
@click.option("--engine", "engines", multiple=True, metavar="MODULE:ATTR", help="Also offer this engine.")
@click.option("--safety-checker", is_flag=True, help="Show nothing of a model that its checker has not looked at.")
@click.option("--gpu-memory", type=Memory(), help="Most that models may take of the card, such as 10GB. [default: all]")
@click.option("--pin", "pinned", multiple=True, metavar="MODEL", help="Keep this model loaded once it is.")
@click.option(
    "--attention",
    default="native",
    show_default=True,
    type=click.Choice(ATTENTIONS),
    metavar="KIND",
    help=f"How transformers attend: {', '.join(ATTENTIONS)}.",
)
@click.option("--compile", "compiled", is_flag=True, help="Compile pinned models at the start. Takes minutes.")
@click.option("--verbose", is_flag=True, help="Log more.")
@spoken
def serve(
    listen: str,
    home: Path | None,
    cache: Path | None,
    models: Path | None,
    max_megapixels: float,
    tls_cert: Path | None,
    tls_key: Path | None,
    idle_exit: float,
    drain: float,
    owner: int,
    sweep_home: bool,
    engines: tuple[str, ...],
    safety_checker: bool,
    gpu_memory: int | None,
    pinned: tuple[str, ...],
    attention: str,
    compiled: bool,
    verbose: bool,
) -> None:
    """Run the server that editors connect to, until Ctrl+C.

    It listens on this machine alone and asks for a token; editors on this machine find both by themselves. For other
    machines give an address of this one: it then speaks TLS, and prints a line to paste there.

    \b
    Example:
      frisket serve
      frisket serve --listen 0.0.0.0:7411
      frisket serve --listen 127.0.0.1:0 --idle-exit 900
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # we have words of our own for what it would say
    from frisket.engines.diffusion.speed import Attention, Speed
    from frisket.rpc.config import ServerConfig
    from frisket.rpc.limits import Limits
    from frisket.rpc.serve import serve as run

    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # Its words about broken peers hold what they sent, a token too.
    logging.getLogger("grpc._cython.cygrpc").setLevel(logging.CRITICAL)
    config = ServerConfig(
        home=home or places.home(),
        listen=listen,
        cache_folder=cache,
        models_folder=models,
        tls_cert=tls_cert,
        tls_key=tls_key,
        engines=engines,
        limits=Limits(max_pixels=int(max_megapixels * 1_000_000)),
        idle_exit=idle_exit,
        drain_seconds=drain,
        owner=owner,
        sweep_home=sweep_home,
        safety_checker=safety_checker,
        gpu_memory=gpu_memory,
        pinned=pinned,
        speed=Speed(Attention(attention), compiled),
    )
    run(config, lambda runtime: _say(runtime, listen))


def _say(runtime: places.Runtime, listen: str) -> None:
    click.echo(f"Frisket {runtime.version} listens on {runtime.address}. Ctrl+C stops it.")
    if runtime.pin:
        from frisket.rpc.certificate import reached_at

        host, port = listen.rpartition(":")[0], runtime.address.rpartition(":")[2]
        link = Link(reached_at(f"{host}:{port}"), runtime.token, runtime.pin)
        click.echo(
            f"On another machine paste this line where a server is asked for; who has it may use this one:\n{link}"
        )
