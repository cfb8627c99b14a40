import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from frisket.errors import DiskFull
from frisket.workers.shm import (
    ALIGNMENT,
    KEPT,
    SMALLEST,
    Segment,
    Tray,
    aligned,
    attach,
    default_folders,
    remove_stale,
    size_class,
)


def segments(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*.shm"))


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.mark.parametrize(
    ("needed", "size"), [(0, 64), (1, 64), (64 << 20, 64), ((64 << 20) + 1, 128), (300 << 20, 512), (2 << 30, 2048)]
)
def test_size_classes_in_mib(needed, size):
    assert size_class(needed) == size << 20


@pytest.mark.parametrize(("offset", "place"), [(0, 0), (1, 64), (64, 64), (65, 128)])
def test_planes_begin_at_multiples_of_the_alignment(offset, place):
    assert ALIGNMENT == 64
    assert aligned(offset) == place


def test_what_one_side_writes_the_other_reads(tmp_path):
    segment = Segment(tmp_path, SMALLEST)
    segment.reserve(1000)
    theirs = attach(str(segment.path), segment.size, writable=True)
    with segment.view(10, 3) as ours:
        ours[:] = b"abc"
        assert theirs[10:13] == b"abc"
        theirs[11:12] = b"X"
        assert bytes(ours) == b"aXc"
    theirs.close()
    segment.close()
    assert segments(tmp_path) == []


def test_the_source_cannot_be_written_by_its_reader(tmp_path):
    segment = Segment(tmp_path, SMALLEST)
    segment.reserve(1000)
    theirs = attach(str(segment.path), segment.size, writable=False)
    with pytest.raises(TypeError):
        theirs[0] = 1
    theirs.close()
    segment.close()


def test_memory_is_taken_as_it_is_needed_and_only_this_user_may_look(tmp_path):
    segment = Segment(tmp_path, SMALLEST)
    assert segment.path.stat().st_size == SMALLEST
    assert allocated(segment.path) < 100_000
    segment.reserve(1_000_000)
    assert 1_000_000 <= allocated(segment.path) < 1_200_000
    assert segment.path.stat().st_mode & 0o777 == 0o600
    segment.close()


def test_a_tray_keeps_its_segment_and_grows_by_classes(tmp_path):
    tray = Tray([tmp_path])
    first = tray.room(10)
    assert tray.room(SMALLEST) is first
    second = tray.room(SMALLEST + 1)
    assert second.size == 2 * SMALLEST
    assert tray.room(5) is second
    assert segments(tmp_path) == [second.path.name]
    tray.close()
    assert segments(tmp_path) == []


def test_what_is_large_is_given_back_after_the_job(tmp_path):
    tray = Tray([tmp_path])
    segment = tray.room(10)
    tray.trim()
    assert tray.room(10) is segment
    tray.close()
    large = Segment(tmp_path, 2 * KEPT)
    tray._segment = large
    tray.trim()
    assert segments(tmp_path) == []


def test_a_view_in_use_does_not_stop_closing(tmp_path):
    segment = Segment(tmp_path, SMALLEST)
    segment.reserve(10)
    view = segment.view(0, 4)
    view[:] = b"abcd"
    segment.close()
    assert bytes(view) == b"abcd"
    assert segments(tmp_path) == []


def full_below(monkeypatch, folder: Path, limit: int) -> None:
    """Let this folder hold `limit` bytes for one file, as a small /dev/shm does."""
    real = os.posix_fallocate

    def fallocate(fd, offset, size):
        if os.readlink(f"/proc/self/fd/{fd}").startswith(str(folder)) and size > limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", fallocate)


def test_the_next_folder_is_used_where_the_first_is_too_small(tmp_path, monkeypatch):
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    full_below(monkeypatch, small, 1_000_000)
    tray = Tray([small, large])
    assert tray.room(1_000_000).path.parent == small
    assert tray.room(1_000_001).path.parent == large
    assert segments(small) == []
    assert tray.room(500).path.parent == large
    tray.close()


def test_the_next_folder_is_used_where_the_first_is_missing(tmp_path):
    tray = Tray([tmp_path / "missing", tmp_path])
    assert tray.room(10).path.parent == tmp_path
    tray.close()


def test_no_room_anywhere_is_told_with_numbers(tmp_path, monkeypatch):
    full_below(monkeypatch, tmp_path, 1_000_000)
    tray = Tray([tmp_path])
    with pytest.raises(DiskFull) as caught:
        tray.room(1_000_001)
    assert caught.value.data["needed"] == "1000001"
    assert segments(tmp_path) == []
    assert tray.room(1_000_000).size == SMALLEST
    tray.close()


def test_a_broken_folder_is_no_reason_to_leave_a_file(tmp_path, monkeypatch):
    def fallocate(fd, offset, size):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    with pytest.raises(OSError, match="Input/output"):
        Tray([tmp_path]).room(10)
    assert segments(tmp_path) == []


def missing(monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")


def refused(monkeypatch):
    def fallocate(fd, offset, size):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", fallocate)


@pytest.mark.parametrize("lacks", [missing, refused])
def test_room_without_fallocate(tmp_path, monkeypatch, lacks):
    lacks(monkeypatch)
    segment = Segment(tmp_path, SMALLEST)
    segment.reserve(1_500_000)
    assert 1_500_000 <= allocated(segment.path) < 1_700_000
    with segment.view(0, 3) as view:
        view[:] = b"abc"
    segment.reserve(2_500_000)
    with segment.view(0, 3) as view:
        assert bytes(view) == b"abc"
    segment.close()


def test_litter_of_the_dead_is_removed_and_the_living_keep_theirs(tmp_path):
    mine = Segment(tmp_path, SMALLEST)
    make = (
        "import sys, os; from pathlib import Path; from frisket.workers.shm import Segment\n"
        "s = [Segment(Path(sys.argv[1]), 1 << 26) for _ in range(3)]\n"
        "print('made', flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", make, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("made\n", -9)
    (tmp_path / "frisket-other.txt").write_text("not a segment")
    assert len(segments(tmp_path)) == 4
    assert remove_stale([tmp_path, tmp_path / "missing"]) == 3
    assert segments(tmp_path) == [mine.path.name]
    assert (tmp_path / "frisket-other.txt").exists()
    mine.close()


def test_default_folders_exist():
    folders = default_folders()
    assert folders
    assert all(folder.is_dir() for folder in folders)
