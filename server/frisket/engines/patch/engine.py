"""The engine object: importing it costs nothing, numba and OpenCV come with `load` or the first `run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frisket.engines.spec import Channels, EngineSpec, MaskLaw, Param, ParamKind, Report, Task, Work
from frisket.raster.sizes import SizeRule

if TYPE_CHECKING:
    import numpy as np

SPEC = EngineSpec(
    id="patch",
    title="Built-in patch engine",
    summary="Fills a hole with what the rest of the picture shows: textures, edges and repeated structure. "
    "Needs no model and no GPU; invents nothing that is not there.",
    tasks=frozenset({Task.INPAINT, Task.OUTPAINT, Task.VARIATION}),
    size=SizeRule(max_pixels=12_000_000),  # with a hole of 30 % that takes 1.2 GB: 100 bytes a pixel
    channels=Channels.ANY,
    mask_law=MaskLaw.EXACT,
    uses_tileable=True,
    uses_sources=True,
    params=(
        Param(
            "structure",
            ParamKind.CHOICE,
            "auto",
            "Lay out whole structures first (fences, windows, tiles). auto: yes, except where the picture is extended "
            "past its border; off is faster and softer.",
            choices=("auto", "off", "on"),
        ),
        Param(
            "quality",
            ParamKind.INT,
            2,
            "How long to refine: 4 takes up to half as long again as 2.",
            low=1,
            high=4,
        ),
        Param(
            "turns",
            ParamKind.CHOICE,
            "none",
            "Also copy from what is seen around the selection mirrored left to right, rotated or scaled: for arches, "
            "rings, symmetric fronts, perspective; give it context enough. Not where a picture grows past its border.",
            choices=("none", "mirrored", "rotated", "scaled", "any"),
        ),
        Param(
            "growth",
            ParamKind.CHOICE,
            "continue",
            "Outpaint only. continue: everything at the border goes on, as sharp as it is; a part of a thing may show "
            "twice. background: rather plain ground than a second thing; softer.",
            choices=("continue", "background"),
        ),
        Param(
            "layout",
            ParamKind.CHOICE,
            "free",
            "Variations only. free: pieces of the picture may move far, sideways above all. keep: everything stays "
            "about where it is.",
            choices=("free", "keep"),
        ),
    ),
    deterministic=True,
    licence="Apache-2.0",
    context_share=0.75,
    context_min=64,
)


class PatchEngine:
    """Implements `engines.spec.Engine`. threads: how many run side by side; 0 = as many as numba would use."""

    __slots__ = ("_threads",)

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads

    @property
    def spec(self) -> EngineSpec:
        return SPEC

    def load(self, model: str = "") -> None:
        """Compiles every kernel, or reads them from numba's cache. `model` is not used: there are no weights."""
        from frisket.engines.patch import outpaint, repaint, variation

        repaint.warm(self._threads)
        variation.warm(self._threads)
        outpaint.warm(self._threads)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One picture for each seed, (h, w, c) float32 like work.crop, and equal to it outside work.hole > 0.

        Everything that the hole touches is repainted in full. Each channel stays within the range that the known pixels
        have. Raises errors.Cancelled (from `report`), errors.NothingToSampleFrom when no pixel is known.
        """
        if work.task is Task.VARIATION:
            from frisket.engines.patch.variation import varied

            return varied(work, report, self._threads)
        if work.task is Task.OUTPAINT:
            from frisket.engines.patch.outpaint import extended

            return extended(work, report, self._threads)
        from frisket.engines.patch.repaint import repainted

        return repainted(work, report, self._threads)


ENGINE = PatchEngine()
