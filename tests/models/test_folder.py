"""Installed models: what is found, what verifying sees, what removing leaves."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from frisket.errors import Cancelled, ModelBusy, ModelDamaged, ModelNotInstalled, ModelsFolderUnusable, NoRoomForModel
from frisket.models.catalogue import Commercial, Licence
from frisket.models.choice import LOCK
from frisket.models.families import Family
from frisket.models.folder import PULLING, SPARE, Finding, Folder, State
from frisket.models.record import Held, Record

FILES = {"config.json": b"{}", "unet/w.safetensors": b"weights" * 1000}


def put(folder: Folder, model: str = "paint", files: dict[str, bytes] = FILES) -> Record:
    """Install a model of these files."""
    for path, data in files.items():
        target = folder.staging(model) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    held = tuple(Held(p, len(data), hashlib.sha256(data).hexdigest()) for p, data in files.items())
    licence = Licence("MIT", "", Commercial.YES)
    made = Record(model, "Paint", Family.SD15, (), licence, held, "2026-01-02T03:04:05Z", repository="acme/paint")
    with folder.claim(model):
        folder.install(made)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != LOCK
    }


def test_installed(folder: Folder) -> None:
    assert folder.ids() == []
    made = put(folder)
    assert folder.ids() == ["paint"]
    assert folder.record("paint") == made
    assert contents(folder.path("paint")) == FILES
    assert folder.verify("paint") == ()
    assert folder.check("paint") == made
    assert not folder.staging("paint").exists()


def test_the_stamp_tells_of_models_that_came_went_or_were_replaced(folder: Folder) -> None:
    stamps = [folder.stamp()]
    for change in (put, put, lambda f: put(f, "other"), lambda f: f.remove("paint")):
        change(folder)
        stamps.append(folder.stamp())
        assert folder.stamp() == stamps[-1]
    assert len(set(stamps)) == 5
    shutil.rmtree(folder.path("other"))
    assert folder.stamp() == stamps[0] == ()


def test_a_newer_version_takes_its_place_whole(folder: Folder) -> None:
    put(folder)
    put(folder, files={"config.json": b"[]", "vae/v.safetensors": b"v"})
    assert contents(folder.path("paint")) == {"config.json": b"[]", "vae/v.safetensors": b"v"}
    assert sorted(p.name for p in (folder.root / PULLING).iterdir()) == ["paint.lock"]


def test_leftovers_in_staging_do_not_come_in(folder: Folder) -> None:
    for name in ("old.bin", "unet/x.safetensors.0123.part", "empty/deep/x.json"):
        (folder.staging("paint") / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.staging("paint") / name).write_bytes(b"x")
    put(folder)
    assert contents(folder.path("paint")) == FILES
    assert not (folder.path("paint") / "empty").exists()


def test_a_swap_that_was_killed_is_put_right(folder: Folder) -> None:
    put(folder)
    old = folder.root / PULLING / "paint.old"
    os.rename(folder.path("paint"), old)  # killed between the two renames
    with folder.claim("paint"):
        assert folder.verify("paint") == ()
    shutil.copytree(folder.path("paint"), old)  # killed before the old one was deleted
    with folder.claim("paint"):
        assert folder.verify("paint") == ()
        assert not old.exists()


def test_verify_sees_each_kind_of_damage(folder: Folder, tmp_path: Path) -> None:
    put(folder)
    path = folder.path("paint")
    data = FILES["unet/w.safetensors"]
    (path / "unet" / "w.safetensors").write_bytes(data[:-1] + b"!")  # the same size
    assert folder.verify("paint") == (Finding("unet/w.safetensors", State.CHANGED),)
    (path / "unet" / "w.safetensors").write_bytes(data[:-1])
    (path / "config.json").unlink()
    (path / "unet" / "evil.bin").write_bytes(b"\x80")
    (path / ".DS_Store").write_bytes(b"")
    assert folder.verify("paint") == (
        Finding("config.json", State.MISSING),
        Finding("unet/w.safetensors", State.CHANGED),
        Finding("unet/evil.bin", State.EXTRA),
    )
    with pytest.raises(ModelDamaged) as caught:
        folder.check("paint")
    assert (
        "config.json is missing, unet/w.safetensors is changed, unet/evil.bin is not part of it" in caught.value.cause
    )
    assert "frisket models pull paint" in caught.value.remedy


def test_links_are_never_what_was_installed(folder: Folder, tmp_path: Path) -> None:
    put(folder)
    weights = folder.path("paint") / "unet" / "w.safetensors"
    (tmp_path / "outside").write_bytes(weights.read_bytes())
    weights.unlink()
    weights.symlink_to(tmp_path / "outside")
    assert folder.verify("paint") == (Finding("unet/w.safetensors", State.CHANGED),)
    (tmp_path / "elsewhere").mkdir()
    (folder.root / "linked").symlink_to(tmp_path / "elsewhere")
    assert folder.ids() == ["paint"]
    with pytest.raises(ModelNotInstalled):
        folder.record("linked")


def test_verify_tells_how_far_it_is_and_can_be_cancelled(folder: Folder) -> None:
    record = put(folder)
    steps: list[tuple[int, int, str]] = []
    folder.verify("paint", lambda *step: steps.append(step))
    assert steps == [(2, record.size, "config.json"), (record.size, record.size, "unet/w.safetensors")]

    def stop(done: int, total: int, what: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        folder.verify("paint", stop)


def test_remove(folder: Folder, tmp_path: Path) -> None:
    put(folder)
    put(folder, "other")
    (folder.staging("paint")).mkdir(parents=True)
    (folder.staging("paint") / "x.part").write_bytes(b"12345")
    lock = (folder.path("paint") / LOCK).stat().st_size
    assert folder.remove("paint") == sum(map(len, FILES.values())) + 5 + lock
    assert folder.ids() == ["other"]
    assert folder.verify("other") == ()
    with pytest.raises(ModelNotInstalled) as caught:
        folder.remove("paint")
    assert "There is: other." in caught.value.remedy


def test_removing_a_link_leaves_what_it_points_to(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.png").write_bytes(b"x")
    folder.root.mkdir()
    (folder.root / "linked").symlink_to(tmp_path / "precious")
    folder.remove("linked")
    assert (tmp_path / "precious" / "photo.png").exists()
    assert not (folder.root / "linked").is_symlink()


@pytest.mark.parametrize("name", ["..", "../x", "/etc", "", ".pulling", "a/b"])
def test_names_cannot_leave_the_folder(folder: Folder, name: str) -> None:
    for action in (folder.path, folder.record, folder.verify, folder.remove):
        with pytest.raises(ModelNotInstalled):
            action(name)


def test_a_damaged_one_is_listed_told_and_can_be_removed(folder: Folder) -> None:
    put(folder)
    (folder.path("paint") / LOCK).write_text("nonsense")
    assert folder.ids() == ["paint"]
    with pytest.raises(ModelDamaged):
        folder.record("paint")
    folder.remove("paint")
    assert folder.ids() == []


def test_what_is_claimed_is_busy(folder: Folder) -> None:
    put(folder)
    with folder.claim("paint"), pytest.raises(ModelBusy):
        folder.remove("paint")
    assert folder.verify("paint") == ()


def test_room(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=SPARE + 1000))
    folder.make_room("paint", 1000)
    with pytest.raises(NoRoomForModel) as caught:
        folder.make_room("paint", 5_000_000_000)
    assert "needs 5.0 GB more" in caught.value.cause


def test_the_disks_errors_in_our_words(folder: Folder) -> None:
    folder.root.parent.mkdir(exist_ok=True)
    folder.root.write_text("a file is in the way")
    with pytest.raises(ModelsFolderUnusable), folder.claim("paint"):
        pass
    folder.root.unlink()
    folder.root.mkdir()
    with pytest.raises(NoRoomForModel), folder.guarded("paint"):
        raise OSError(28, "No space left on device")
