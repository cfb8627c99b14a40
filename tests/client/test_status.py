"""Every gRPC status becomes an error that a user can act on."""

import pytest

from frisket.client.status import StatusCode, error_from_status
from frisket.errors import (
    Cancelled,
    FrisketError,
    ImageTooLarge,
    Kind,
    ServerUnreachable,
    TokenWrong,
    UnknownError,
    VersionMismatch,
)
from frisket.rpc.stubs import jobs_pb2

ADDRESS = "127.0.0.1:7000"


def wire_form(error: FrisketError) -> bytes:
    fields = {"slug": error.slug, "kind": error.kind.value, "title": error.title, "cause": error.cause}
    return jobs_pb2.Error(**fields, remedy=error.remedy, data=error.data).SerializeToString()


def test_details_win_over_the_code():
    sent = ImageTooLarge(width=1, height=2, megapixels=3, limit=4, side=5)
    assert error_from_status(StatusCode.UNAVAILABLE, "whatever", wire_form(sent), ADDRESS) == sent


def test_a_newer_server_keeps_its_words():
    newer = jobs_pb2.Error(slug="moon-full", kind="busy", title="Full moon", cause="It shines.", remedy="Wait.")
    error = error_from_status(StatusCode.INTERNAL, "", newer.SerializeToString(), ADDRESS)
    assert isinstance(error, UnknownError)
    assert (error.slug, error.kind, str(error)) == ("moon-full", Kind.BUSY, "Full moon: It shines. Wait.")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (StatusCode.CANCELLED, Cancelled()),
        (StatusCode.DEADLINE_EXCEEDED, ServerUnreachable(address=ADDRESS, reason="no answer in time")),
        (StatusCode.UNAVAILABLE, ServerUnreachable(address=ADDRESS, reason="unavailable")),
        (StatusCode.UNAUTHENTICATED, TokenWrong()),
        (StatusCode.PERMISSION_DENIED, TokenWrong()),
    ],
)
@pytest.mark.parametrize("details", [None, b"", b"\xff\xff not a message"])
def test_bare_codes(code, wanted, details):
    assert error_from_status(code, "", details, ADDRESS) == wanted


def test_a_missing_method_is_another_version():
    error = error_from_status(StatusCode.UNIMPLEMENTED, "Method not found!", None, ADDRESS)
    assert isinstance(error, VersionMismatch)
    assert "Method not found!" in error.cause
    assert "The server is older" not in error.remedy
    assert "not Frisket: check the address" in error.remedy


@pytest.mark.parametrize("code", [c for c in StatusCode if c is not StatusCode.OK] + [99])
def test_no_code_is_left_out(code):
    error = error_from_status(code, "some words", None, ADDRESS)
    assert error.title
    assert error.cause
    assert error.remedy
    if isinstance(error, UnknownError):
        assert "some words" in error.cause
        assert ADDRESS in error.cause
        assert error.slug.startswith("grpc-")
