"""Which method a hole and its parameters get."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box
from frisket.engines.patch.fill import BORDER_PRIOR
from frisket.engines.patch.repaint import chosen
from frisket.engines.patch.shiftmap import ACROSS_PRICE, Prices

INSIDE = box(100, 100, 30, 30, 40, 40) > 0
SIDE = box(100, 100, 0, 80, 100, 20) > 0
TOP = box(100, 100, 0, 0, 20, 100) > 0


@pytest.mark.parametrize(
    ("hole", "structure", "structured", "prior"),
    [
        (INSIDE, "auto", True, 0.0),
        (INSIDE, "on", True, 0.0),
        (INSIDE, "off", False, 0.0),
        (SIDE, "auto", False, BORDER_PRIOR),
        (SIDE, "off", False, BORDER_PRIOR),
        (SIDE, "on", True, 0.0),
        (TOP, "auto", False, BORDER_PRIOR),
    ],
)
def test_auto_lays_out_unless_the_picture_grows(
    hole: np.ndarray, structure: str, structured: bool, prior: float
) -> None:
    method = chosen(hole, {"structure": structure, "quality": 3})
    assert (method.structured, method.prior, method.quality) == (structured, prior, 3)


def test_shifts_along_the_side_that_grows_are_dear() -> None:
    on = {"structure": "on", "quality": 2}
    assert chosen(INSIDE, on).prices == chosen(SIDE, on).prices == Prices(down=ACROSS_PRICE, across=0)
    assert chosen(TOP, on).prices == Prices(down=0, across=ACROSS_PRICE)
    assert chosen(SIDE | TOP, on).prices == Prices(down=ACROSS_PRICE, across=ACROSS_PRICE)
