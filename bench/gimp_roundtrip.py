"""From a click in the real GIMP to the new layer, with an engine that does nothing: what the way there and back costs.

    python bench/gimp_roundtrip.py [--repeat 5] [--repeat-png 1]    # rounds; of those, with whole pictures as PNG

Ways, in turn within each round of one GIMP, so that a busy machine touches all alike:
  frisket           the plug-in as a script calls it (its process starts, too), to a studio that answers at once
  frisket, durable  the same to a real server with a null engine: planned, job and pixels on disk, a worker in between
  PNG, whole        the image saved as PNG with GIMP's defaults, and that file loaded as a new layer: what GIMP plug-ins
                    that hand whole pictures to a server do. Neither their process nor their server is timed.
  PNG, compression 1  the same with quick compression
  PNG, cut out      the image duplicated, cropped to where the durable way's layer lies, saved and loaded as above
Each way's layer must hold the very samples that the image has there. Bytes: of all messages with pixels, counted at the
studio; for PNG the file, once each way.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from concurrent import futures
from pathlib import Path

import cv2
import grpc
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "gimp")]

from negative_studio import TOKEN, NegativeStudio  # noqa: E402
from real_gimp import Gimp, a_gimp, why_no_gimp  # noqa: E402

from frisket.client.places import Runtime, write_runtime  # noqa: E402
from frisket.rpc.stubs import jobs_pb2, studio_pb2, studio_pb2_grpc  # noqa: E402
from live import ServerProcess  # noqa: E402

# side, dtype, whether all of the layer is worked on (a variation of it) or 500 px in its middle
CASES = ((4096, np.uint16, False), (4096, np.uint16, True), (1024, np.uint8, False), (1024, np.uint8, True))
HOLE = 500
BODY = """
import hashlib, shutil
image = load(); image.get_selected_layers()[0].add_alpha(); source = image.get_selected_layers()[0]
side, hole = image.get_width(), {hole}
if hole: image.select_rectangle(Gimp.ChannelOps.REPLACE, (side - hole) // 2, (side - hole) // 2, hole, hole)
out["precision"] = image.get_precision().value_nick

def samples(drawable, x, y, w, h):
    got = drawable.get_buffer().get(Gegl.Rectangle.new(x, y, w, h), 1.0, None, Gegl.AbyssPolicy.NONE)
    return hashlib.sha256(got).hexdigest()

def frisket(server, **settings):
    shutil.copy(f"{{D}}/{{server}}.json", D + "/frisket-home/server.json")
    action = "fill-selection" if hole else "layer-variations"
    status, layer = act(action, image, [source], random_seed=False, **settings)
    assert status == "success", layer
    return layer.get_parent() or layer if not hole else layer

def png(image, **settings):
    procedure = Gimp.get_pdb().lookup_procedure("file-png-export"); config = procedure.create_config()
    for name, value in {{"run-mode": NI, "image": image, "file": path("way.png"), **settings}}.items():
        config.set_property(name, value)
    result = procedure.run(config); assert result.index(0) == Gimp.PDBStatusType.SUCCESS, result.index(1)
    out["bytes"][way] = os.path.getsize(D + "/way.png")

def loaded(x=0, y=0):
    layer = Gimp.file_load_layer(NI, image, path("way.png")); image.insert_layer(layer, None, 0)
    layer.set_offsets(x, y); return layer

def whole(**settings):
    png(image, **settings); return loaded()

def cut(x, y, w, h):
    copy = image.duplicate(); copy.crop(w, h, x, y); png(copy); copy.delete(); return loaded(x, y)

ways = {{
    "frisket": lambda: frisket("quick"),
    "frisket, durable": lambda: frisket("durable", engine="null"),
    "PNG, whole": whole,
    "PNG, compression 1": lambda: whole(compression=1),
    "PNG, cut out": lambda: cut(*out["region"]),
}}
if not hole:
    del ways["frisket, durable"], ways["PNG, cut out"]
out["seconds"], out["bytes"], out["region"] = {{name: [] for name in ways}}, {{}}, None
for k in range({rounds} + 1):  # the first round warms up
    for way, go in ways.items():
        if way.startswith("PNG") and not 0 < k <= (99 if way == "PNG, cut out" else {slow}): continue
        began = time.perf_counter(); layer = go(); took = time.perf_counter() - began
        if k: out["seconds"][way].append(took)
        _, x, y = layer.get_offsets(); w, h = layer.get_width(), layer.get_height()
        if way == "frisket, durable": out["region"] = [x, y, w, h]
        assert samples(layer, 0, 0, w, h) == samples(source, x, y, w, h), way
        image.remove_layer(layer); image.undo_disable(); image.undo_enable()  # what was removed goes
"""


class EchoStudio(NegativeStudio):
    """Gives back what it was sent. `sent`, `received`: bytes of the messages with pixels, in the client's words."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = self.received = 0

    def SubmitEdit(self, request_iterator, context):
        parts = list(request_iterator)
        self.sent = sum(part.ByteSize() for part in parts)
        plane = studio_pb2.Chunk
        pixels, mask = (
            b"".join(part.chunk.data for part in parts[1:] if part.chunk.plane == which)
            for which in (plane.PLANE_PIXELS, plane.PLANE_MASK)
        )
        name = f"job-{len(self.jobs)}"
        self.jobs = {name: (parts[0].header, pixels, mask)}
        return jobs_pb2.Job(id=name, request_id=parts[0].header.request_id, client="gimp")

    def _answer(self, request, pixels, mask):
        box = super()._answer(request, b"", mask)[0]
        return box, pixels, mask or b"\xff" * box.area

    def GetResult(self, request, context):
        self.received = 0
        for part in super().GetResult(request, context):
            self.received += part.ByteSize()
            yield part


def picture(path: Path, side: int, dtype: type) -> None:
    """Like a photograph with a camera's grain, so that PNG is what it is."""
    rng = np.random.default_rng(1)
    smooth = cv2.resize(rng.random((16, 16, 3), dtype=np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 1.5 / 255, (side, side, 3)).astype(np.float32)
    full = np.iinfo(dtype).max
    cv2.imwrite(str(path), (np.clip(0.15 + 0.7 * smooth + grain, 0, 1) * full).astype(dtype))


def measured(gimp: Gimp, server: ServerProcess, case: tuple, rounds: int, slow: int) -> tuple[dict, EchoStudio]:
    side, dtype, whole = case
    gimp.seconds = 600
    picture(gimp.folder / "in.png", side, dtype)
    studio = EchoStudio()
    grpc_server = grpc.server(futures.ThreadPoolExecutor(4))
    studio_pb2_grpc.add_StudioServicer_to_server(studio, grpc_server)
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    quick = Runtime(f"127.0.0.1:{port}", TOKEN, os.getpid(), "0")
    for name, runtime in (("quick", quick), ("durable", server.runtime)):
        write_runtime(gimp.folder / "frisket-home", runtime).rename(gimp.folder / f"{name}.json")
    try:
        return gimp.run(BODY.format(hole=0 if whole else HOLE, rounds=rounds, slow=slow)), studio
    finally:
        grpc_server.stop(None).wait()


def table(case: tuple, out: dict, studio: EchoStudio) -> None:
    side, _, whole = case
    what = "the whole layer" if whole else f"{HOLE} px selected"
    print(f"\n{side} x {side} RGBA, {out['precision']}, {what}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':20}{'median s':>10}{'min':>8}{'max':>8}{'x frisket':>11}{'MB sent':>9}{'MB back':>9}")
    ours = statistics.median(out["seconds"]["frisket"])
    for way, seconds in out["seconds"].items():
        median = statistics.median(seconds)
        each = [out["bytes"].get(way, 0)] * 2 if way.startswith("PNG") else [studio.sent, studio.received]
        size = "".join(f"{n / 1e6:9.2f}" for n in each) if way != "frisket, durable" else f"{'':18}"
        print(f"{way:20}{median:10.2f}{min(seconds):8.2f}{max(seconds):8.2f}{median / ours:11.2f}{size}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--repeat-png", type=int, default=1)
    options = parser.parse_args()
    if why_no_gimp():
        raise SystemExit(why_no_gimp())
    with tempfile.TemporaryDirectory() as home:
        server = ServerProcess(Path(home)).start()
        try:
            for case in CASES:
                with a_gimp() as gimp:
                    table(case, *measured(gimp, server, case, options.repeat, options.repeat_png))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
