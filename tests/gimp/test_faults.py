"""What breaks while the plug-in works: what is read then, that the image is unharmed, and that the next run succeeds.

The texts are those of docs/gimp.md, "When something breaks".
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time

import numpy as np
import pytest
from console import Console, press_in_menu
from PIL import Image

from frisket.client.link import Link
from frisket.client.places import Runtime, write_runtime
from frisket.rpc.stubs import jobs_pb2
from live import ServerProcess

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 320, 240
SLOW = "engine='slow', options='{\"steps\": 60, \"step_ms\": 50}'"
# `attempt`: one fill, and whether it left the image as it was: what is seen, each layer, the selection, no undo step.
OPEN = """
import hashlib
def seen(image):
    layer = Gimp.Layer.new_from_visible(image, image, "tmp"); data = [raw(layer)]; layer.delete()
    data += [raw(layer) for layer in image.get_layers()] + [raw(image.get_selection(), "Y u8")]
    return hashlib.sha256(b"".join(data)).hexdigest(), state(image)
def attempt(name, image, **settings):
    before = seen(image); image.clean_all()
    status, what = fill(image, **settings)
    out[name] = {"status": status, "text": str(what), "undo": image.is_dirty(), "same": seen(image) == before}
    if status == "success":
        dump(name, raw(what)); image.remove_layer(what)
image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90); Gimp.Selection.feather(image, 9)
"""


@pytest.fixture(autouse=True)
def photo(gimp):
    array = np.random.default_rng(3).integers(0, 256, (H, W, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    return array


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(gimp):
    """A real one, with engines made to fail, that comes back at the same address. Not started."""
    process = ServerProcess(gimp.folder / "frisket-home", ("--listen", f"127.0.0.1:{free_port()}"))
    try:
        yield process
    finally:
        if hasattr(process, "runtime"):
            process.stop()


def unharmed(outcome: dict, title: str, cause: str, remedy: str) -> None:
    """The message has this title, and these words; the image is what it was."""
    assert outcome["status"] == "execution-error", outcome
    assert outcome["text"].startswith(title + "\n\n"), outcome["text"]
    lines = outcome["text"].split("\n")[2:]
    assert len(lines) == 2
    assert cause in lines[0], lines
    assert remedy in lines[1], lines
    assert (outcome["same"], outcome["undo"]) == (True, False)


def succeeded(outcome: dict) -> None:
    assert outcome["status"] == "success", outcome
    assert outcome["undo"] is True  # so it can be seen


def running_job(server: ServerProcess) -> str:
    """The id of GIMP's job, once a worker has it."""
    client = server.client("h2")
    until = time.monotonic() + 60
    try:
        while not any(job.state == jobs_pb2.JOB_STATE_RUNNING for job in client.jobs("gimp")):
            assert time.monotonic() < until
            time.sleep(0.05)
        return client.jobs("gimp")[0].id
    finally:
        client.close()


