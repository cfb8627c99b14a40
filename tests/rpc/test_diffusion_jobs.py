"""Jobs of diffusion models that end otherwise: cancelled, with weights that are no numbers, asked by command line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

from engines.diffusion import zoo
from engines.diffusion.analytic import colour_painter
from frisket.client.client import Client
from frisket.engines.spec import Task
from frisket.errors import FrisketError, ResultUnknown
from frisket.models import record as records
from frisket.models.choice import LOCK
from frisket.models.families import Family
from frisket.rpc.stubs import jobs_pb2
from live import run_cli
from offline import OfflineServer, short_home
from rpc.edits_of import Edit, photo, soft_mask
from rpc.test_studio import outcome

pytestmark = [pytest.mark.diffusion]
RED = (0.9, 0.1, 0.1)


def install(made: Path, family: Family, root: Path, name: str, **defaults: int) -> None:
    known = zoo.install(family, made, root, name)
    (root / known.id / LOCK).unlink()
    records.write(root / known.id, replace(known, defaults={"native_px": 96, **defaults}))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour painter; a tiny SD 1.5; the same with a NaN in its U-net and with a NaN in its VAE."""
    import torch

    root, made = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("made")
    install(colour_painter(made / "painter", RED), Family.SD15_INPAINT, root, "painter")
    install(zoo.make(Family.SD15, made / "whole"), Family.SD15, root, "whole")
    for part in ("unet", "vae"):
        pipe = zoo.sd15()
        with torch.no_grad():
            weights = [w for w in getattr(pipe, part).parameters() if w.ndim > 1]
            weights[len(weights) // 2].view(-1)[-1] = float("nan")  # one in the midst of thousands
        pipe.save_pretrained(made / part, safe_serialization=True)
        install(made / part, Family.SD15, root, f"broken-{part}")
    return root


@pytest.fixture(scope="module")
def offline(models: Path) -> Iterator[OfflineServer]:
    server = OfflineServer(short_home("jobs"), models=models).start()
    yield server
    server.stop()
    shutil.rmtree(server.home)


@pytest.fixture(scope="module")
def ask(offline: OfflineServer) -> Iterator[Client]:
    client = offline.client()
    yield client
    client.close()


def edit_of(model: str, task: Task = Task.INPAINT) -> Edit:
    return Edit(model, task, photo(), soft_mask())


def test_a_job_that_is_cancelled_leaves_nothing_in_the_next(ask: Client) -> None:
    edit = edit_of("whole")
    (wanted,) = edit.done(ask, seed=4)
    long = edit.request(ask, seed=4, count=4, steps=150)
    job, steps = edit.send(ask, long), 0
    for event in ask.watch(job):
        if event.WhichOneof("what") == "progress":
            steps += 1
            if steps == 3:
                ask.cancel(job)
                assert event.progress.fraction < 0.9
    (kept,) = (known for known in ask.jobs() if known.id == job)
    assert kept.state == jobs_pb2.JOB_STATE_CANCELLED
    with pytest.raises(FrisketError):
        ask.result(job)
    (after,) = edit.done(ask, seed=4)
    assert (after.box, after.pixels, after.mask) == (wanted.box, wanted.pixels, wanted.mask)


@pytest.mark.parametrize("model", ["broken-unet", "broken-vae"])
@pytest.mark.parametrize("task", [Task.INPAINT, Task.TEXT_TO_LAYER], ids=lambda t: t.value)
def test_weights_that_are_no_numbers_give_no_picture(ask: Client, model: str, task: Task) -> None:
    edit = edit_of(model, task)
    job = edit.send(ask, edit.request(ask, seed=4, count=1))
    with pytest.raises(FrisketError) as caught:
        outcome(ask, job)
    assert type(caught.value).__name__ in ("PictureNotFinite", "ModelDamaged"), caught.value
    with pytest.raises((ResultUnknown, FrisketError)):
        ask.result(job)
    edit_of("whole", task).done(ask, seed=4)  # and another model's job is fine


def test_the_command_line_paints_red_and_nothing_else(offline: OfflineServer, tmp_path: Path) -> None:
    before, mask = photo(), soft_mask()
    Image.fromarray(before).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ["inpaint", str(tmp_path / "photo.png"), "--mask", str(tmp_path / "mask.png"), "--engine", "painter"]
    words += ["--prompt", "a red sofa", "--param", "steps=4", "--param", "scheduler=euler", "--seed", "1"]
    words += ["--grow", "0", "--feather", "0", "--blend", "0", "-o", str(tmp_path / "out.png")]
    run_cli(*words, home=offline.home)
    after = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    np.testing.assert_array_equal(after[mask == 0], before[mask == 0])
    assert np.abs(after[mask == 255] - np.rint(np.array(RED) * 255)).max() <= 20


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("task", [Task.INPAINT, Task.INSTRUCT], ids=lambda t: t.value)
def test_the_family_that_chooses_its_size_at_that_size(tmp_path: Path, task: Task) -> None:
    """Elsewhere Qwen-Image-Edit is made to paint some 64 x 64 px; here it paints 1 MP, of an odd aspect."""
    family = Family.QWEN_IMAGE_EDIT
    install(zoo.make(family, tmp_path / "made"), family, tmp_path / "models", "edit")
    server = OfflineServer(short_home("size"), models=tmp_path / "models", quick=False).start()
    client = server.client()
    try:
        edit = Edit("edit", task, photo(333, 121), soft_mask(333, 121))
        (result,) = edit.done(client, seed=7, steps=2)
        sheet, weight, _ = edit.laid(result)
        np.testing.assert_array_equal(sheet[edit.mask == 0], edit.picture[edit.mask == 0])
        assert (weight[edit.mask == 255] == 255).all()
        assert not server.asked()
    finally:
        client.close()
        server.stop()
        shutil.rmtree(server.home)
