"""What detectors can be told."""

from __future__ import annotations

import pytest

from frisket.engines.faces.dials import CLOSER, SIDE, SIZES, confidence
from frisket.errors import ParameterOutOfRange


def test_a_detector_looks_at_no_more_than_it_is_handed() -> None:
    assert SIDE.high == SIZES.max_side
    assert SIDE.checked(SIDE.default) == SIDE.default
    assert CLOSER.default is False


def test_a_confidence_is_a_share() -> None:
    assert confidence(0.9).checked(0.9) == 0.9
    for wrong in (0.0, 1.0):
        with pytest.raises(ParameterOutOfRange):
            confidence(0.9).checked(wrong)
