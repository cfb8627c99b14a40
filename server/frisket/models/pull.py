"""A whole model into the folder: what is to be fetched, whether it fits, file after file, into place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from frisket.errors import HubBytesWrong, HubHasNot, LicenceNotAccepted
from frisket.models import networks
from frisket.models.catalogue import Entry
from frisket.models.choice import INDEX, choose, components
from frisket.models.download import Wanted, fetch
from frisket.models.folder import Folder, Report, silent
from frisket.models.hub import Hash, Hub, Listing, Remote
from frisket.models.patience import Patience
from frisket.models.record import Held, Record
from frisket.models.site import listing_of, site_of

PATIENT = Patience()
FIRST_TRIES = 3  # before anything has arrived: a dead network is told after some seconds


def pull(
    folder: Folder,
    entry: Entry,
    hub: Hub,
    accepted: bool,
    patience: Patience = PATIENT,
    report: Report = silent,
) -> Record:
    """Install `entry`, or bring it to the revision that the hub has now; what is there already is not fetched again.

    `accepted`: the user has accepted the licence. `report` is also told in the pauses between asking the hub again what
    there is: 0 of 0 bytes, at "". Raises LicenceNotAccepted, ModelBusy, NoRoomForModel, HubOffline,
    HubUnreachable, HubGated, HubRefused, HubHasNot, HubAnswerWrong, HubBytesWrong, ModelFileUnusable, Cancelled. After
    each of them the model that was installed before is as it was, and the next pull goes on with what has arrived.
    """
    check_accepted(entry, accepted)

    def asking() -> None:
        report(0, 0, "")

    brief = replace(patience, tries=min(FIRST_TRIES, patience.tries))
    with folder.claim(entry.id):
        if entry.repository:
            listing = brief.insist(lambda: hub.listing(entry.repository, entry.revision), hub.endpoint, asking)
        else:
            hub, listing = site_of(entry, hub), listing_of(entry)
        wanted = plan(entry, hub, listing, brief, asking)
        staging = folder.staging(entry.id)
        staging.mkdir(parents=True, exist_ok=True)
        _reuse(folder, entry.id, wanted, staging)
        folder.make_room(entry.id, sum(want.size - want.arrived(staging) for want in wanted))
        held = _fetch_all(hub, listing, wanted, staging, patience, report)
        networks.check(staging, [file.path for file in held], entry.family)
        made = _record(entry, hub, listing, held)
        folder.install(made)
    return made


def check_accepted(entry: Entry, accepted: bool) -> None:
    """Raises LicenceNotAccepted, with the licence's name and link."""
    if not accepted:
        licence = entry.licence
        raise LicenceNotAccepted(
            model=entry.id, licence=licence.name, link=licence.link, commercial=licence.commercial.value
        )


def plan(
    entry: Entry, hub: Hub, listing: Listing, patience: Patience, check: Callable[[], None] = lambda: None
) -> tuple[Wanted, ...]:
    """The files to have, each with size and hash: the catalogue's where it gives them, else the hub's.

    `check` is called in pauses. Raises HubHasNot, HubBytesWrong (the hub states another hash than the catalogue),
    ModelFileUnusable, and as `Hub`.
    """
    have = {file.path: file for file in listing.files}
    pinned = {file.path: file for file in entry.files}
    paths = tuple(pinned) or _chosen(hub, listing, have, patience, check)
    wanted = []
    for path in paths:
        if path not in have:
            raise HubHasNot(endpoint=hub.endpoint, what=f"{path} in {entry.repository} at {listing.commit}")
        stated = patience.insist(lambda file=have[path]: hub.stated(listing, file), hub.endpoint, check)
        assert stated.size is not None
        assert stated.digest is not None
        want = Wanted(path, stated.size, stated.hash, stated.digest)
        if path in pinned:
            want = _pinned(want, pinned[path].size, pinned[path].sha256, hub)
        wanted.append(want)
    return tuple(wanted)


def _chosen(
    hub: Hub, listing: Listing, have: Mapping[str, Remote], patience: Patience, check: Callable[[], None]
) -> tuple[str, ...]:
    folders = {""}
    if INDEX in have:
        index = patience.insist(lambda: hub.small(listing, INDEX), hub.endpoint, check)
        folders |= set(components(index, listing.repository))
    return choose(have, folders, listing.repository)


def _pinned(want: Wanted, size: int | None, sha256: str | None, hub: Hub) -> Wanted:
    if size is not None and size != want.size:
        reason = f"it states {want.size} bytes, the catalogue {size}"
        raise HubBytesWrong(path=want.path, endpoint=hub.endpoint, reason=reason)
    if sha256 is None:
        return want
    if want.hash is Hash.SHA256 and want.digest != sha256:
        reason = "it states another sha256 than the catalogue"
        raise HubBytesWrong(path=want.path, endpoint=hub.endpoint, reason=reason)
    return replace(want, hash=Hash.SHA256, digest=sha256)


def _reuse(folder: Folder, model: str, wanted: tuple[Wanted, ...], staging: Path) -> None:
    """Take files of the installed version that are wanted again, as second names of the same bytes."""
    installed = folder.path(model)
    for want in wanted:
        old, new = installed / want.path, staging / want.path
        if want.arrived(staging) or not old.is_file() or old.stat().st_size != want.size:
            continue
        new.parent.mkdir(parents=True, exist_ok=True)
        _link_or_leave(old, new)


def _link_or_leave(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without hard links: it is fetched again
        return


def _fetch_all(
    hub: Hub, listing: Listing, wanted: tuple[Wanted, ...], staging: Path, patience: Patience, report: Report
) -> tuple[Held, ...]:
    total, before = sum(want.size for want in wanted), 0
    held = []
    for want in wanted:
        report(before, total, want.path)

        def arrived(done: int, want: Wanted = want, before: int = before) -> None:
            report(before + done, total, want.path)

        held.append(fetch(hub, listing, want, staging, patience, arrived))
        before += want.size
    return tuple(held)


def _record(entry: Entry, hub: Hub, listing: Listing, held: tuple[Held, ...]) -> Record:
    return Record(
        id=entry.id,
        title=entry.title,
        family=entry.family,
        purposes=entry.purposes,
        licence=entry.licence,
        files=held,
        installed=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        repository=entry.repository,
        revision=entry.revision,
        commit=listing.commit,
        endpoint=hub.endpoint,
        source="" if entry.repository else entry.source,
        memory_needed=entry.memory_needed,
        defaults=entry.defaults,
    )
