import json
from dataclasses import replace

from frisket.errors import DiskFull, Kind, UnknownError
from frisket.jobs.records import NewJob, error_fields, error_from_fields

NEW = NewJob("r1", "gimp", "inpaint", "patch", '{"seed": 1}', {"pixels": "aa", "mask": "bb"}, 10)


def test_the_digest_covers_what_affects_the_picture_and_nothing_else():
    same = [replace(NEW, request_id="r2"), replace(NEW, client="cli"), replace(NEW, input_bytes=11)]
    other = [
        replace(NEW, task="outpaint"),
        replace(NEW, engine="diffusion"),
        replace(NEW, request='{"seed": 2}'),
        replace(NEW, inputs={"pixels": "aa", "mask": "cc"}),
        replace(NEW, inputs={"pixels": "bb", "mask": "aa"}),
    ]
    assert {n.digest for n in same} == {NEW.digest}
    assert len({n.digest for n in [NEW, *other]}) == 6
    assert replace(NEW, inputs={"mask": "bb", "pixels": "aa"}).digest == NEW.digest


def test_the_digest_is_the_same_in_every_version():
    # stored in databases: a change here would refuse honest retries of jobs taken before it
    assert NEW.digest == "a2eecc370133892be176de7644f57142d8de17807766ff68fa048cdd933b8f3b"


def test_errors_survive_json():
    error = DiskFull(folder="/x", free=1, needed=2)
    back = error_from_fields(json.loads(json.dumps(error_fields(error))))
    assert type(back) is DiskFull
    assert back == error


def test_an_error_of_a_newer_version_keeps_its_words():
    fields = error_fields(DiskFull(folder="/x", free=1, needed=2)) | {"slug": "sun-too-bright", "cause": "It is."}
    back = error_from_fields(fields)
    assert isinstance(back, UnknownError)
    assert (back.slug, back.kind, back.cause) == ("sun-too-bright", Kind.BUSY, "It is.")
