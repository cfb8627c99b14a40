"""Faces through a real server: killed half-way, weights that are broken, and GFPGAN in its published format."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fakes.faces import CHECKS, FINDER
from frisket.client.client import Client, Picture
from frisket.edits.requests import EditRequest, RestoreFacesParams
from frisket.engines.vision_ops import make_importable
from frisket.errors import FrisketError, ModelDamaged, ModelFileUnusable
from frisket.models.families import Family
from frisket.raster import pixels
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from live import ServerProcess
from rpc.test_durability import until_running
from rpc.test_studio import outcome

W, H = 100, 80
FIRST = Box(34, 35, 32, 32)  # where the toy detector finds its first face
RGB = PixelFormat()


def picture(fmt: PixelFormat = RGB) -> np.ndarray:
    rng = np.random.default_rng(3)
    work = np.full((H, W, fmt.layout.channels), 0.5, np.float32) + rng.normal(0, 0.05, (H, W, fmt.layout.channels))
    work[..., 1:2] += np.linspace(-0.2, 0.2, W)[None, :, None]
    if fmt.layout.has_alpha:
        work[..., -1] = np.linspace(0.2, 1, H)[:, None]
    return pixels.from_work(np.clip(work, 0, 1).astype(np.float32), fmt)


def asking(client: Client, engine: str, fmt: PixelFormat = RGB, seed: int = 5, **params):
    given = {"wait_ms": params.pop("wait_ms")} if "wait_ms" in params else {}
    faces = RestoreFacesParams(detector=FINDER.spec.id, **params)
    size = Size(W, H)
    request = EditRequest(size, Box.of(size), faces, fmt, engine=engine, seed=seed, engine_params=given)
    return client.submit(request, picture(fmt).tobytes(), b"\xff" * (W * H))


def restored(client: Client, engine: str, fmt: PixelFormat = RGB, **params) -> tuple[Picture, np.ndarray]:
    """The result, and the picture with it in place: as far as its mask is above 0."""
    job = asking(client, engine, fmt, **params)
    outcome(client, job.id)
    done = client.result(job.id)
    out = picture(fmt)
    shown = np.frombuffer(done.mask, np.uint8).reshape(done.box.height, done.box.width) > 0
    new = pixels.from_bytes(done.pixels, done.box.size, fmt)
    assert (new[~shown] == out[done.box.slices][~shown]).all(), "around the face are the old pixels"
    out[done.box.slices][shown] = new[shown]
    return done, out


@pytest.mark.slow
def test_a_worker_killed_between_faces_does_them_all_again(own_server: ServerProcess) -> None:
    import psutil

    client = own_server.start().client()
    job = asking(client, CHECKS.spec.id, wait_ms=1500)
    until_running(client, job.id)
    (worker,) = psutil.Process(own_server.runtime.pid).children()
    worker.kill()
    kinds = [event.WhichOneof("what") for event in client.watch(job.id)]
    assert kinds.count("started") == 2
    assert kinds[-1] == "finished"
    done = client.result(job.id)
    again, _ = restored(client, CHECKS.spec.id)
    assert (done.pixels, done.mask, done.box) == (again.pixels, again.mask, again.box)
    assert [bool(face.trouble) for face in done.faces] == [False, False, True]
    client.close()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with random models in their published formats, a broken one and one that is another's."""
    pytest.importorskip("torch", reason="the extra `faces` is not installed")
    make_importable()
    pytest.importorskip("spandrel", reason="the extra `faces` is not installed")
    from engines.faces import makers

    home = tmp_path_factory.mktemp("home")
    made = tmp_path_factory.mktemp("made")
    gfpgan, parsenet = (makers.make(family, made) for family in (Family.GFPGAN, Family.PARSENET))
    makers.install(Family.GFPGAN, gfpgan, home / "models")
    makers.install(Family.PARSENET, parsenet, home / "models")
    short = made / "short" / gfpgan.name
    short.parent.mkdir()
    short.write_bytes(gfpgan.read_bytes()[:1_000_000])
    makers.install(Family.GFPGAN, short, home / "models", "damaged")
    makers.install(Family.GFPGAN, parsenet, home / "models", "anothers")
    yield home
    shutil.rmtree(home)
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def ask(weights: Path) -> Iterator[Client]:
    server = ServerProcess(weights).start()
    client = server.client()
    yield client
    client.close()
    server.stop()


@pytest.mark.nets
@pytest.mark.parametrize("model", ["damaged", "anothers"])
def test_weights_that_cannot_be_used_are_named(ask: Client, model: str) -> None:
    with pytest.raises((ModelDamaged, ModelFileUnusable)) as caught:
        restored(ask, model)
    error = caught.value
    assert isinstance(error, FrisketError)
    assert model in error.cause or "GFPGAN" in str(error) or ".pth" in error.cause
    assert error.remedy


def differences(shot: Callable[[float], np.ndarray]) -> list[float]:
    before = picture().astype(int)
    return [float(np.abs(shot(strength) - before).sum()) for strength in (0.0, 0.5, 1.0)]


@pytest.mark.nets
@pytest.mark.timeout(400)  # three faces through GFPGAN: some 10 s each on a processor that has nothing else to do
def test_gfpgan_restores_a_face_and_leaves_the_rest(ask: Client) -> None:
    kept: dict[float, tuple[Picture, np.ndarray]] = {}

    def shot(strength: float) -> np.ndarray:
        kept[strength] = restored(ask, "random-gfpgan", faces=(FIRST,), strength=strength)
        return kept[strength][1]

    none, half, full = differences(shot)
    assert none == 0
    assert 0 < half < full
    done, out = kept[1.0]
    assert Box(16, 8, 68, 68).holds(done.box), "the second and the third face are not asked for"
    outside = np.ones((H, W), bool)
    outside[done.box.slices] = np.frombuffer(done.mask, np.uint8).reshape(done.box.height, done.box.width) == 0
    assert (out[outside] == picture()[outside]).all()
    assert done.maker is not None
    assert (done.maker.engine, done.maker.trained) == ("random-gfpgan", True)
    assert any("random-gfpgan" in note for note in done.notes)
    again, _ = restored(ask, "random-gfpgan", faces=(FIRST,), strength=0.5, seed=6)
    assert (again.pixels, again.mask) == (kept[0.5][0].pixels, kept[0.5][0].mask), "no chance has a part in it"


@pytest.mark.nets
@pytest.mark.parametrize("fmt", [PixelFormat(Samples.U16, Layout.RGBA), PixelFormat(Samples.U8, Layout.GRAY)], ids=str)
def test_gfpgan_keeps_alpha_depth_and_gray(ask: Client, fmt: PixelFormat) -> None:
    done, out = restored(ask, "random-gfpgan", fmt, faces=(FIRST,), strength=1.0)
    before = picture(fmt)
    assert done.format == fmt
    assert (out[..., : fmt.layout.colors] != before[..., : fmt.layout.colors]).any()
    if fmt.layout.has_alpha:
        assert (out[..., -1] == before[..., -1]).all()
        assert len(np.unique(out[..., 0] % 257)) > 100, "not 8 bits stretched to 16"
