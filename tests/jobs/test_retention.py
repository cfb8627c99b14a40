from frisket.jobs.retention import Ended, Retention

SIZES = {"a": 10, "b": 20, "c": 30, "shared": 100}


def ended(job: str, at: float, *blobs: str) -> Ended:
    return Ended(job, at, frozenset(blobs))


def expired(retention: Retention, jobs: list[Ended], now: float) -> set[str]:
    return set(retention.expired(jobs, SIZES.__getitem__, now))


JOBS = [ended("old", 100, "a"), ended("mid", 200, "b"), ended("new", 300, "c")]


def test_by_age_counted_from_the_end():
    retention = Retention(max_age_s=150, max_bytes=10**9, keep_jobs=0)
    assert expired(retention, JOBS, now=300) == {"old"}
    assert expired(retention, JOBS, now=350) == {"old"}
    assert expired(retention, JOBS, now=351) == {"old", "mid"}


def test_by_bytes_the_oldest_go():
    assert expired(Retention(max_bytes=60), JOBS, now=300) == set()
    assert expired(Retention(max_bytes=59), JOBS, now=300) == {"old"}
    assert expired(Retention(max_bytes=49), JOBS, now=300) == {"old", "mid"}


def test_a_clock_that_is_wrong_never_costs_the_newest():
    assert expired(Retention(max_age_s=150, keep_jobs=2), JOBS, now=10**9) == {"old"}
    many = [ended(str(n), n) for n in range(25)]
    assert expired(Retention(), many, now=8 * 24 * 3600.0 + 25) == {str(n) for n in range(5)}


def test_the_newest_always_fits():
    assert expired(Retention(max_bytes=29), JOBS, now=300) == {"old", "mid"}
    assert expired(Retention(max_bytes=0), JOBS, now=300) == {"old", "mid"}


def test_what_jobs_share_is_counted_once():
    jobs = [ended("old", 100, "shared", "a"), ended("new", 300, "shared", "c")]
    assert expired(Retention(max_bytes=140), jobs, now=300) == set()
    assert expired(Retention(max_bytes=139), jobs, now=300) == {"old"}


def test_an_older_job_never_outlives_a_newer_one():
    jobs = [ended("tiny old", 100), ended("big mid", 200, "shared"), ended("new", 300, "a")]
    assert expired(Retention(max_bytes=50), jobs, now=300) == {"tiny old", "big mid"}
