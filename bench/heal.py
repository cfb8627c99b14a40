"""A small stroke healed in canvases of 1, 12 and 64 MP: what a retoucher waits for again and again.

    python -m bench.heal [--repeat 9]

The stroke is 12 px wide and 60 px long. One edit is plan, crop, fill and paste in this process, its kernels compiled;
OpenCV's Telea gets the whole canvas, as its callers give it, and the crop that Frisket looks at, in the same rounds.
Fails when the pixels outside the stroke change.
"""

from __future__ import annotations

import argparse
import statistics
import time

import cv2
import numpy as np
from bench.fill import machine
from bench.fillers import Ask, edited, loaded
from bench.scaling import PERIOD, bricks

from frisket.edits.requests import EditRequest, InpaintParams
from frisket.edits.tasks import row_of
from frisket.raster.geometry import Box, Size
from frisket.raster.masks import bounds

SIDES = (PERIOD, 3 * PERIOD + 512, 8 * PERIOD)  # px: 1, 12 and 64 MP
FROM, TO, WIDTH = (500, 500), (548, 518), 12  # px, round ends: some 60 from end to end


def stroke(side: int) -> np.ndarray:
    """(side, side) uint8, 255 in the stroke."""
    mask = np.zeros((side, side), np.uint8)
    cv2.line(mask, FROM, TO, 255, WIDTH)
    return mask


def canvas(side: int) -> np.ndarray:
    """(side, side, 3) uint8."""
    return np.ascontiguousarray(bricks(-(-side // PERIOD) * PERIOD)[:side, :side])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=9)
    rounds = parser.parse_args().repeat
    print(machine() + "\n\n| canvas | frisket ms | telea, crop | telea, canvas |\n|---|---|---|---|")
    easel, spec = loaded()
    for side in SIDES:
        picture, mask = canvas(side), stroke(side)
        selection = bounds(mask)
        assert selection is not None
        whole = Box.of(Size(side, side))
        request = EditRequest(whole.size, whole, InpaintParams(), engine=spec.id, seed=1)
        ask = Ask(request, picture, mask > 0, (selection,), 0, 0)
        here = row_of(request.task).plan(request, (selection,), spec).region.slices
        took: list[list[float]] = [[], [], []]
        for _ in range(rounds):
            began = time.perf_counter()
            box, pixels, shown = edited(easel, spec, ask)
            healed = picture[box.slices]
            changed = healed.copy()
            changed[shown > 0] = pixels[shown > 0]
            took[0].append(time.perf_counter() - began)
            if not np.array_equal(changed[mask[box.slices] == 0], healed[mask[box.slices] == 0]):
                raise RuntimeError("pixels outside the stroke have changed")
            for k, where in ((1, here), (2, whole.slices)):
                began = time.perf_counter()
                cv2.inpaint(picture[where], mask[where], 3, cv2.INPAINT_TELEA)
                took[k].append(time.perf_counter() - began)
        figures = " | ".join(f"{1000 * statistics.median(t):.0f} ({1000 * min(t):.0f})" for t in took)
        print(f"| {side * side / 1e6:.0f} MP | {figures} |", flush=True)
    print("\nmedian (least) of each")


if __name__ == "__main__":
    main()
