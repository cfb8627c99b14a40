"""Rows and events of jobs in SQLite: the only file with SQL. A move writes row and event in one transaction."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from frisket.errors import DiskFull, FrisketError, JobsUnreadable, JobUnknown, RequestIdReused, StoreUnavailable
from frisket.jobs.records import (
    Event,
    EventKind,
    Job,
    JsonObject,
    NewJob,
    StoredResult,
    error_fields,
    error_from_fields,
)
from frisket.jobs.retention import Ended
from frisket.jobs.states import JobState, check_move

# Statements by version, from 1 on. What was released is never changed, only followed by another version.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE job (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, request_id TEXT NOT NULL UNIQUE,
            digest TEXT NOT NULL, client TEXT NOT NULL, task TEXT NOT NULL, engine TEXT NOT NULL, request TEXT NOT NULL,
            inputs TEXT NOT NULL, input_bytes INTEGER NOT NULL, state TEXT NOT NULL, created REAL NOT NULL,
            started REAL, ended REAL, tries INTEGER NOT NULL DEFAULT 0, last_sequence INTEGER NOT NULL DEFAULT 0,
            result_count INTEGER NOT NULL DEFAULT 0, error TEXT)""",
        "CREATE INDEX job_by_client ON job (client, number)",
        "CREATE INDEX job_by_state ON job (state, number)",
        """CREATE TABLE event (
            job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE, sequence INTEGER NOT NULL,
            time REAL NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
            PRIMARY KEY (job, sequence)) WITHOUT ROWID""",
        """CREATE TABLE result (
            job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE, position INTEGER NOT NULL,
            meta TEXT NOT NULL, planes TEXT NOT NULL,
            PRIMARY KEY (job, position)) WITHOUT ROWID""",
    ),
)
BUSY_TIMEOUT_MS = 3000
PRAGMAS = (
    "locking_mode=EXCLUSIVE",  # one server owns the file: a backup or a shell must not stop its work
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "foreign_keys=ON",
)
PASSING = ("locked", "locking protocol", "disk I/O error", "readonly database", "unable to open")  # in SQLite's words
FINAL = tuple(state.value for state in JobState if state.final)
UNFINISHED = tuple(state.value for state in JobState if not state.final)


