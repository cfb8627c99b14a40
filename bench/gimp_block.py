"""Whether GIMP stays alive while the plug-in works: the longest gap of its main loop, and of the plug-in's own window.

    python bench/gimp_block.py [--rounds 3] [--seconds 8]

In each round, in one shown GIMP on a virtual screen with a picture of 6 MP, one after the other: nothing happens; a
job runs with its window (20 progress events and 20 previews of 512 x 384 px a second, at the end a layer is placed), on
a selection and on all of it; and for scale GIMP blurs and enlarges the picture. Each time the windows are pinged every
10 ms (bench/x_pings.py), GIMP's to 1 s after the layer is there, the plug-in's to its end; pings that it could not
answer any more are "lost". "X": what the X server takes to answer in the same rhythm, the machine's part of a delay.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import cv2
import grpc
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "gimp")]

import negative_studio  # noqa: E402
from negative_studio import TOKEN, NegativeStudio  # noqa: E402
from real_gimp import Gimp, Screen, a_gimp, a_screen, why_no_gimp, why_no_screen  # noqa: E402

from frisket.client.places import Runtime, write_runtime  # noqa: E402
from frisket.rpc.stubs import studio_pb2_grpc  # noqa: E402

WIDTH, HEIGHT, HOLE = 3000, 2000, 500
BODY = """
image = load(); layer = image.get_selected_layers()[0]; Gimp.Display.new(image); Gimp.displays_flush(); signal("shown")
for k in range({rounds}):
    for part, side in (("part", {hole}), ("all", 9999)):
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 1000 - side // 10, 700 - side // 10, side, side)
        wait_for(f"{{part}}-{{k}}")
        status, text = act("remove-object", image, mode=Gimp.RunMode.INTERACTIVE); assert status == "success", text
        signal(f"{{part}}-{{k}}-done")
    wait_for(f"blur-{{k}}")
    blur = Gimp.DrawableFilter.new(layer, "gegl:gaussian-blur", "blur")
    for side in ("std-dev-x", "std-dev-y"): blur.get_config().set_property(side, 20.0)
    blur.update(); layer.merge_filter(blur); Gimp.displays_flush(); signal(f"blur-{{k}}-done")
    wait_for(f"scale-{{k}}"); copy = image.duplicate(); copy.scale(4500, 3000); copy.delete()
    signal(f"scale-{{k}}-done")
wait_for("never")
"""
FRAMES = [negative_studio.frame(number) for number in range(60)]


class QuickStudio(NegativeStudio):
    """Its previews are made beforehand, and nothing is to be told at the end."""

    def PlanEdit(self, request, context):
        time.sleep(1)  # so that the plug-in's window is pinged before pixels are read
        return super().PlanEdit(request, context)

    def GetResult(self, request, context):
        for part in super().GetResult(request, context):
            for field in ("notes", "degraded"):
                part.header.ClearField(field) if part.WhichOneof("part") == "header" else None
            yield part


@contextlib.contextmanager
def pinged(screen: Screen, window: str, into: dict[str, list[float]]) -> Iterator[None]:
    """Delays in ms are added to `into` at the end, "window" and "x"."""
    env = {**os.environ, "DISPLAY": screen.display}
    command = [sys.executable, str(ROOT / "bench" / "x_pings.py"), window]
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        told, _ = process.communicate("\n", timeout=20)
        for name, delays in json.loads(told).items():
            into.setdefault(name, []).extend(delays if isinstance(delays, list) else [delays])


def one_round(gimp: Gimp, screen: Screen, k: int, seconds: float, delays: dict[str, dict[str, list[float]]]) -> None:
    def phase(name: str) -> dict[str, list[float]]:
        delays.setdefault(name, {})["load"] = [*delays.get(name, {}).get("load", []), os.getloadavg()[0]]
        return delays[name]

    main = screen.window("in.*GIMP$")
    with pinged(screen, main, phase("GIMP, idle")):
        time.sleep(seconds)
    for part, what in (("part", f"{HOLE} px"), ("all", "all of it")):
        with pinged(screen, main, phase(f"GIMP, a job on {what}")):
            (gimp.folder / f"{part}-{k}").touch()
            window = screen.window("^Remove Selected Object$")
            with pinged(screen, window, phase(f"its window, a job on {what}")):
                gimp.wait_for(f"{part}-{k}-done")
            time.sleep(1)
    for deed in ("blur", "scale"):
        with pinged(screen, main, phase(f"GIMP, its own {deed}")):
            (gimp.folder / f"{deed}-{k}").touch()
            gimp.wait_for(f"{deed}-{k}-done")
            time.sleep(0.5)


def table(delays: dict[str, dict[str, list[float]]]) -> None:
    print(f"{'':32}{'pings':>7}{'median ms':>11}{'99 %':>8}{'longest':>9}{'X longest':>11}{'lost':>6}{'load':>7}")
    for name, by in delays.items():
        each = sorted(by["window"])
        high = each[int(0.99 * (len(each) - 1))]
        load = statistics.mean(by["load"])
        print(
            f"{name:32}{len(each):7}{statistics.median(each):11.1f}{high:8.1f}{each[-1]:9.1f}{max(by['x']):11.1f}"
            f"{sum(by['unanswered']):6.0f}{load:7.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    if why_no_gimp() or why_no_screen():
        raise SystemExit(why_no_gimp() or why_no_screen())
    frames = itertools.cycle(FRAMES)
    negative_studio.frame = lambda number: next(frames)
    studio = QuickStudio()
    studio.pause = options.seconds
    server = grpc.server(futures.ThreadPoolExecutor(4))
    studio_pb2_grpc.add_StudioServicer_to_server(studio, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    delays: dict[str, dict[str, list[float]]] = {}
    with a_gimp() as gimp, a_screen() as screen:
        gimp.seconds = 600
        write_runtime(gimp.folder / "frisket-home", Runtime(f"127.0.0.1:{port}", TOKEN, os.getpid(), "0"))
        picture = cv2.resize(
            np.random.default_rng(1).random((20, 30, 3)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
        )
        cv2.imwrite(str(gimp.folder / "in.png"), np.clip(picture * 255, 0, 255).astype(np.uint8))
        with gimp.shown(screen, BODY.format(hole=HOLE, rounds=options.rounds)):
            gimp.wait_for("shown")
            time.sleep(3)
            for k in range(options.rounds):
                one_round(gimp, screen, k, options.seconds, delays)
    server.stop(None).wait()
    table(delays)
    print(f"{studio.frames} previews were sent")


if __name__ == "__main__":
    main()