def less_patience(gimp, module: str, **constants: float) -> None:
    """In the plug-in that is installed here."""
    path = gimp.folder / "plug-ins/frisket/vendor/frisket/client" / module
    lines = path.read_text().splitlines()
    for name, value in constants.items():
        (at,) = [k for k, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[at] = f"{name} = {value}"
    path.write_text("\n".join(lines))


def test_a_server_killed_in_mid_job_and_started_again_does_the_job(gimp, server):
    server.start()
    with gimp.started(f"{OPEN}attempt('through', image, seed=7, {SLOW}); attempt('next', image, seed=7, {SLOW})"):
        job = running_job(server)
        server.kill()
        time.sleep(1)
        server.start()
        out = gimp.finished(60)
        client = server.client("h2")
        tries = [event.started.tries for event in client.watch(job) if event.WhichOneof("what") == "started"]
        client.close()
    succeeded(out["through"])
    assert tries == [1, 2]
    through, undisturbed = ((gimp.folder / f"{name}.raw").read_bytes() for name in ("through", "next"))
    assert through == undisturbed


def test_a_server_that_stays_away_keeps_the_job_and_history_brings_its_result(gimp, server):
    less_patience(gimp, "client.py", REATTACH_SECONDS=2.0)
    server.start()
    body = f"""{OPEN}
attempt("away", image, seed=7, {SLOW}); signal("told"); wait_for("back")
status, layer = act("history", image); assert status == "success", layer
dump("brought", raw(layer)); image.remove_layer(layer)
attempt("next", image, seed=7, {SLOW})
"""
    with gimp.started(body):
        job = running_job(server)
        server.kill()
        gimp.wait_for("told")
        server.start()
        client = server.client("h2")
        assert [event.state for event in client.watch(job)][-1] == jobs_pb2.JOB_STATE_FINISHED
        client.close()
        (gimp.folder / "back").touch()
        out = gimp.finished(60)
    unharmed(out["away"], "The connection to the server broke", "connection refused", "What was sent is kept and done")
    succeeded(out["next"])
    brought, undisturbed = ((gimp.folder / f"{name}.raw").read_bytes() for name in ("brought", "next"))
    assert brought == undisturbed


def test_a_server_that_falls_silent_and_comes_to_again(gimp, server):
    less_patience(gimp, "h2_wire.py", QUIET=0.5, DEAD=1.5)
    server.start()
    with gimp.started(f"{OPEN}attempt('silent', image, {SLOW})"):
        running_job(server)
        os.kill(server.runtime.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(server.runtime.pid, signal.SIGCONT)
        out = gimp.finished(60)
    succeeded(out["silent"])


def test_engines_that_fail(gimp, server):
    server.start()
    hows = ("memory", "die", "nan", "raise")
    tries = "".join(f"attempt('{how}', image, engine='broken', options='{{\"how\": \"{how}\"}}')\n" for how in hows)
    out = gimp.run(f"{OPEN}{tries}attempt('next', image, engine='toy')")
    unharmed(out["memory"], "Not enough memory for this edit", "broken ran out of memory at 276 x 228", "Select less")
    unharmed(out["die"], "The engine crashed", "ended 3 times during this job, last with", "smaller selection")
    unharmed(out["nan"], "The engine failed", "values that are no numbers", "Try another seed")
    unharmed(out["raise"], "The engine failed", "broken: ValueError: a wire came loose.", "Try another seed")
    succeeded(out["next"])


# Sizes of the disk that the server keeps pictures on. The fill sends 276 x 228 px, 252 kB with its mask.
@pytest.mark.parametrize(("size", "when"), [("100k", "the picture"), ("280k", "the result")])
def test_a_full_disk_of_the_server(gimp, server, size, when):
    blobs = server.home / "blobs"
    blobs.mkdir(mode=0o700)
    mounted = f'mount -t tmpfs -o size={size},mode=700 tmpfs "$0" && exec "$@"'
    plenty, server.prefix = server.prefix, ("unshare", "-m", "sh", "-c", mounted, str(blobs))
    server.start()
    body = f"{OPEN}attempt('full', image, engine='toy'); signal('told'); wait_for('mended')\n"
    with gimp.started(f"{body}attempt('next', image, engine='toy')"):
        gimp.wait_for("told")
        server.stop()
        server.prefix = plenty
        server.start()
        (gimp.folder / "mended").touch()
        out = gimp.finished(60)
    unharmed(out["full"], "The server's disk is full", "bytes left", "Free some space there")
    assert str(blobs) in out["full"]["text"]
    succeeded(out["next"])


def test_addresses_and_tokens_that_are_wrong(gimp, server):
    server.options = ("--listen", f"0.0.0.0:{free_port()}")
    server.start()
    port = server.runtime.address.rpartition(":")[2]
    at, token = f"127.0.0.1:{port}", server.runtime.token
    here = Link(at, token, server.runtime.pin)
    plain = ServerProcess(gimp.folder / "another-home").start()
    out = gimp.run(f"""{OPEN}
for name, line in {{
    "another certificate": "{Link(at, token, "0" * 64)}",
    "another token": "{Link(at, "guess", server.runtime.pin)}",
    "half a line": "{str(here)[:60]}",
    "no TLS there": "{Link(plain.runtime.address, token, server.runtime.pin)}",
    "TLS there": "{at}",
    "no token": "{plain.runtime.address}",
    "no port": "studio",
    "no such port": "studio:70000",
    "nobody": "127.0.0.1:1",
    "no such computer": "studio.invalid:7411",
}}.items(): attempt(name, image, server=line)
attempt("next", image, server="{here}", engine="toy")
""")
    plain.stop()
    paste = "Paste the line that `frisket serve` prints now"
    away = ("The server does not answer", "Check that `frisket serve` runs there")
    unharmed(
        out["another certificate"], "This is not the server that the line was for", "Nothing was sent to it", paste
    )
    unharmed(out["another token"], "The server does not accept this token", "is not the server's own", paste)
    unharmed(out["half a line"], "This line names no server", "frisket://TOKEN@", "Paste the whole line")
    unharmed(out["no TLS there"], away[0], "does not speak TLS", away[1])
    unharmed(out["TLS there"], away[0], "takes only the whole line that it prints", away[1])
    unharmed(out["no token"], "The server asks for its token", "an address alone holds no token", "FRISKET_TOKEN")
    unharmed(out["no port"], "This line names no server", "nor host:port", "Paste the whole line")
    unharmed(out["no such port"], "This line names no server", "nor host:port", "Paste the whole line")
    unharmed(out["nobody"], away[0], "127.0.0.1:1: connection refused", away[1])
    unharmed(out["no such computer"], away[0], "no computer called studio.invalid is known here", away[1])
    succeeded(out["next"])


def test_a_local_server_with_another_token(gimp, studio):
    write_runtime(gimp.folder / "frisket-home", Runtime(studio.address, "guess", os.getpid(), "0"))
    out = gimp.run(f"{OPEN}attempt('token', image)")
    unharmed(out["token"], "The server does not accept this token", "", "On this machine stop the server")


def test_a_server_of_another_protocol(gimp, studio):
    studio.protocol = 2
    out = gimp.run(f"{OPEN}attempt('older', image)")
    unharmed(
        out["older"],
        "Server and client do not speak the same version",
        "protocol 2",
        "The server is newer: run `pip install -U frisket` here, then `frisket plugin install` for GIMP.",
    )


def test_a_fault_of_the_plug_in_itself(gimp, studio):
    layers = gimp.folder / "plug-ins/frisket/frisket_gimp/layers.py"
    sound = layers.read_text()
    broken = "\ndef place(*_): raise RuntimeError('a pen leaked')\n"
    layers.write_text(sound + broken)
    mend = f"open({gimp.inside + '/plug-ins/frisket/frisket_gimp/layers.py'!r}, 'w').write({sound!r})"
    out = gimp.run(f"{OPEN}attempt('leak', image); {mend}; attempt('next', image)")
    title = "Something unexpected happened in the plug-in"
    unharmed(out["leak"], title, "RuntimeError: a pen leaked", "Please report it")
    succeeded(out["next"])


def test_no_server_and_none_that_starts(gimp):
    note = gimp.folder / "plug-ins/frisket/launch.json"
    fields = json.loads(note.read_text())

    def noting(*command: str) -> str:
        text = json.dumps({**fields, "command": command})
        return f"open({str(gimp.inside) + '/plug-ins/frisket/launch.json'!r}, 'w').write({text!r})\n"

    out = gimp.run(f"""{OPEN}
{noting()}attempt("unknown", image)
{noting("/no/such/python", "-m", "frisket.cli.main", "serve")}attempt("gone", image)
{noting("/bin/sh", "-c", "echo No module named frisket; exit 1")}attempt("fails", image)
""")
    unharmed(out["unknown"], "No Frisket server is running", "", "Start one with `frisket serve`")
    unharmed(
        out["gone"], "The server did not start", "No such file or directory: '/no/such/python'", "`frisket doctor`"
    )
    unharmed(out["fails"], "The server did not start", "It said: No module named frisket", "`frisket doctor`")


def test_the_note_of_a_server_that_died_with_the_machine(gimp, studio):
    """Its process's number belongs to another program by now: one is started all the same."""
    home = gimp.folder / "frisket-home"
    (home / "server.json").rename(gimp.folder / "waiting.json")
    write_runtime(home, Runtime("127.0.0.1:1", "old", os.getpid(), "0"))
    out = gimp.run(f"{OPEN}attempt('started', image)")
    succeeded(out["started"])


SHOW = """
def fresh():
    global image, display, layer
    image = load(); layer = image.get_selected_layers()[0]
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90); image.clean_all()
    display = Gimp.Display.new(image)
def after(meddle):
    global before
    meddle(); before = seen(image) if image.is_valid() else None; image.is_valid() and image.clean_all()
def unchanged(): return seen(image) == before and not image.is_dirty()
"""
OVERHEAR = """
def _failed(procedure, text, _tell=_failed):
    with open({file!r}, "w") as file:
        file.write(text)
    return _tell(procedure, text)
"""
# What somebody does to an image while the server works on it -> what is said then; "" = the result comes.
MEDDLING = {
    "layer": ("image.remove_layer(layer)", "its layer deleted"),
    "size": ("image.resize(400, 300, 0, 0)", "resized or converted"),
    "mode": ("image.convert_grayscale()", "resized or converted"),
    "depth": ("image.convert_precision(Gimp.Precision.U16_NON_LINEAR)", "resized or converted"),
    "closed": ("display.delete()", "It was closed"),
    "selection": ("Gimp.Selection.none(image)", ""),
}


def test_what_is_done_to_the_image_meanwhile(gimp, studio, screen, tmp_path):
    studio.pause = 2.0
    said = gimp.folder / "said.txt"
    with open(gimp.folder / "plug-ins/frisket/frisket_gimp/procedure.py", "a") as file:
        file.write(OVERHEAR.format(file=f"{gimp.inside}/said.txt"))
    console = Console(gimp, OPEN + SHOW)
    with gimp.shown(screen, console.body):
        for number, (name, (deed, wanted)) in enumerate(MEDDLING.items()):
            console.ask("fresh()")
            screen.window("in.*320x240")
            studio.reached.clear()
            press_in_menu(screen, "r")
            assert studio.reached.wait(20), name
            console.ask(f"after(lambda: {deed})")
            if not wanted:
                until(lambda: console.ask("len(image.get_layers())") == 2)
                break
            until(said.exists)
            title, _, rest = said.read_text().partition("\n\n")
            said.unlink()
            assert title == "The image has changed meanwhile"
            cause, remedy = rest.split("\n")
            assert wanted in cause, name
            assert remedy == f"Run it again. The result for the image as it was is in History (job job-{number})."
            screen.window("GIMP Message")
            screen.shot(tmp_path / f"{name}.png")
            screen.key("Escape")
            if name == "closed":
                assert console.ask("image.is_valid()") is False
            else:
                assert console.ask("unchanged()"), name
                console.ask("display.delete()")


def until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
