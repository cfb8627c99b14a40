"""What is given up, in which order, when memory runs out; and how a run climbs down to where it fits.

Policy alone: no torch, nothing is freed or moved here. `placing` has the acts, `budget` foresees what is needed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from frisket.engines.diffusion.table import ONE_BY_ONE, OWN_SIZE, Row
from frisket.engines.spec import Degradation, DegradationKind, Report
from frisket.raster.geometry import Size
from frisket.raster.sizes import SizeRule

SMALLER = 0.75  # of each side, each time
LEAST = 0.5  # of the native side: smaller pictures are not what a model was trained on
TILE = 512  # px, the side of what a VAE works on at once when it works in tiles

T = TypeVar("T")


class Rung(enum.Enum):
    """In the order in which they are taken: the later, the slower or the further from what was asked for."""

    FREE_CACHES = "free-caches"  # what is kept for speed, models that nothing uses, networks that read words
    VAE_TILES = "vae-tiles"
    ONE_BY_ONE = "one-by-one"
    SMALLER_SIZE = "smaller-size"  # the only one that is taken more than once
    MODEL_OFFLOAD = "model-offload"  # one network at a time is on the card
    GROUP_OFFLOAD = "group-offload"  # one layer at a time is
    CPU = "cpu"


KEPT = frozenset({Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD})  # for a model that did not fit: it will not next time


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run is made: the rungs taken, and how many times SMALLER_SIZE was."""

    rungs: frozenset[Rung] = frozenset()
    shrunk: int = 0

    def after(self, rung: Rung) -> Setting:
        return Setting(self.rungs | {rung}, self.shrunk + (rung is Rung.SMALLER_SIZE))

    def without(self, rung: Rung) -> Setting:
        return Setting(self.rungs - {rung}, 0 if rung is Rung.SMALLER_SIZE else self.shrunk)

    @property
    def kept(self) -> Setting:
        """What the model's next run begins with."""
        return Setting(self.rungs & KEPT)

    @property
    def apart(self) -> bool:
        """The weights are not all on the card."""
        return bool(self.rungs & KEPT)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which rungs a run has below it. shrinks: how often SMALLER_SIZE can be taken."""

    rungs: frozenset[Rung]
    shrinks: int = 0

    def next(self, setting: Setting) -> Rung | None:
        """The rung after those taken, None after the last."""
        for rung in Rung:
            again = (
                rung is Rung.SMALLER_SIZE and setting.shrunk < self.shrinks and not setting.rungs & (KEPT | {Rung.CPU})
            )
            if rung in self.rungs and (again or rung not in setting.rungs):
                return rung
        return None


def reach_of(row: Row, rule: SizeRule, size: Size, count: int, *, tiles: bool, card: bool) -> Reach:
    """What can be given up in a run of `count` pictures of `size`.

    tiles: the model has a VAE that can work in tiles. card: it runs on one, and not on the processor.
    """
    able = {Rung.FREE_CACHES}
    if tiles and (count > 1 or size.longer > TILE):
        able.add(Rung.VAE_TILES)
    if count > 1 and row.pipeline not in ONE_BY_ONE:
        able.add(Rung.ONE_BY_ONE)
    shrinks = 0
    if row.pipeline not in OWN_SIZE:
        while _may_shrink(rule, size, shrinks + 1):
            shrinks += 1
    if shrinks:
        able.add(Rung.SMALLER_SIZE)
    if card:
        able |= {Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD, Rung.CPU}
    return Reach(frozenset(able), shrinks)


def smaller(size: Size, rule: SizeRule, times: int) -> Size:
    """`size` after SMALLER_SIZE was taken `times` times: both sides are multiples, none is below the smallest."""
    if not times:
        return size
    least = -(-rule.min_side // rule.multiple) * rule.multiple
    sides = (
        max(least, int(side * SMALLER**times) // rule.multiple * rule.multiple) for side in (size.width, size.height)
    )
    return Size(*sides)


def _may_shrink(rule: SizeRule, size: Size, times: int) -> bool:
    before, after = smaller(size, rule, times - 1), smaller(size, rule, times)
    return after.area < before.area and after.longer >= LEAST * rule.native_side


def climb(
    attempt: Callable[[Setting], T], reach: Reach, ran_out: Callable[[Exception], bool], start: Setting | None = None
) -> tuple[T, Setting]:
    """What `attempt` gives, and the setting with which it came through; one rung more each time memory runs out.

    ran_out: whether an error says so. Raises MemoryError after the last rung, and whatever else `attempt` raises.
    """
    setting = start or Setting()
    while True:
        try:
            return attempt(setting), setting
        except Exception as error:
            if not ran_out(error):
                raise
            rung = reach.next(setting)
            if rung is None:
                raise MemoryError(str(error)) from error
        # Here the error is gone, and with it the frames that held what was made so far.
        setting = setting.after(rung)


def tell(report: Report, setting: Setting, asked: Size, worked: Size, count: int, card: bool) -> None:
    """Every rung that the run took, with its numbers. asked: the working size without the ladder. card: it ran on one,
    or would have."""
    left = card and not setting.rungs & {*KEPT, Rung.CPU}
    words: Mapping[Rung, tuple[DegradationKind, str]] = {
        Rung.FREE_CACHES: (
            DegradationKind.OFFLOADED,
            "Memory was short: idle models and what was kept for speed were put away"
            + (", and the networks that read words left the card when they had." if left else "."),
        ),
        Rung.VAE_TILES: (
            DegradationKind.TILED,
            f"Memory was short: pictures were encoded and decoded in tiles of at most {TILE} px, one at a time.",
        ),
        Rung.ONE_BY_ONE: (
            DegradationKind.ONE_BY_ONE,
            f"Memory was short: the {count} pictures were made one after the other.",
        ),
        Rung.SMALLER_SIZE: (
            DegradationKind.SMALLER_SIZE,
            f"Memory was short: it worked at {worked.width} x {worked.height} px instead of "
            f"{asked.width} x {asked.height} and was enlarged.",
        ),
        Rung.MODEL_OFFLOAD: (
            DegradationKind.OFFLOADED,
            "Memory was short: the model's networks were moved to the card one at a time.",
        ),
        Rung.GROUP_OFFLOAD: (
            DegradationKind.OFFLOADED,
            "Memory was short: the model's layers were moved to the card one at a time.",
        ),
        Rung.CPU: (DegradationKind.OTHER_DEVICE, "Memory was short: it ran on the processor instead of the card."),
    }
    for rung in Rung:
        if rung in setting.rungs:
            report.told(Degradation(*words[rung]))
