"""Our diffusion engine against the plain diffusers pipeline, on models of real size with random weights.

    python -m bench.diffusion [--models sd15-inpaint sdxl-inpaint flux-fill] [--folder DIR] [--repeat 5]
    python -m bench.diffusion --models sd15-inpaint --steps 1 --repeat 1       (on a processor: one step, minutes)

Both open the same folder. Plain is what its documentation shows: `AutoPipelineForInpainting.from_pretrained` in half
precision (FluxFillPipeline for FLUX Fill), moved to the card; on a processor both work in full precision. Several
pictures by `num_images_per_prompt`, and, as `plain, one by one`, in a loop. Runs take turns. Printed are the median
seconds, pictures a second, our ratio, the share of the floor that we reach and the peak memory of the card.

The floor is arithmetic: the steps' and the VAE's operations at 790 TFLOP/s, an H100's dense half-precision rate
(an UNet step with guidance is 1.61 TFLOP for SD 1.5 at 512 px and 13.5 for SDXL at 1024; FLUX Fill 74.4 at 1024).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench.fill import OUT, machine
from bench.giants import MAKERS, giant

from frisket.engines.spec import Silent, Task, Work
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record

PEAK = 790e12  # operations a second
PROMPT = "a red sofa, high quality"


@dataclass(frozen=True, slots=True)
class Case:
    """side: px. steps, guidance: of the run. step, vae: operations of a step (with guidance) and of the VAE's two ways,
    for one picture. pipeline: the class that plain diffusers opens."""

    family: Family
    side: int
    steps: int
    guidance: float
    step: float
    vae: float
    pipeline: str = "AutoPipelineForInpainting"


CASES = {
    "sd15-inpaint": Case(Family.SD15_INPAINT, 512, 20, 7.5, 1.607e12, 2.5e12 + 2 * 1.1e12),
    "sdxl-inpaint": Case(Family.SDXL_INPAINT, 1024, 30, 7.5, 13.5e12, 10.5e12 + 2 * 4.9e12),
    "flux-fill": Case(Family.FLUX_FILL, 1024, 28, 30.0, 74.4e12, 10.5e12 + 4.9e12, "FluxFillPipeline"),
}


def picture(side: int) -> tuple[np.ndarray, np.ndarray]:
    """crop (side, side, 3) float32 and a hole of a third of it."""
    y, x = np.mgrid[:side, :side] / side
    crop = np.stack([y, x, (np.sin(40 * x) * np.cos(30 * y) + 1) / 2], 2).astype(np.float32)
    hole = np.zeros((side, side), np.float32)
    hole[side // 5 : side * 4 // 5, side // 4 : side * 4 // 5] = 1
    return crop, hole


def ours(folder: Path, name: str, steps: int) -> Callable[[int], None]:
    from frisket.engines.diffusion.engine import DiffusionEngine

    case = CASES[name]
    files = tuple(
        Held(p.relative_to(folder).as_posix(), p.stat().st_size, "") for p in sorted(folder.rglob("*")) if p.is_file()
    )
    licence = Licence("none", "", Commercial.UNKNOWN)
    engine = DiffusionEngine(folder, Record(name, name, case.family, PURPOSES[case.family], licence, files, ""))
    engine.load("")
    crop, hole = picture(case.side)
    params = engine.spec.check_params({"steps": steps, "guidance_scale": case.guidance})

    def run(count: int) -> None:
        engine.run(Work(Task.INPAINT, crop, hole, params, tuple(range(count)), prompt=PROMPT), Silent())

    return run


def plain(folder: Path, name: str, steps: int, batched: bool) -> Callable[[int], None]:
    import diffusers
    import torch
    from PIL import Image

    case = CASES[name]
    place = "cuda" if torch.cuda.is_available() else "cpu"
    half = torch.bfloat16 if case.family is Family.FLUX_FILL else torch.float16
    dtype = torch.float32 if place == "cpu" else half
    pipe = getattr(diffusers, case.pipeline).from_pretrained(folder, dtype=dtype, local_files_only=True).to(place)
    pipe.set_progress_bar_config(disable=True)
    crop, hole = picture(case.side)
    image = Image.fromarray(np.rint(crop * 255).astype(np.uint8))
    mask = Image.fromarray(np.rint(hole * 255).astype(np.uint8))

    def call(count: int) -> None:
        pipe(
            prompt=PROMPT,
            image=image,
            mask_image=mask,
            height=case.side,
            width=case.side,
            num_inference_steps=steps,
            guidance_scale=case.guidance,
            num_images_per_prompt=count,
            generator=torch.Generator(place).manual_seed(0),
        )

    def one_by_one(count: int) -> None:
        for _ in range(count):
            call(1)

    return call if batched else one_by_one


def measured(runs: dict[str, Callable[[int], None]], count: int, repeat: int) -> dict[str, tuple[float, float]]:
    """name -> (median seconds, peak memory of the card in GB). The first round warms up and is not counted."""
    import torch

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    peaks = dict.fromkeys(runs, 0.0)
    on_card = torch.cuda.is_available()
    for number in range(repeat + (1 if on_card else 0)):
        for name, run in runs.items():
            if on_card:
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
            began = time.perf_counter()
            run(count)
            if on_card:
                torch.cuda.synchronize()
                peaks[name] = max(peaks[name], torch.cuda.max_memory_allocated() / 1e9)
            if number or not on_card:
                seconds[name].append(time.perf_counter() - began)
    return {name: (statistics.median(taken), peaks[name]) for name, taken in seconds.items()}


def floor(case: Case, steps: int, count: int) -> float:
    """Seconds."""
    return count * (steps * case.step + case.vae) / PEAK


def table(name: str, steps: int, count: int, found: dict[str, tuple[float, float]]) -> str:
    case, mine = CASES[name], found["frisket"][0]
    lines = [
        f"\n**{name}, {case.side} px, {steps} steps, {count} picture{'s' * (count > 1)}**\n",
        "| | s | pictures a second | theirs / ours | floor / theirs | peak GB |",
        "|---|---|---|---|---|---|",
    ]
    for row, (taken, peak) in found.items():
        share = floor(case, steps, count) / taken
        lines.append(f"| {row} | {taken:.3f} | {count / taken:.2f} | {taken / mine:.2f} | {share:.0%} | {peak:.1f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["sd15-inpaint", "sdxl-inpaint"], choices=list(MAKERS))
    parser.add_argument("--folder", type=Path, default=OUT / "giants", help="where the models are made and kept")
    parser.add_argument("--steps", type=int, default=0, help="0: each model's own number")
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 4], help="how many pictures at once")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args(arguments)
    print(machine(), device_words())
    for name in options.models:
        steps = options.steps or CASES[name].steps
        folder = giant(name, options.folder)
        runs: dict[str, Any] = {
            "frisket": ours(folder, name, steps),
            "plain": plain(folder, name, steps, batched=True),
            "plain, one by one": plain(folder, name, steps, batched=False),
        }
        for count in options.counts:
            some = runs if count > 1 else {k: v for k, v in runs.items() if k != "plain, one by one"}
            print(table(name, steps, count, measured(some, count, options.repeat)), flush=True)


def device_words() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    return f"no card, torch {torch.__version__}"


if __name__ == "__main__":
    main()
