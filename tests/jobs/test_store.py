import contextlib
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import pytest

from frisket.errors import DiskFull, EngineFailed, JobsUnreadable, JobUnknown, RequestIdReused, StoreUnavailable
from frisket.jobs.records import EventKind, NewJob, StoredResult
from frisket.jobs.states import JobState, MoveNotAllowed
from frisket.jobs.store import MIGRATIONS, Store

NEW = NewJob("r1", "gimp", "inpaint", "patch", '{"seed": 1}', {"pixels": "aa", "mask": "bb"}, 10)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "jobs.db")
    yield store
    store.close()


def numbered(n: int) -> NewJob:
    return replace(NEW, request_id=f"r{n}", client=f"c{n % 2}")


def test_a_new_job_reads_back(store):
    job, reused = store.add(NEW, position=3)
    assert not reused
    assert store.get(job.id) == job
    assert (job.state, job.tries, job.last_sequence, job.result_count) == (JobState.QUEUED, 0, 1, 0)
    assert (job.request_id, job.client, job.task, job.engine, job.request) == NEW_FIELDS
    assert (job.inputs, job.input_bytes, job.digest) == (NEW.inputs, 10, NEW.digest)
    assert (job.started, job.ended, job.error) == (None, None, None)
    (event,) = store.events(job.id)
    assert (event.sequence, event.kind, event.state, event.data) == (1, EventKind.QUEUED, job.state, {"position": 3})


NEW_FIELDS = (NEW.request_id, NEW.client, NEW.task, NEW.engine, NEW.request)


def test_the_same_request_twice_is_one_job(store):
    first, _ = store.add(NEW)
    again, reused = store.add(replace(NEW, client="another name"))
    assert reused
    assert again.id == first.id
    assert len(store.list()) == 1


def test_a_request_id_used_for_something_else_is_refused(store):
    first, _ = store.add(NEW)
    with pytest.raises(RequestIdReused) as caught:
        store.add(replace(NEW, request='{"seed": 2}'))
    assert caught.value == RequestIdReused(request_id="r1", job=first.id)
    assert len(store.list()) == 1