class Store:
    """The jobs of one server. Every method may be called from any thread; each blocks for about one fsync at most.

    Every method may raise StoreUnavailable: the same call may work later.
    """

    def __init__(self, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
        """Open or make the file and bring it up to date. Raises JobsUnreadable, DiskFull."""
        self._path, self._lock = path, threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        try:
            self._prepare(migrations)
        except (sqlite3.DatabaseError, StoreUnavailable) as error:
            self._db.close()
            reason = error.data["reason"] if isinstance(error, StoreUnavailable) else str(error)
            raise JobsUnreadable(path=path, reason=reason) from error
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # --- changes -----------------------------------------------------------------------------------------------------

    def add(self, new: NewJob, position: int = 0) -> tuple[Job, bool]:
        """Take a job, with its QUEUED event. The flag is True when it had been taken before (see `find`)."""
        with self._transaction():
            known = self.find(new)
            if known is not None:
                return known, True
            job_id, inputs, queued = uuid.uuid4().hex, json.dumps(dict(new.inputs)), JobState.QUEUED.value
            asked = (new.request_id, new.digest, new.client, new.task, new.engine, new.request)
            self._db.execute(
                "INSERT INTO job (id, request_id, digest, client, task, engine, request, inputs, input_bytes, state,"
                " created) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (job_id, *asked, inputs, new.input_bytes, queued, time.time()),
            )
            self._record(job_id, JobState.QUEUED, EventKind.QUEUED, {"position": position})
            return self.get(job_id), False

    def move(
        self,
        job_id: str,
        to: JobState,
        kind: EventKind,
        data: JsonObject | None = None,
        *,
        error: FrisketError | None = None,
        results: Sequence[StoredResult] = (),
    ) -> Job:
        """Take a job to another state, with its event and results, all or nothing. `error` is added to the data.

        To RUNNING counts a try. Raises JobUnknown, states.MoveNotAllowed, DiskFull.
        """
        told = dict(data or {})
        with self._transaction():
            check_move(job_id, self.get(job_id).state, to)
            if error is not None:
                told["error"] = error_fields(error)
                self._db.execute("UPDATE job SET error=? WHERE id=?", (json.dumps(told["error"]), job_id))
            if to is JobState.RUNNING:
                self._db.execute("UPDATE job SET tries=tries+1, started=? WHERE id=?", (time.time(), job_id))
            if to.final:
                self._db.execute("UPDATE job SET ended=? WHERE id=?", (time.time(), job_id))
            self._db.execute("UPDATE job SET state=?, result_count=? WHERE id=?", (to.value, len(results), job_id))
            self._db.executemany(
                "INSERT INTO result SELECT number, ?, ?, ? FROM job WHERE id=?",
                [(i, r.meta, json.dumps(r.planes), job_id) for i, r in enumerate(results)],
            )
            self._record(job_id, to, kind, told)
            return self.get(job_id)

    def note(self, job_id: str, kind: EventKind, data: JsonObject) -> None:
        """Record an event that leaves the state as it is. Raises JobUnknown, DiskFull."""
        with self._transaction():
            self._record(job_id, self.get(job_id).state, kind, data)

    def delete(self, job_ids: Iterable[str]) -> None:
        """Forget jobs that have ended, with events and results; others stay."""
        marks = ",".join("?" * len(FINAL))
        with self._transaction():
            self._db.executemany(f"DELETE FROM job WHERE id=? AND state IN ({marks})", [(i, *FINAL) for i in job_ids])

    # --- questions ---------------------------------------------------------------------------------------------------

    def find(self, new: NewJob) -> Job | None:
        """The job that this very request became, if it was taken before. Raises RequestIdReused."""
        job = self.taken(new.request_id)
        if job is not None and job.digest != new.digest:
            raise RequestIdReused(request_id=new.request_id, job=job.id)
        return job

    def taken(self, request_id: str) -> Job | None:
        """The job that was taken under this id, whatever it asked for."""
        rows = self._rows("SELECT * FROM job WHERE request_id=?", request_id)
        return _job(rows[0]) if rows else None

    def get(self, job_id: str) -> Job:
        """Raises JobUnknown."""
        rows = self._rows("SELECT * FROM job WHERE id=?", job_id)
        if not rows:
            raise JobUnknown(job=job_id)
        return _job(rows[0])

    def events(self, job_id: str, after: int = 0) -> Sequence[Event]:
        """Events with a sequence above `after`, in order. Raises JobUnknown."""
        number = self._number(job_id)
        rows = self._rows("SELECT * FROM event WHERE job=? AND sequence>? ORDER BY sequence", number, after)
        return [
            Event(r["sequence"], r["time"], JobState(r["state"]), EventKind(r["kind"]), json.loads(r["data"]))
            for r in rows
        ]

    def results(self, job_id: str) -> Sequence[StoredResult]:
        """In order; empty unless FINISHED. Raises JobUnknown."""
        rows = self._rows("SELECT * FROM result WHERE job=? ORDER BY position", self._number(job_id))
        return [StoredResult(r["meta"], tuple(json.loads(r["planes"]))) for r in rows]

    def list(self, client: str = "", limit: int = 100) -> Sequence[Job]:
        """Newest first. client: only of this one; empty = all."""
        if client:
            rows = self._rows("SELECT * FROM job WHERE client=? ORDER BY number DESC LIMIT ?", client, limit)
        else:
            rows = self._rows("SELECT * FROM job ORDER BY number DESC LIMIT ?", limit)
        return [_job(r) for r in rows]

    def unfinished(self) -> Sequence[Job]:
        """QUEUED and RUNNING, oldest first."""
        marks = ",".join("?" * len(UNFINISHED))
        return [_job(r) for r in self._rows(f"SELECT * FROM job WHERE state IN ({marks}) ORDER BY number", *UNFINISHED)]

    def ended(self) -> Sequence[Ended]:
        """Jobs in a final state, with the blobs they hold, oldest end first."""
        marks = ",".join("?" * len(FINAL))
        with self._lock:  # no job may be deleted between the two
            rows = self._rows(f"SELECT id, ended FROM job WHERE state IN ({marks}) ORDER BY ended, number", *FINAL)
            held = self._held()
        return [Ended(r["id"], r["ended"], frozenset(held[r["id"]])) for r in rows]

    def blobs(self) -> set[str]:
        """Names of all blobs that some job holds."""
        return set().union(*self._held().values())

    # --- inside ------------------------------------------------------------------------------------------------------

    def _prepare(self, migrations: Sequence[Sequence[str]]) -> None:
        for pragma in PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}")
        (have,) = self._db.execute("PRAGMA user_version").fetchone()
        if have > len(migrations):
            reason = f"it is of version {have}, this server knows up to {len(migrations)}"
            raise JobsUnreadable(path=self._path, reason=reason)
        for version, statements in enumerate(migrations[have:], start=have + 1):
            with self._transaction():
                for statement in statements:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={version}")  # part of the transaction, as all of the header

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and alone."""
        with self._lock, self._asking():
            if self._db.in_transaction:  # one that could not even be undone
                self._db.execute("ROLLBACK")
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Raises DiskFull and StoreUnavailable in place of SQLite's errors for what may pass."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "disk is full" in str(error):
                folder = self._path.parent
                raise DiskFull(folder=folder, free=shutil.disk_usage(folder).free, needed="some more") from error
            if any(words in str(error) for words in PASSING):
                raise StoreUnavailable(path=self._path, reason=str(error)) from error
            raise

    def _record(self, job_id: str, state: JobState, kind: EventKind, data: JsonObject) -> None:
        self._db.execute("UPDATE job SET last_sequence=last_sequence+1 WHERE id=?", (job_id,))
        self._db.execute(
            "INSERT INTO event SELECT number, last_sequence, ?, ?, ?, ? FROM job WHERE id=?",
            (time.time(), state.value, kind.value, json.dumps(dict(data)), job_id),
        )

    def _rows(self, query: str, *values: object) -> Sequence[sqlite3.Row]:
        with self._lock, self._asking():
            return self._db.execute(query, values).fetchall()

    def _number(self, job_id: str) -> int:
        rows = self._rows("SELECT number FROM job WHERE id=?", job_id)
        if not rows:
            raise JobUnknown(job=job_id)
        return rows[0]["number"]

    def _held(self) -> Mapping[str, set[str]]:
        held: dict[str, set[str]] = {}
        with self._lock:
            for row in self._rows("SELECT id, inputs FROM job"):
                held[row["id"]] = set(json.loads(row["inputs"]).values())
            for row in self._rows("SELECT job.id, result.planes FROM result JOIN job ON job.number=result.job"):
                held[row["id"]].update(json.loads(row["planes"]))
        return held


def _job(row: sqlite3.Row) -> Job:
    fields: dict[str, Any] = dict(row)
    del fields["number"]
    error = fields.pop("error")
    return Job(
        **fields
        | {
            "state": JobState(fields["state"]),
            "inputs": json.loads(fields["inputs"]),
            "error": None if error is None else error_from_fields(json.loads(error)),
        }
    )
