"""What a model hub says: the files of a repository at a revision, their sizes and hashes, and their bytes.

Spoken is the HTTP of huggingface.co and its mirrors: `/api/models/ORG/NAME/revision/REV?blobs=true` and
`/ORG/NAME/resolve/COMMIT/PATH`. The hub states a sha256 for large files and git's blob hash for small ones; a mirror
that states neither in its list is asked for each file's ETag. Nothing is fetched in offline mode.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from frisket.errors import HubAnswerWrong, HubGated, HubHasNot, HubOffline, HubRefused, ModelsFolderUnusable
from frisket.models.patience import Interrupted
from frisket.models.wire import TIMEOUT_S, Answer, Refused, request

HUB = "https://huggingface.co"
LARGEST_LIST = 64 << 20  # bytes of JSON
_HEX = re.compile(r"[0-9a-f]+")


class Hash(enum.Enum):
    """What the hub states about a file's bytes."""

    SHA256 = "sha256"
    GIT = "git"  # sha1 of "blob SIZE\\0" and the bytes


@dataclass(frozen=True, slots=True)
class Remote:
    """One file of a repository: path, size in bytes, hash; size and digest are None where a list does not say."""

    path: str
    size: int | None
    hash: Hash
    digest: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit (40 hex digits, so that later answers are of the same files)."""

    repository: str
    commit: str
    files: tuple[Remote, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub at `endpoint`. `offline` names the setting that forbids to ask it, or is empty."""

    endpoint: str = HUB
    token: str = field(default="", repr=False)
    offline: str = ""
    timeout: float = TIMEOUT_S

    def listing(self, repository: str, revision: str) -> Listing:
        """Raises Interrupted, HubOffline, HubGated, HubRefused, HubHasNot, HubAnswerWrong."""
        what = f"{repository} at {revision}"
        with self._ask(f"/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true", what) as answer:
            raw = self._whole(answer, LARGEST_LIST, what)
        try:
            fields = json.loads(raw)
            commit, files = str(fields["sha"]), tuple(_remote(f) for f in fields["siblings"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise HubAnswerWrong(endpoint=self.endpoint, what=what, reason="it is no list of files") from None
        if not (len(commit) == 40 and _HEX.fullmatch(commit)):
            raise HubAnswerWrong(endpoint=self.endpoint, what=what, reason="it names no commit")
        return Listing(repository, commit, files)

    def stated(self, listing: Listing, file: Remote) -> Remote:
        """`file` with size and digest, from its ETag when the list does not say. Raises as `listing`."""
        if file.size is not None and file.digest is not None:
            return file
        with self._ask(self._path(listing, file.path), file.path, method="HEAD") as answer:
            tag = answer.headers.get("x-linked-etag") or answer.headers.get("etag") or ""
            size = answer.headers.get("x-linked-size") or answer.headers.get("content-length") or ""
        digest = tag.removeprefix("W/").strip('"').lower()
        kind = {64: Hash.SHA256, 40: Hash.GIT}.get(len(digest))
        if kind is None or not _HEX.fullmatch(digest) or not size.isdigit():
            raise HubAnswerWrong(endpoint=self.endpoint, what=file.path, reason="it states no size and hash")
        return replace(file, size=int(size), hash=kind, digest=digest)

    def small(self, listing: Listing, path: str, limit: int = 1 << 20) -> bytes:
        """The bytes of a file of at most `limit` bytes. Raises as `listing`."""
        with self.open(listing, path) as answer:
            return self._whole(answer, limit, path)

    @contextlib.contextmanager
    def open(self, listing: Listing, path: str, start: int = 0) -> Iterator[Answer]:
        """The bytes of a file from `start` on (status 206), or from 0 when the server knows no ranges (status 200).

        Raises as `listing`, and Refused with status 416 when there is nothing from `start` on.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._ask(self._path(listing, path), path, headers=headers) as answer:
            yield answer

    def _path(self, listing: Listing, path: str) -> str:
        return f"/{listing.repository}/resolve/{listing.commit}/{quote(path)}"

    @contextlib.contextmanager
    def _ask(
        self, path: str, what: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        if self.offline:
            raise HubOffline(what=what, setting=self.offline)
        sent = {"User-Agent": "frisket", **(headers or {})}
        if self.token and self._is_private():
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            with request(self.endpoint + path, sent, method, self.timeout) as answer:
                yield answer
        except Refused as refused:
            if refused.status == 416:
                raise
            raise self._error(refused, path, what) from None

    def _is_private(self) -> bool:
        """Whether a token may travel: encrypted, or within this machine."""
        parts = urlsplit(self.endpoint)
        return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")

    def _error(self, refused: Refused, path: str, what: str) -> Exception:
        repository = "/".join(path.removeprefix("/api/models").split("/")[1:3])
        token = "the token sent may not read it" if self.token and self._is_private() else "no token was sent"
        if refused.status in (401, 403) and refused.code == "GatedRepo":
            return HubGated(repository=repository, token=token, page=f"{self.endpoint}/{repository}")
        if refused.status in (401, 403):
            return HubRefused(endpoint=self.endpoint, status=refused.status, what=what, token=token)
        if refused.status in (404, 410):
            return HubHasNot(endpoint=self.endpoint, what=what)
        reason = f"it answered {refused.status} {refused.code}".rstrip() if refused.status else refused.code
        return HubAnswerWrong(endpoint=self.endpoint, what=what, reason=reason)

    def _whole(self, answer: Answer, limit: int, what: str) -> bytes:
        pieces, left = [], limit + 1
        while left and (piece := answer.read(min(left, 1 << 16))):
            pieces.append(piece)
            left -= len(piece)
        length = answer.headers.get("content-length", "")
        if length.isdigit() and limit + 1 - left < min(int(length), limit + 1):
            raise Interrupted("the connection was cut")
        if not left:
            raise HubAnswerWrong(endpoint=self.endpoint, what=what, reason=f"it is longer than {limit} bytes")
        return b"".join(pieces)


def hub_of(env: Mapping[str, str], settings: Path) -> Hub:
    """The hub that the environment names, else the file `settings` ({"endpoint": ..., "offline": ...}), else HUB.

    Read are HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN, and the token file: HF_TOKEN_PATH, else HF_HOME/token, else
    huggingface/token in the user's cache folder. Raises ModelsFolderUnusable when a setting makes no sense.
    """
    kept = _settings(settings)
    endpoint = (env.get("HF_ENDPOINT") or str(kept.get("endpoint") or HUB)).rstrip("/")
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelsFolderUnusable(folder=settings.parent, reason=f"the hub's endpoint cannot be {endpoint!r}")
    offline = "HF_HUB_OFFLINE" if env.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on") else ""
    if not offline and kept.get("offline"):
        offline = str(settings)
    return Hub(endpoint, env.get("HF_TOKEN", "").strip() or _kept_token(env), offline)


def _settings(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ModelsFolderUnusable(folder=path.parent, reason=f"{path.name} cannot be read as a JSON object")
    return fields


def _kept_token(env: Mapping[str, str]) -> str:
    home = Path(env.get("HOME") or env.get("USERPROFILE") or Path.home())
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    path = Path(env.get("HF_TOKEN_PATH") or Path(env.get("HF_HOME") or cache / "huggingface") / "token")
    with contextlib.suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8").strip()
    return ""


def _remote(fields: dict[str, Any]) -> Remote:
    path, large = str(fields["rfilename"]), fields.get("lfs") or {}
    size, kind, digest = fields.get("size"), Hash.GIT, fields.get("blobId")
    if large.get("sha256"):
        size, kind, digest = large.get("size", size), Hash.SHA256, large["sha256"]
    if (size is not None and (type(size) is not int or size < 0)) or not isinstance(digest, str | None):
        raise ValueError("a size or hash that makes no sense")
    return Remote(path, size, kind, digest.lower() if digest else None)


def hasher(kind: Hash, size: int) -> hashlib._Hash:
    """What is to be fed with a file of `size` bytes to get its digest."""
    if kind is Hash.SHA256:
        return hashlib.sha256()
    made = hashlib.sha1(usedforsecurity=False)
    made.update(b"blob %d\0" % size)
    return made