def test_many_threads_with_one_request_make_one_job(store):
    ids = []
    threads = [threading.Thread(target=lambda: ids.append(store.add(NEW)[0].id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_a_whole_life_has_contiguous_events_and_its_results(store):
    job, _ = store.add(NEW)
    store.move(job.id, JobState.RUNNING, EventKind.STARTED, {"tries": 1})
    store.note(job.id, EventKind.PROGRESS, {"fraction": 0.5})
    store.move(job.id, JobState.QUEUED, EventKind.QUEUED, {"position": 1})
    store.move(job.id, JobState.RUNNING, EventKind.STARTED, {"tries": 2})
    results = (StoredResult("{}", ("cc", "dd")), StoredResult('{"n":1}', ("ee",)))
    ended = store.move(job.id, JobState.FINISHED, EventKind.FINISHED, {"result_count": 2}, results=results)
    assert (ended.tries, ended.result_count, ended.last_sequence) == (2, 2, 6)
    assert ended.started is not None
    assert ended.ended is not None
    assert ended.created <= ended.started <= ended.ended
    assert tuple(store.results(job.id)) == results
    events = store.events(job.id)
    assert [e.sequence for e in events] == [1, 2, 3, 4, 5, 6]
    assert [e.state.value for e in events] == ["queued", "running", "running", "queued", "running", "finished"]
    assert [e.sequence for e in store.events(job.id, after=4)] == [5, 6]
    assert store.blobs() == {"aa", "bb", "cc", "dd", "ee"}
    (kept,) = store.ended()
    assert (kept.job, kept.ended, kept.blobs) == (job.id, ended.ended, {"aa", "bb", "cc", "dd", "ee"})


def test_a_refused_move_leaves_row_events_and_results_alone(store):
    job, _ = store.add(NEW)
    with pytest.raises(MoveNotAllowed):
        store.move(job.id, JobState.FINISHED, EventKind.FINISHED, {}, results=[StoredResult("{}", ("cc",))])
    assert store.get(job.id) == job
    assert len(store.events(job.id)) == 1
    assert store.results(job.id) == []


def test_a_move_that_fails_half_way_leaves_nothing_behind(store):
    job, _ = store.add(NEW)
    running = store.move(job.id, JobState.RUNNING, EventKind.STARTED, {"tries": 1})
    with pytest.raises(TypeError):  # the event cannot be written, after the row already was
        store.move(job.id, JobState.FINISHED, EventKind.FINISHED, {"x": object()}, results=[StoredResult("", ())])
    assert store.get(job.id) == running
    assert store.results(job.id) == []
    assert len(store.events(job.id)) == 2


def test_the_error_of_a_failed_job_comes_back_as_its_class(store):
    job, _ = store.add(NEW)
    error = EngineFailed(engine="patch", reason="no")
    store.move(job.id, JobState.FAILED, EventKind.FAILED, error=error)
    assert store.get(job.id).error == error
    assert type(store.get(job.id).error) is EngineFailed
    assert store.events(job.id)[-1].data["error"]["slug"] == "engine-failed"


def test_unknown_jobs(store):
    for ask in (store.get, store.events, store.results, lambda j: store.note(j, EventKind.PROGRESS, {})):
        with pytest.raises(JobUnknown, match="no job nope"):
            ask("nope")


def test_lists_are_newest_first_and_by_client(store):
    ids = [store.add(numbered(n))[0].id for n in range(5)]
    assert [j.id for j in store.list()] == ids[::-1]
    assert [j.id for j in store.list(limit=2)] == [ids[4], ids[3]]
    assert [j.id for j in store.list("c1")] == [ids[3], ids[1]]
    store.move(ids[1], JobState.CANCELLED, EventKind.CANCELLED)
    store.move(ids[3], JobState.RUNNING, EventKind.STARTED)
    assert [j.id for j in store.unfinished()] == [ids[0], ids[2], ids[3], ids[4]]


def test_only_ended_jobs_are_deleted_and_their_events_go_with_them(store):
    ids = [store.add(numbered(n))[0].id for n in range(2)]
    store.move(ids[0], JobState.CANCELLED, EventKind.CANCELLED)
    store.delete(ids)
    assert [j.id for j in store.list()] == [ids[1]]
    assert store._db.execute("SELECT count(*) FROM event").fetchone()[0] == 1


def test_a_job_deleted_while_the_ended_ones_are_read(store, monkeypatch):
    job = store.add(NEW)[0].id
    store.move(job, JobState.CANCELLED, EventKind.CANCELLED)
    held, deleter = store._held, threading.Thread(target=store.delete, args=([job],))

    def held_a_little_later():
        deleter.start()
        deleter.join(0.2)
        return held()

    monkeypatch.setattr(store, "_held", held_a_little_later)
    assert [ended.job for ended in store.ended()] == [job]
    deleter.join()
    monkeypatch.undo()
    assert list(store.ended()) == []


def test_a_new_job_after_a_prune_never_gets_an_old_ones_number(store):
    first, _ = store.add(NEW)
    store.move(first.id, JobState.CANCELLED, EventKind.CANCELLED)
    store.delete([first.id])
    again, reused = store.add(NEW)
    assert not reused
    assert again.id != first.id
    assert len(store.events(again.id)) == 1


def test_everything_is_there_after_closing(tmp_path):
    first = Store(tmp_path / "jobs.db")
    job, _ = first.add(NEW)
    first.close()
    second = Store(tmp_path / "jobs.db")
    assert second.get(job.id) == job
    second.close()


def test_a_full_disk_is_told_and_changes_nothing(store):
    job, _ = store.add(NEW)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DiskFull):
        store.add(replace(NEW, request_id="r2", request="x" * 100_000))
    assert [j.id for j in store.list()] == [job.id]
    store._db.execute("PRAGMA max_page_count=1000000")
    assert not store.add(replace(NEW, request_id="r2", request="x" * 100_000))[1]


def shared(store: Store) -> None:
    """Let other programs at the file, as a file system without working locks would."""
    for pragma in ("journal_mode=DELETE", "locking_mode=NORMAL", "journal_mode=WAL", "busy_timeout=20"):
        store._db.execute(f"PRAGMA {pragma}").fetchall()


def test_a_file_that_another_program_locks_is_unavailable_for_so_long(store, tmp_path):
    shared(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="database is locked"):
            store.add(NEW)
        assert list(store.list()) == []
        other.execute("ROLLBACK")
    assert not store.add(NEW)[1]


class Broken:
    """A connection on a disk that fails at statements which begin so."""

    def __init__(self, db: sqlite3.Connection, *starts: str) -> None:
        self._db, self._starts = db, starts

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.startswith(self._starts):
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(statement, *values)

    def __getattr__(self, name: str):
        return getattr(self._db, name)


@pytest.mark.parametrize("starts", [("COMMIT",), ("COMMIT", "ROLLBACK"), ("INSERT",), ("BEGIN",)], ids="-".join)
def test_a_disk_that_fails_for_a_moment_leaves_nothing_half_done(store, starts):
    whole, store._db = store._db, Broken(store._db, *starts)
    with pytest.raises(StoreUnavailable, match="disk I/O error"):
        store.add(NEW)
    store._db = whole
    job, reused = store.add(NEW)
    assert not reused
    assert [j.id for j in store.list()] == [job.id]


def test_reading_from_a_disk_that_fails_is_told_in_the_same_way(store):
    store._db = Broken(store._db, "SELECT")
    with pytest.raises(StoreUnavailable):
        store.list()


def test_no_other_program_can_lock_the_file_of_a_server(store, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db", timeout=0, isolation_level=None)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert not store.add(NEW)[1]


def version(path) -> int:
    db = sqlite3.connect(path)
    (number,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return number


def test_a_migration_that_fails_half_way_leaves_the_former_version(tmp_path):
    path = tmp_path / "jobs.db"
    store = Store(path)
    job, _ = store.add(NEW)
    store.close()
    good = ("ALTER TABLE job ADD COLUMN note TEXT",)
    bad = ("ALTER TABLE job ADD COLUMN colour TEXT", "UPDATE job SET colour='red'", "SYNTAX ERROR")
    with pytest.raises(JobsUnreadable, match="SYNTAX"):
        Store(path, (*MIGRATIONS, good, bad))
    assert version(path) == len(MIGRATIONS) + 1
    db = sqlite3.connect(path)
    columns = {row[1] for row in db.execute("PRAGMA table_info(job)")}
    db.close()
    assert "note" in columns
    assert "colour" not in columns
    mended = Store(path, (*MIGRATIONS, good, bad[:2]))
    assert mended._db.execute("SELECT id, colour FROM job").fetchone()[:] == (job.id, "red")
    mended.close()
    assert version(path) == len(MIGRATIONS) + 2


def test_a_migration_that_is_killed_half_way_leaves_the_former_version(tmp_path):
    path = tmp_path / "jobs.db"
    Store(path).close()
    killed = (
        "import os, sqlite3, sys; from pathlib import Path; from frisket.jobs import store as s\n"
        "real = sqlite3.connect\n"
        "def connect(*a, **k):\n"
        "    db = real(*a, **k); db.create_function('die', 0, lambda: os.kill(os.getpid(), 9)); return db\n"
        "sqlite3.connect = connect\n"
        "s.Store(Path(sys.argv[1]), (*s.MIGRATIONS, ('ALTER TABLE job ADD COLUMN note TEXT', 'SELECT die()')))\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == -9
    store = Store(path)
    assert store._db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert not store.add(NEW)[1]
    assert "note" not in store._db.execute("SELECT * FROM job").fetchone().keys()  # noqa: SIM118
    store.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "jobs.db"
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(JobsUnreadable, match="version 99"):
        Store(path)
    assert version(path) == 99


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "jobs.db"
    path.write_bytes(b"these are not the jobs you look for" * 100)
    with pytest.raises(JobsUnreadable, match="not a database"):
        Store(path)
    assert path.read_bytes().startswith(b"these are not")


def test_settings_that_durability_rests_on(store):
    ask = store._db.execute
    assert ask("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ask("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert ask("PRAGMA foreign_keys").fetchone()[0] == 1
