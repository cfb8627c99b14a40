"""Every family at every task it does, through a real server without a network and a real client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

from engines.diffusion import zoo
from frisket.client.client import Client, Picture
from frisket.engines.diffusion.table import ROWS
from frisket.engines.spec import Task
from frisket.models import record as records
from frisket.models.choice import LOCK
from frisket.models.families import PURPOSES, Family
from frisket.raster.geometry import Box
from offline import OfflineServer, can_unplug, short_home
from rpc.edits_of import Edit, H, W, photo, soft_mask

pytestmark = [pytest.mark.diffusion]
PAIRS = [(family, Task(purpose.value)) for family, rows in ROWS.items() for purpose in rows]
NATIVE = 192  # px, instead of 512 and more: enough for the canvas in one piece, and quick
SMALLER = {Family.DEEPFLOYD_IF: 64}  # its U-net is written for little more than that


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one tiny model of every family."""
    root = tmp_path_factory.mktemp("models")
    for family in zoo.MAKERS:
        made = zoo.make(family, tmp_path_factory.mktemp("made") / family.value)
        known = zoo.install(family, made, root, family.value)
        (root / known.id / LOCK).unlink()
        records.write(root / known.id, replace(known, defaults={"native_px": SMALLER.get(family, NATIVE)}))
        shutil.rmtree(made)
    return root


@pytest.fixture(scope="module")
def offline(models: Path) -> Iterator[OfflineServer]:
    home = short_home("diffusion")
    server = OfflineServer(home, models=models).start()
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def ask(offline: OfflineServer) -> Iterator[Client]:
    client = offline.client()
    yield client
    client.close()


def edit_of(family: Family, task: Task) -> Edit:
    return Edit(family.value, task, photo(), soft_mask())


def named(pair: object) -> str:
    return str(getattr(pair, "value", pair))


def test_the_pairs_are_all_that_models_are_offered_for() -> None:
    assert {(f.value, t.value) for f, t in PAIRS} == {
        (f.value, p.value) for f, ps in PURPOSES.items() if f in ROWS for p in ps
    }
    assert {f for f, _ in PAIRS} == set(zoo.MAKERS) - {Family.KANDINSKY22_PRIOR}, "a prior paints nothing by itself"
    print(f"{len(PAIRS)} pairs of {len({f for f, _ in PAIRS})} families")


@pytest.mark.parametrize(("family", "task"), PAIRS, ids=named)
def test_a_pair_through_server_and_client(offline: OfflineServer, ask: Client, family: Family, task: Task) -> None:
    edit = edit_of(family, task)
    (result,) = edit.done(ask, seed=7)
    check_placed(edit, result)
    assert result.maker is not None
    assert (result.maker.engine, result.maker.trained) == (family.value, True)
    assert not offline.asked()


def check_placed(edit: Edit, result: Picture) -> None:
    """The box, the mask, and that nothing else changed."""
    sheet, weight, before = edit.laid(result)
    whole = Box(0, 0, W, H)
    np.testing.assert_array_equal(sheet[weight == 0], before[weight == 0])
    if edit.task is Task.TEXT_TO_LAYER:
        assert result.box == whole
        assert (weight == 255).all()
        return
    if edit.task is Task.OUTPAINT:
        assert sheet.shape == (H + 10, W + 21, 3)
        old = (slice(0, H), slice(21, None))
        np.testing.assert_array_equal(sheet[old], edit.picture)
        new = np.ones(weight.shape, bool)
        new[old] = False
        assert (weight[new] == 255).all()
        assert sheet[new].std() > 0.5
        return
    assert sheet.shape == (H, W, 3)
    assert result.box.joined(whole) == whole
    outside = edit.mask == 0
    assert not weight[outside].any(), "beyond the selection nothing is shown"
    np.testing.assert_array_equal(sheet[outside], edit.picture[outside])
    assert (weight[edit.mask == 255] == 255).all()
    changed = (sheet != edit.picture).any(-1)
    assert changed[edit.mask > 127].mean() > 0.9, "it was painted"


def test_the_server_was_without_a_network(offline: OfflineServer, ask: Client) -> None:
    edit_of(Family.SD15, Task.INPAINT).done(ask, seed=1)
    processes = {offline.runtime.pid, *(worker.pid for worker in offline.workers())}
    assert len(processes) > 1
    assert processes <= offline.guarded()
    assert offline.asked() == ""
    if can_unplug():
        assert offline.interfaces() == []


@pytest.mark.slow
@pytest.mark.parametrize(("family", "task"), PAIRS, ids=named)
def test_a_seed_is_a_picture(ask: Client, family: Family, task: Task) -> None:
    """Image k of a batch is the one of its seed alone, and the same request gives the same bytes."""
    edit = edit_of(family, task)
    batch = edit.done(ask, seed=20, count=3)
    assert [picture.seed for picture in batch] == [20, 21, 22]
    for picture in batch[1:]:
        (alone,) = edit.done(ask, seed=picture.seed)
        assert (alone.box, alone.mask) == (picture.box, picture.mask)
        assert furthest(alone, picture) <= 1
    assert all(furthest(a, b) > 1 for a, b in pairwise(batch)), "each seed is another picture"
    assert [(p.box, p.pixels, p.mask) for p in edit.done(ask, seed=20, count=3)] == [
        (p.box, p.pixels, p.mask) for p in batch
    ]


def furthest(one: Picture, other: Picture) -> int:
    """The largest difference of a sample, 0...255."""
    a, b = (np.frombuffer(picture.pixels, np.uint8).astype(int) for picture in (one, other))
    return int(np.abs(a - b).max())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_another_worker_paints_the_same_bytes(offline: OfflineServer, ask: Client) -> None:
    edits = [edit_of(family, task) for family, task in PAIRS]
    first = [edit.done(ask, seed=3)[0] for edit in edits]
    (worker,) = offline.workers()
    worker.kill()
    worker.wait(20)
    again = [edit.done(ask, seed=3)[0] for edit in edits]
    assert [w.pid for w in offline.workers()] != [worker.pid]
    same = [(a.box, a.pixels, a.mask) == (b.box, b.pixels, b.mask) for a, b in zip(first, again, strict=True)]
    assert [pair for pair, kept in zip(PAIRS, same, strict=True) if not kept] == []
