"""From a coarse question to a picture: one variation, scale by scale (GPNN, see `variation`)."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.between import certainty, inherit, refine, targets, voted
from frisket.engines.patch.exhaustive import PAIRS, bidirectional, patches
from frisket.engines.patch.ladder import Rung, grown
from frisket.engines.patch.match import SIDE, Field, P, mixed
from frisket.engines.patch.vote import put
from frisket.raster.spans import mapped, places

SIDES = (48.0, 28.0)  # px: how wide what changes is at the coarsest scale, at strength 0 and 1
REACH_POWER = 1.3  # how the push grows with strength
NOISE = 0.75  # standard deviations of the picture, at strength 1
BORDER_NOISE = 1.5  # the same at the borders of what is to tile: there the picture must not stay as it is
ALPHA = 0.15  # of the picture's variance: completeness, see `exhaustive`
STILL = 0.002  # of the standard deviation: a round that changes less than this ends its scale
SEARCH = 16  # px: random search on fine scales, where the field is already good
LEAST_SOURCES = 256  # compared exhaustively, however many targets there are

Tick = Callable[[int, np.ndarray], None]


class Layout(enum.Enum):
    """What becomes of the composition."""

    FREE = "free"  # pieces move far, sideways above all: horizons stay level
    KEEP = "keep"  # everything stays about where it is

    @property
    def cells(self) -> float:
        """How many independent pushes there are along the shorter side."""
        return 2.5 if self is Layout.FREE else 6.0

    @property
    def reach(self) -> tuple[float, float]:
        """Root mean square of the push up or down and sideways, in picture heights and widths, at strength 1."""
        return (0.05, 0.3) if self is Layout.FREE else (0.05, 0.08)


@dataclass(frozen=True, slots=True)
class Manner:
    """How to vary. strength: 0...1, above 0. wraps: opposite borders are neighbours. quality: 1...4, scales the rounds.

    variance: of the picture's colours, squared working values. channels: how many of them differ, 1 or 3.
    """

    strength: float
    layout: Layout
    wraps: bool
    quality: int
    variance: float
    channels: int

    @property
    def side(self) -> float:
        """px: how wide what changes is at the coarsest scale. Coarser ones fall back to the picture itself, because
        there a patch recognises its place."""
        return SIDES[0] * (SIDES[1] / SIDES[0]) ** self.strength

    @property
    def deviation(self) -> float:
        return math.sqrt(self.variance)

    def exhaustive(self, rung: Rung) -> bool:
        """Whether all pairs of patches can be compared on this rung."""
        return int(np.count_nonzero(rung.hole)) * int(np.count_nonzero(rung.valid)) <= PAIRS

    def rounds(self, rungs: list[Rung]) -> list[int]:
        """The most rounds on each rung, coarse to fine."""
        few = [self.quality + 1 if r.hole.size < 300_000 or self.exhaustive(r) else self.quality for r in rungs]
        return [3 * self.quality if k < 2 else n for k, n in enumerate(few)]


@dataclass(frozen=True, slots=True)
class Answer:
    """Y: (h, w, 4) float32, the picture. field: where its patches come from. weight: (n,) float32, of their votes."""

    Y: np.ndarray
    field: Field
    weight: np.ndarray


def climbed(rungs: list[Rung], manner: Manner, seed: int, bands: Bands, tick: Tick) -> Answer:
    """One variation at the size of the last rung.

    rungs: coarse to fine, from `ladder.built`. tick(k, Y): called after every round with the number of its rung and the
    picture so far. Raises errors.Cancelled from `bands` or `tick`.
    """
    answer: Answer | None = None
    for k, (rung, rounds) in enumerate(zip(rungs, manner.rounds(rungs), strict=True)):
        field = targets(rung.hole, manner.wraps, bands.check)
        if answer is None:
            Y, asked = pushed(rung, manner, seed), rung.V
        else:
            size = rung.hole.shape
            Y = grown(answer.Y, size, manner.wraps)
            Y = mapped(lambda Y, h, V: np.where(h[..., None], Y, V), np.float32, bands.check, Y, rung.hole, rung.V)
            asked = grown(rungs[k - 1].V, size, wraps=False)  # as blurred as the question, for the first round
            bands.check()
            inherit(field, answer.field, rung.valid, mixed(seed, k), bands)
        bands.check()
        exact = answer is None or manner.exhaustive(rung)
        answer = Answer(Y, field, np.ones(len(field.ty), np.float32))
        for n in range(rounds):
            K = asked if n == 0 else rung.V
            change = _round(answer, rung, K, exact, manner, mixed(seed, k, n), bands)
            tick(k, Y)
            if n > 0 and change <= STILL * manner.deviation:
                break
    assert answer is not None
    return answer


def pushed(rung: Rung, manner: Manner, seed: int) -> np.ndarray:
    """(h, w, 4) float32: the first question, the picture pushed about by a smooth random field, and noised.

    Noise alone, as in the paper, either leaves the layout or destroys it; and once patches as wide as half the picture
    decide, they put everything back. A push moves whole pieces, and the distance it moves them grows with strength.
    """
    rng = np.random.default_rng(mixed(seed, 0))
    h, w = rung.hole.shape
    cell = min(h, w) / manner.layout.cells
    grid = rng.standard_normal((max(2, round(h / cell)), max(2, round(w / cell)), 2), np.float32)
    u = grown(grid, (h, w), manner.wraps)
    u /= np.sqrt((u[rung.hole] ** 2).mean(0)) + np.float32(1e-6)
    far = manner.strength**REACH_POWER * np.array(manner.layout.reach) * (h, w)
    o = np.round(u * far).astype(np.int64)
    y, x = np.arange(h)[:, None] + o[..., 0], np.arange(w) + o[..., 1]
    y, x = (y % h, x % w) if manner.wraps else (_mirrored(y, h), _mirrored(x, w))
    noise = np.zeros_like(rung.V)
    noise[..., :3] = rng.standard_normal((h, w, manner.channels), np.float32)
    noise *= np.float32(NOISE * manner.strength * manner.deviation)
    if manner.wraps:
        at_border = np.ones((h, w), bool)
        at_border[P:-P, P:-P] = False
        noise[at_border] *= np.float32(BORDER_NOISE / (NOISE * manner.strength))
    return np.where(rung.hole[..., None], rung.V[y, x] + noise, rung.V)


def _mirrored(at: np.ndarray, side: int) -> np.ndarray:
    at = np.abs(at) % (2 * side - 2)
    return np.minimum(at, 2 * side - 2 - at)


def _round(answer: Answer, rung: Rung, K: np.ndarray, exact: bool, manner: Manner, seed: int, bands: Bands) -> float:
    """Searches for the patches of Y in K and copies them from V to Y. Returns the mean change of Y where it changes."""
    field, Y = answer.field, answer.Y
    if exact:
        _search(field, Y, K, rung.valid, manner, seed, bands)
    else:
        refine(field, Y, K, rung.valid, bands, seed=seed, sweeps=2, radius=SEARCH)
        answer.weight[:] = certainty(field)
    bands.check()
    y, x = places(rung.hole, bands.check)
    new = voted(rung.V, field, answer.weight, y, x, bands, manner.wraps)
    change = mapped(lambda new, y, x: np.abs(new - Y[y, x]), np.float32, bands.check, new, y, x)
    put(Y, y, x, new, bands)
    return float(change.mean())


def _search(
    field: Field, Y: np.ndarray, K: np.ndarray, valid: np.ndarray, manner: Manner, seed: int, bands: Bands
) -> None:
    """All targets against all sources, or against a random part of them where all would be too many."""
    vy, vx = np.nonzero(valid)
    most = max(LEAST_SOURCES, PAIRS // len(field.ty))
    if len(vy) > most:
        pick = np.sort(np.random.default_rng(seed).permutation(len(vy))[:most])
        vy, vx = vy[pick], vx[pick]
    Q = patches(Y, field.ty, field.tx, manner.channels)
    S = patches(K, vy, vx, manner.channels)
    alpha = ALPHA * manner.variance * SIDE * SIDE * manner.channels
    j = bidirectional(Q, S.T, alpha + 1e-3, bands)
    field.sy[:], field.sx[:] = vy[j], vx[j]
