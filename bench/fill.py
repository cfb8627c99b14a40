"""The built-in engine against other weight-free fills, on the same holes in the same run.

    python -m bench.fill [--set DIR] [--repeat 3] [--through-server] [--command 'NAME=COMMAND']
    python -m bench.fill --places [--set DIR]

Prints tables of medians; writes every picture, the figures of every case and contact sheets to bench/out/, anew after
each round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from bench.cases import Case, Kind, Place, read_places, read_set, write_rgb
from bench.fillers import in_process, through_server
from bench.metrics import Scores, measure
from bench.peers import Peer, installed
from bench.sheets import marked, view_of, write_sheet
from bench.tables import duels, medians

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT.parent / "shared" / "photos"
OUT = ROOT / "bench" / "out"
OURS = "frisket"
ROWS = 5  # of a contact sheet
TILE = 300  # px


@dataclass(slots=True)
class Outcome:
    """What one filler made of one case: the first round's picture and scores, and the seconds of every round."""

    picture: np.ndarray
    scores: Scores
    seconds: list[float] = field(default_factory=list)


Outcomes = dict[str, dict[str, Outcome]]  # filler, case


def run_all(cases: list[Case], fillers: list[Peer], rounds: int) -> Outcomes:
    """Every filler on every case, all of them in each round, in an order that turns by one from case to case."""
    outcomes: Outcomes = {filler.name: {} for filler in fillers}
    for number in range(rounds):
        for turn, case in enumerate(cases):
            for k in range(len(fillers)):
                filler = fillers[(k + turn) % len(fillers)]
                if filler.takes(case.hole) and not (number and filler.once):
                    _run_one(filler, case, outcomes[filler.name])
            print(f"round {number + 1} of {rounds}: {case.name}", flush=True)
        keep(cases, outcomes, OUT)
    return outcomes


def _run_one(filler: Peer, case: Case, outcomes: dict[str, Outcome]) -> None:
    """Raises RuntimeError when Frisket gives another picture than in the first round."""
    began = time.perf_counter()
    try:
        picture = filler.fill(case.picture.copy(), case.hole.copy())
    except (RuntimeError, subprocess.SubprocessError, FileNotFoundError) as error:
        if filler.name.startswith(OURS):
            raise
        print(f"{filler.name} failed on {case.name}: {error}", flush=True)
        return
    took = time.perf_counter() - began
    if case.name not in outcomes:
        outcomes[case.name] = Outcome(picture, measure(picture, case.picture, case.hole, case.truth))
    elif filler.name.startswith(OURS) and not np.array_equal(picture, outcomes[case.name].picture):
        raise RuntimeError(f"{filler.name} gave another picture of {case.name} for the same request")
    outcomes[case.name].seconds.append(took)


def keep(cases: list[Case], outcomes: Outcomes, folder: Path) -> None:
    """Figures as fill.json, pictures as <case>/<filler>.png, contact sheets as sheet-<kind>-<n>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        name: {case: {**asdict(done.scores), "seconds": done.seconds} for case, done in by_case.items()}
        for name, by_case in outcomes.items()
    }
    (folder / "fill.json").write_text(json.dumps(figures, indent=1))
    for name, by_case in outcomes.items():
        for case, done in by_case.items():
            write_rgb(folder / case / f"{name.replace(' ', '-')}.png", done.picture)
    for kind in Kind:
        some = [case for case in cases if case.kind is kind]
        for start in range(0, len(some), ROWS):
            rows = [_row(case, outcomes) for case in some[start : start + ROWS]]
            write_sheet(folder / f"sheet-{kind.value}-{start // ROWS + 1}.png", rows, TILE)


def _row(case: Case, outcomes: Outcomes) -> dict[str, np.ndarray]:
    here = view_of(case.hole).slices
    row = {case.name: marked(case.picture, case.hole, 0.65 if case.truth is None else 1.0)[here]}
    if case.truth is not None:
        row["truth"] = case.truth[here]
    for name, by_case in outcomes.items():
        row[name] = by_case[case.name].picture[here] if case.name in by_case else np.full((8, 8, 3), 230, np.uint8)
    return row


def compare(options: argparse.Namespace) -> None:
    cases = read_set(options.set or PHOTOS / "fill", options.only)
    peers, missing = installed(options.command)
    for line in missing:
        print(f"left out: {line}")
    with contextlib.ExitStack() as stack:
        ours = [Peer(OURS, in_process())]
        if options.through_server:
            ours.append(Peer(f"{OURS} server", stack.enter_context(through_server())))
        wanted = [peer for peer in peers if not options.peers or peer.name in options.peers]
        outcomes = run_all(cases, ours + wanted, options.repeat)
    print(f"\n{machine()}, {options.repeat} rounds\n")
    for kind in (*Kind, None):
        names = {case.name for case in cases if kind is None or case.kind is kind}
        if names:
            print(f"**{kind.value if kind else 'all'}**\n\n{medians(outcomes, names)}\n")
    print(f"**{OURS} against each, case by case**\n\n{duels(outcomes, OURS)}\n\nPictures: {OUT.relative_to(ROOT)}")


def compare_places(options: argparse.Namespace) -> None:
    """Ours next to a learned network's stored result: there is no truth, so the sheet is the outcome."""
    places = read_places(options.set or PHOTOS / "places_object")
    fill = in_process()
    print("| place | hole | sharpness: ours | learned | seam: ours | learned | outside: ours | learned | s |")
    print("|---" * 9 + "|")
    for place in places:
        began = time.perf_counter()
        ours = fill(place.picture, place.hole)
        took = time.perf_counter() - began
        print(_place_line(place, ours, took), flush=True)
        write_sheet(OUT / "places" / f"{place.name}.png", [_place_row(place, ours)], 512)
    rows = [_place_row(place, fill(place.picture, place.hole)) for place in places]
    for start in range(0, len(rows), ROWS):
        write_sheet(OUT / f"sheet-places-{start // ROWS + 1}.png", rows[start : start + ROWS], 400)


def _place_line(place: Place, ours: np.ndarray, took: float) -> str:
    a, b = (measure(filled, place.picture, place.hole) for filled in (ours, place.learned))
    figures = f"{a.sharpness:.2f} | {b.sharpness:.2f} | {a.seam:.2f} | {b.seam:.2f} | {a.outside} | {b.outside}"
    return f"| {place.name} | {place.hole.mean():.0%} | {figures} | {took:.2f} |"


def _place_row(place: Place, ours: np.ndarray) -> dict[str, np.ndarray]:
    mask = np.repeat(place.hole[..., None], 3, axis=2).astype(np.uint8) * 255
    return {f"place {place.name}": place.picture, "mask": mask, OURS: ours, "migan": place.learned}


def machine() -> str:
    """Processor, cores, Python and commit."""
    words = [platform.machine(), f"{os.cpu_count()} cores", f"Python {platform.python_version()}"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        git = ["git", "describe", "--always", "--dirty"]
        words.append(subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip())
    return ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, help="folder of cases (default: ../shared/photos beside this checkout)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds for the times; slow peers run in the first only")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME", help="run these alone beside Frisket")
    parser.add_argument("--through-server", action="store_true", help="also through a real server and client")
    parser.add_argument("--command", action="append", default=[], metavar="NAME=COMMAND", help="another peer")
    parser.add_argument("--places", action="store_true", help="object removal next to a learned network's results")
    options = parser.parse_args()
    (compare_places if options.places else compare)(options)


if __name__ == "__main__":
    main()
