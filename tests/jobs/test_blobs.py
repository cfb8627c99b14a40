import errno
import hashlib
import os
import threading
import time

import pytest

from frisket.errors import DiskFull, ResultLost, UploadCorrupt
from frisket.jobs.blobs import Blobs


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def files(blobs: Blobs) -> set[str]:
    return {p.name for p in blobs.folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 3_000_001])
def test_content_is_kept_under_its_sha256(blobs, size):
    data = os.urandom(size)
    name = blobs.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert blobs.path(name) == blobs.folder / name[:2] / name
    assert blobs.path(name).read_bytes() == data
    assert blobs.size(name) == size
    assert files(blobs) == {name}


def test_pieces_of_any_kind_make_one_blob(blobs):
    data = os.urandom(100_000)
    writer = blobs.writer()
    for piece in (data[:7], bytearray(data[7:50_000]), memoryview(data)[50_000:]):
        writer.write(piece)
    assert writer.finish(hashlib.sha256(data).hexdigest()) == blobs.put(data)
    writer.abort()  # without effect
    assert blobs.path(blobs.put(data)).read_bytes() == data
    assert len(files(blobs)) == 1


DAMAGE = [(b"abd", "damaged"), (b"ab", "damaged"), (b"", "damaged"), (None, "gone")]


def damage(blobs: Blobs, name: str, content: bytes | None) -> None:
    blobs.path(name).unlink() if content is None else blobs.path(name).write_bytes(content)


@pytest.mark.parametrize(("content", "what"), DAMAGE)
def test_what_is_delivered_is_what_was_stored_or_an_error(blobs, content, what):
    name = blobs.put(b"abc")
    assert blobs.checked(name).read_bytes() == b"abc"
    damage(blobs, name, content)
    with pytest.raises(ResultLost) as caught:
        blobs.checked(name)
    assert caught.value == ResultLost(file=name, what=what)


@pytest.mark.parametrize("content", [content for content, _ in DAMAGE])
def test_storing_again_mends_what_was_damaged(blobs, content):
    name = blobs.put(b"abc")
    damage(blobs, name, content)
    assert blobs.put(b"abc") == name
    assert blobs.path(name).read_bytes() == b"abc"
    assert files(blobs) == {name}


def test_a_file_that_a_reader_keeps_from_being_replaced_is_trusted_only_when_whole(blobs, monkeypatch):
    def refused(a, b):
        raise PermissionError("somebody has it open")

    name = blobs.put(b"abc")
    monkeypatch.setattr(os, "replace", refused)
    assert blobs.put(b"abc") == name
    damage(blobs, name, b"abd")
    with pytest.raises(PermissionError):
        blobs.put(b"abc")
    assert files(blobs) == {name}


def test_another_checksum_is_refused_and_leaves_nothing(blobs):
    writer = blobs.writer()
    writer.write(b"abc")
    with pytest.raises(UploadCorrupt, match="not 0000"):
        writer.finish("0000")
    assert files(blobs) == set()


def test_nothing_has_a_final_name_before_finish(blobs):
    writer = blobs.writer()
    writer.write(b"x" * 1_000_000)
    assert [p.parent.name for p in blobs.folder.rglob("*") if p.is_file()] == ["tmp"]
    writer.abort()
    assert files(blobs) == set()


def test_what_a_killed_process_left_is_removed_at_start(blobs):
    name = blobs.put(b"whole")
    writer = blobs.writer()
    writer.write(b"half")
    Blobs(blobs.folder)
    assert files(blobs) == {name}
    writer.abort()


def test_the_order_is_write_sync_rename_sync_folders(blobs, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace

    def traced_fsync(fd):
        done.append(("fsync", os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), blobs.folder)))
        fsync(fd)

    def traced_replace(a, b):
        done.append(("replace", os.path.relpath(b, blobs.folder)))
        replace(a, b)

    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "replace", traced_replace)
    name = blobs.put(b"abc")
    (first, written), *rest = done
    assert first == "fsync"
    assert written.startswith("tmp/")
    assert rest == [("replace", f"ba/{name}"), ("fsync", "ba"), ("fsync", ".")]


def test_a_full_disk_is_told_with_its_numbers_and_leaves_nothing(blobs, monkeypatch):
    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull) as caught:
        blobs.put(b"abc")
    assert caught.value.data["folder"] == str(blobs.folder)
    assert int(caught.value.data["free"]) > 0
    assert files(blobs) == set()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_write_that_the_system_refuses_for_space(blobs):
    writer = blobs.writer()
    writer._file.close()
    writer._file = open("/dev/full", "wb")  # noqa: SIM115 (every write to it is refused with ENOSPC)
    with pytest.raises(DiskFull):
        writer.write(b"x" * 1_000_000)
    writer.abort()
    assert files(blobs) == set()


def test_other_errors_of_the_system_stay_what_they_are(blobs, monkeypatch):
    def broken(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        blobs.put(b"abc")
    assert files(blobs) == set()


def aged(blobs: Blobs, data: bytes, seconds: float) -> str:
    name = blobs.put(data)
    then = time.time() - seconds
    os.utime(blobs.path(name), (then, then))
    return name


def test_a_sweep_takes_what_is_old_and_unwanted(blobs):
    wanted, unwanted, young = aged(blobs, b"1", 9999), aged(blobs, b"22", 9999), aged(blobs, b"3", 10)
    assert blobs.sweep(lambda: {wanted}) == 2
    assert files(blobs) == {wanted, young}
    assert not blobs.path(unwanted).exists()


def test_what_is_settled_goes_at_once_when_nobody_wants_it(blobs):
    name = blobs.put(b"abc")
    blobs.settle([name])
    assert blobs.sweep(lambda: {name}) == 0
    assert blobs.sweep(set) == 3


def test_what_two_stored_goes_when_both_have_settled(blobs):
    name = blobs.put(b"abc")
    blobs.put(b"abc")
    blobs.settle([name])
    assert blobs.sweep(set) == 0
    blobs.settle([name])
    assert blobs.sweep(set) == 3


def test_a_row_that_comes_while_the_rows_are_read_keeps_its_blob(blobs):
    name = blobs.put(b"abc")

    def rows():
        blobs.settle([name])  # its row was written just after these were read
        return set()

    assert blobs.sweep(rows) == 0
    assert blobs.sweep(lambda: {name}) == 0


def test_what_a_former_process_left_without_a_row_goes_at_once(blobs):
    blobs.put(b"abc")
    assert Blobs(blobs.folder).sweep(set) == 3


def test_putting_again_makes_an_old_blob_young(blobs):
    name = aged(blobs, b"1", 9999)
    assert blobs.put(b"1") == name
    assert blobs.sweep(set) == 0
    assert files(blobs) == {name}


def test_a_sweep_leaves_what_is_being_written(blobs):
    writer = blobs.writer()
    writer.write(b"abc")
    blobs.sweep(set, young_s=-1)
    assert blobs.path(writer.finish()).read_bytes() == b"abc"


def test_puts_and_sweeps_at_once_never_lose_a_fresh_blob(blobs):
    lost, stop = [], threading.Event()

    def sweep():
        while not stop.is_set():
            blobs.sweep(set)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    for n in range(60):
        name = aged(blobs, bytes([n % 3]), 9999)
        blobs.put(bytes([n % 3]))
        if not blobs.path(name).exists():
            lost.append(n)
    stop.set()
    sweeper.join()
    assert lost == []
