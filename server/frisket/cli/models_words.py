"""One model as fields for programs and as a line for people: those of this machine and those of a server alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from frisket.models.catalogue import Entry, Licence, in_words
from frisket.models.record import Record


def of_record(record: Record) -> dict[str, object]:
    """An installed one."""
    return {
        "id": record.id,
        "state": "installed",
        "title": record.title,
        "family": record.family.value,
        "purposes": [p.value for p in record.purposes],
        "size": record.size,
        "memory_needed": record.memory_needed,
        "licence": of_licence(record.licence),
        "repository": record.repository,
        "commit": record.commit,
        "installed": record.installed,
    }


def of_entry(entry: Entry) -> dict[str, object]:
    """One that can be had."""
    return {
        "id": entry.id,
        "state": "available",
        "title": entry.title,
        "family": entry.family.value,
        "purposes": [p.value for p in entry.purposes],
        "size": entry.size,
        "memory_needed": entry.memory_needed,
        "licence": of_licence(entry.licence),
        "repository": entry.repository,
    }


def of_licence(licence: Licence) -> dict[str, object]:
    """name, link, commercial (its word), gated."""
    return {**asdict(licence), "commercial": licence.commercial.value}


def line(fields: Mapping[str, object]) -> str:
    """What `frisket models list` says of one of the above, or of a damaged one: id and state alone."""
    head = f"{fields['id']:22} {'pulling' if fields.get('pulling') else fields['state']:10}"
    if "licence" not in fields:
        return f"{head} {'':9}  its lock file cannot be read: `frisket models remove {fields['id']}`"
    licence, size = fields["licence"], fields["size"]
    assert isinstance(licence, dict)
    assert size is None or isinstance(size, int)
    gate = ", gated" if licence["gated"] else ""
    terms = f"{licence['name']} (commercial use: {licence['commercial']}{gate})"
    return f"{head} {in_words(size):>9}  {fields['title']}  -  {terms}"
