"""Files at addresses of their own, such as the releases of a repository of code: a hub of which only bytes are wanted.

Such a site states no hash that is worth anything; the catalogue's size and sha256 are what counts, and an entry with
addresses must give both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from frisket.models.catalogue import Entry
from frisket.models.hub import Hash, Hub, Listing, Remote


@dataclass(frozen=True, slots=True)
class Site(Hub):
    """`addresses`: path within the model -> path on the server at `endpoint`. No token is ever sent."""

    addresses: Mapping[str, str] = field(default_factory=dict)

    def _path(self, listing: Listing, path: str) -> str:
        return self.addresses[path]


def site_of(entry: Entry, hub: Hub) -> Site:
    """Where the files of an entry with addresses lie; as patient and as offline as `hub`."""
    parts = [urlsplit(file.url) for file in entry.files]
    endpoint = f"{parts[0].scheme}://{parts[0].netloc}"
    paths = {file.path: quote(unquote(part.path)) for file, part in zip(entry.files, parts, strict=True)}
    return Site(endpoint, offline=hub.offline, timeout=hub.timeout, addresses=paths)


def listing_of(entry: Entry) -> Listing:
    """What the catalogue says of those files, as a hub would; nobody is asked."""
    return Listing("", "", tuple(Remote(file.path, file.size, Hash.SHA256, file.sha256) for file in entry.files))
