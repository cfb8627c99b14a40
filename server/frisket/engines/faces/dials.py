"""What every detector of faces can be told. Nothing heavy: the server lists engines with it."""

from __future__ import annotations

from frisket.engines.spec import Param, ParamKind
from frisket.raster.sizes import SizeRule

SIZES = SizeRule(max_side=4096)  # what is handed to a detector; closer than that nothing is looked at
SIDE = Param("side", ParamKind.INT, 1280, "The longer side at which the picture is looked at.", 256, 4096, "px")
CLOSER = Param(
    "closer", ParamKind.BOOL, False, "Look a second time, closer: finds small faces in large groups, and takes longer."
)


def confidence(default: float) -> Param:
    """The parameter by which a detector's hits are cut."""
    text = "How sure the detector must be. Lower finds more faces, and more that are none."
    return Param("confidence", ParamKind.FLOAT, default, text, 0.05, 0.99)
