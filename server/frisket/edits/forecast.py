"""How long an edit will take, from how long others like it took here. A pure leaf; nothing known, nothing said."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from frisket.edits.requests import EditRequest
from frisket.raster.geometry import Box
from frisket.raster.sizes import SizeRule

LATEST = 10  # jobs that are looked at
LEAST = 0.05  # s: what took less says nothing of a larger one


Done = tuple[EditRequest, float]  # and the s that it took from start to end


def seconds(request: EditRequest, region: Box, rule: SizeRule, done: Iterable[Done]) -> float | None:
    """s for `request` on `region`, None when nothing like it was done yet.

    rule: of its engine. done: the latest jobs of the same task and engine, the newest
    first. The median of their paces counts: one that loaded the model first, or shared the machine, weighs little.
    """
    paces = [took / work(old, old.region, rule) for old, took in _first(done, LATEST) if took >= LEAST]
    return statistics.median(paces) * work(request, region, rule) if paces else None


def work(request: EditRequest, region: Box, rule: SizeRule) -> float:
    """What an engine has to do, in pixels of its own: the region at the size at which it works, for each step of each
    picture. At least 1."""
    area = max(region.area, rule.native_side**2 if rule.native_side else 0)
    if rule.max_pixels:
        area = min(area, rule.max_pixels)
    steps = request.engine_params.get("steps", 1)
    return max(1.0, area * request.count * (steps if isinstance(steps, (int, float)) else 1))


def _first(done: Iterable[Done], count: int) -> list[Done]:
    return [one for one, _ in zip(done, range(count), strict=False)]
