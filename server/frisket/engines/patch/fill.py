"""The fill: a start on a coarse level, then EM from level to level (Wexler, Shechtman & Irani, PAMI 2007).

E step: PatchMatch finds a source for every target patch (`match`). M step: the sources vote for the hole's colours
(`vote`). The start is a shift map (`shiftmap`), which keeps fences, windows and benches whole; where the picture is
extended past its border a shift map clones whole objects, so there the start is smooth and a prior on offsets keeps sky
up and ground down. The last M step votes gradients too and solves for the colours (`poisson`; Darabi, Shechtman,
Barnes, Goldman & Sen, SIGGRAPH 2012, end likewise).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import SIDE, Field, Lean, mixed
from frisket.engines.patch.poisson import blended
from frisket.engines.patch.pyramid import Level
from frisket.engines.patch.scale import WHITE
from frisket.engines.patch.shiftmap import MOST_PIXELS, Prices, follow, layout
from frisket.engines.patch.standout import resized
from frisket.engines.patch.vote import DEEPEST, certainty, put, trust, voted
from frisket.raster.spans import mapped, places, row_spans

BORDER_SHARE = 0.6  # of one of the picture's four sides lies in the hole: the picture is being extended there
BORDER_PRIOR = 10.0  # thousandths of a patch's greatest distance, for an offset as long as the picture
SCARCE = 50  # hole pixels for each source patch
GREATEST = SIDE * SIDE * 3 * WHITE**2  # squared distance of a white and a black patch
FAR_SEARCH = 64  # px: random search on the fine levels, where the field is already good

Tick = Callable[[np.ndarray], None]


@dataclass(frozen=True, slots=True)
class Shunned:
    """What is rather not shown again.

    odd: (h, w) float32 0...1, of each pixel, at any scale (`standout`). price: of a source where odd is 1, in
    thousandths of a patch's greatest distance. throughout: on the fine levels too, else only where things are laid out.
    """

    odd: np.ndarray
    price: float
    throughout: bool

    def prices(self, level: Level, bands: Bands) -> np.ndarray:
        """(H, w) float32, of each source of the level; what lies below the picture costs nothing."""
        price = np.zeros(level.valid.shape, np.float32)
        odd, unit = resized(self.odd, level.known.shape, bands.check), np.float32(self.price * 1e-3 * GREATEST)
        for rows in row_spans(odd.shape, bands.check):
            price[rows] = odd[rows] * unit
        return price


@dataclass(frozen=True, slots=True)
class Method:
    """How to fill. structured: start from a shift map. prior: of the offsets. quality: 1...4, scales the EM rounds.
    brief: few rounds, see `scarce`."""

    structured: bool = True
    prior: float = 0.0
    prices: Prices = field(default_factory=Prices)
    quality: int = 2
    brief: bool = False
    shunned: Shunned | None = None

    def rounds(self, levels: int) -> list[int]:
        """EM rounds of each level, fine to coarse."""
        top = levels - 1
        if self.brief:
            return [1] + top * [self.quality]
        some = [max(self.quality, round(self.quality * (1 + 6 * k / max(1, top)))) for k in range(levels)]
        some[top] = self.quality * (2 if self.structured else 7)
        return some


def extends(hole: np.ndarray) -> tuple[bool, bool]:
    """Whether hole (h, w) bool covers a left or right side, and a top or bottom one, so far that the picture grows."""
    left, right, top, bottom = hole[:, 0].mean(), hole[:, -1].mean(), hole[0].mean(), hole[-1].mean()
    return bool(max(left, right) > BORDER_SHARE), bool(max(top, bottom) > BORDER_SHARE)


def scarce(level: Level) -> bool:
    """Whether the hole is so much larger than what may be copied that the fill repeats itself however long it takes."""
    return level.hole_pixels > SCARCE * np.count_nonzero(level.valid)


def used(levels: list[Level], structured: bool) -> list[Level]:
    """The levels that are worked on: a shift map starts at the first one whose hole is small enough."""
    if not structured:
        return levels
    for k, level in enumerate(levels):
        if level.hole_pixels <= MOST_PIXELS:
            return levels[: k + 1]
    return levels


def fill(levels: list[Level], method: Method, seed: int, bands: Bands, tick: Tick) -> np.ndarray:
    """(h, w, 4) float32: the finest level's picture with its hole filled.

    levels: from `pyramid.built` and `used`, maybe `turned.with_turns`, each with at least one source patch.
    seed: 0...2^64 - 1. tick: called with the picture so far after every EM round. Raises
    errors.Cancelled from `bands` or `tick`.
    """
    rounds = method.rounds(len(levels))
    parent: tuple[Field, np.ndarray] | None = None
    I = levels[-1].I
    for k in range(len(levels) - 1, -1, -1):
        level, top = levels[k], k == len(levels) - 1
        hole = ~level.known
        bands.check()
        hy, hx = places(hole, bands.check)
        field = Field.over(hole, bands.check)
        trusted = trust(level.depth_within(DEEPEST, bands.check), bands.check)
        alpha = mapped(lambda y, x, seen=trusted: seen[y, x], np.float32, bands.check, field.ty, field.tx)
        lean = _lean(level, method, k >= len(levels) - 2, bands)
        if parent is None:
            I = _start(level, field, method, seed, bands)
        else:
            I = level.I  # only its hole is written to, before it is read
            field.inherit(parent[0], level.valid, mixed(seed, k), bands.check)
            weight = _product(alpha, _handed_down(*parent, field, bands.check), bands)
            put(I, hy, hx, voted(I, field, weight, hy, hx, bands), bands)
        for n in range(rounds[k]):
            sweeps = _sweeps(method, n, top, k >= len(levels) - 2)
            _e_step(field, I, level, method, mixed(seed, k, n), sweeps, k >= len(levels) - 2, trusted, lean, bands)
            weight = _product(alpha, certainty(field, bands.check), bands)
            if k == 0 and n == rounds[0] - 1:
                blended(I, hole, field, weight, hy, hx, bands)
            else:
                put(I, hy, hx, voted(I, field, weight, hy, hx, bands), bands)
            tick(I[: len(hole)])
        parent = (field, certainty(field, bands.check)) if k else None
    return I[: len(levels[0].known)]


def _sweeps(method: Method, n: int, top: bool, coarse: bool) -> int:
    if method.brief:
        return 2
    if method.structured:
        return 4 if top else 2
    if top and n < 4:
        return 8
    return 4 if coarse else 2


def _lean(level: Level, method: Method, coarse: bool, bands: Bands) -> Lean:
    h, w = level.valid.shape
    prior = method.prior * 1e-3 * GREATEST / max(level.known.shape) ** 2
    shunned = method.shunned
    if shunned is None or not (coarse or shunned.throughout):
        return Lean(prior, prior, 0, h - 1, 0, w - 1, np.zeros((1, 1), np.float32))
    return Lean(prior, prior, 0, h - 1, 0, w - 1, shunned.prices(level, bands))


def _e_step(
    field: Field,
    I: np.ndarray,
    level: Level,
    method: Method,
    seed: int,
    sweeps: int,
    coarse: bool,
    trusted: np.ndarray,
    lean: Lean,
    bands: Bands,
) -> None:
    longer, farthest = max(level.known.shape), max(level.valid.shape)
    field.refine(
        I,
        level.valid,
        bands,
        seed=seed,
        sweeps=sweeps,
        radius=farthest if coarse else min(longer, FAR_SEARCH),
        lean=lean,
        trust=np.maximum(trusted, np.float32(0.05)) if coarse and not method.structured else None,
    )


def _start(level: Level, field: Field, method: Method, seed: int, bands: Bands) -> np.ndarray:
    """The first picture and field: smooth and random, or those of the shift map."""
    I = level.smooth(bands.check)
    field.scatter(level.valid, seed, bands.check)
    offset = layout(level, method.prices, seed, bands) if method.structured else None
    if offset is None:
        return I
    h, w = level.valid.shape
    hy, hx = np.nonzero(~level.known)
    shown = I[(hy + offset[:, 0]).clip(0, h - 1), (hx + offset[:, 1]).clip(0, w - 1)]
    follow(field, level, offset)
    I[hy, hx] = shown
    return I


def _handed_down(parent: Field, sure: np.ndarray, field: Field, check: Callable[[], None] | None = None) -> np.ndarray:
    """(n,) float32: the certainty of each target's parent, 1e-8 where it has none. check: called now and then."""
    h, w = parent.index.shape

    def of(ty: np.ndarray, tx: np.ndarray) -> np.ndarray:
        t = parent.index[np.minimum(ty >> 1, h - 1), np.minimum(tx >> 1, w - 1)]
        return np.where(t >= 0, sure[t], np.float32(1e-8))

    return mapped(of, np.float32, check, field.ty, field.tx)


def _product(a: np.ndarray, b: np.ndarray, bands: Bands) -> np.ndarray:
    return mapped(np.multiply, np.float32, bands.check, a, b)
