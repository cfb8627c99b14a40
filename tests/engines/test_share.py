"""Parts of a run add up to the whole, and their previews land where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.share import STEPS, Share
from frisket.engines.spec import Degradation, DegradationKind
from frisket.errors import Cancelled
from frisket.raster.geometry import Box


class Heard:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int, np.ndarray | None]] = []
        self.degraded: list[Degradation] = []

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self.calls.append((step, total, preview))

    def check(self) -> None:
        raise Cancelled()

    def told(self, degradation: Degradation) -> None:
        self.degraded.append(degradation)


SHEET = np.zeros((40, 60, 3), np.float32)


def test_two_halves_make_one_bar() -> None:
    heard = Heard()
    for start, end in ((0.0, 0.5), (0.5, 1.0)):
        share = Share(heard, SHEET, Box(0, 0, 60, 40), start, end)
        for step in range(5):
            share(step + 1, 5)
    assert [step for step, _, _ in heard.calls] == [100 * k for k in range(1, 11)]
    assert {total for _, total, _ in heard.calls} == {STEPS}


def test_a_part_that_counts_wrongly_stays_in_its_share() -> None:
    heard = Heard()
    Share(heard, SHEET, Box(0, 0, 60, 40), 0.25, 0.5)(9, 3)
    Share(heard, SHEET, Box(0, 0, 60, 40), 0.25, 0.5)(1, 0)
    assert [step for step, _, _ in heard.calls] == [500, 250]


def test_a_preview_of_the_same_scale_lies_where_its_box_is() -> None:
    heard = Heard()
    Share(heard, SHEET, Box(10, 20, 30, 15), 0, 1)(1, 1, np.ones((15, 30, 3), np.float32))
    shown = heard.calls[0][2]
    assert shown is not None
    assert shown.shape == SHEET.shape
    assert (shown[20:35, 10:40] == 1).all()
    assert shown.sum() == 15 * 30 * 3
    assert SHEET.sum() == 0


def test_a_thinned_preview_thins_the_sheet_as_much() -> None:
    heard = Heard()
    Share(heard, SHEET, Box(10, 20, 30, 15), 0, 1)(1, 1, np.ones((8, 15, 3), np.float32))
    shown = heard.calls[0][2]
    assert shown is not None
    assert shown.shape == (20, 30, 3)
    assert (shown[10:18, 5:20] == 1).all()
    assert shown[:10].sum() == shown[:, :5].sum() == shown[:, 20:].sum() == 0


def test_the_sheet_is_copied_only_for_a_preview_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Choosy(Heard):
        wanted = False

        def wants_preview(self) -> bool:
            return self.wanted

    heard, placed, preview = Choosy(), [], np.ones((15, 30, 3), np.float32)
    place = Share._placed
    monkeypatch.setattr(Share, "_placed", lambda self, shown: (placed.append(1), place(self, shown))[1])
    inner = Share(heard, SHEET, Box(0, 0, 60, 40), 0, 1)
    share = Share(inner, SHEET, Box(10, 20, 30, 15), 0, 1)
    share(1, 2, preview)
    assert (heard.calls[0], placed) == ((500, STEPS, None), []), "the step is told all the same"
    heard.wanted = True
    share(2, 2, preview)
    shown = heard.calls[1][2]
    assert shown is not None
    assert (shown.sum(), len(placed)) == (15 * 30 * 3, 2)


def test_what_a_part_did_without_is_passed_on() -> None:
    heard, told = Heard(), Degradation(DegradationKind.TILED, "the VAE worked in tiles of 512 px")
    Share(heard, SHEET, Box(0, 0, 1, 1), 0, 1).told(told)
    assert heard.degraded == [told]


def test_to_stop_is_passed_on() -> None:
    with pytest.raises(Cancelled):
        Share(Heard(), SHEET, Box(0, 0, 1, 1), 0, 1).check()
