"""An edit of picture files: what is read, what is refused, how a result is put back, and how a job is followed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frisket.cli.edit_files import FileEdit, cutout, numbered, parse_params, wait, write_result
from frisket.cli.exits import EXIT
from frisket.client.client import Picture
from frisket.errors import Cancelled, EngineFailed, FileUnwritable, FrisketError, Kind, ParameterOutOfRange
from frisket.raster import files as picture_files
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box
from frisket.rpc import convert
from frisket.rpc.stubs import jobs_pb2
from live import ServerProcess, run_cli

BAD = [
    ("missing.png", "mask.png", "file-unreadable"),
    ("broken.png", "mask.png", "file-unreadable"),
    ("photo.png", "half.png", "mask-size-differs"),
    ("photo.png", "empty.png", "mask-empty"),
    ("photo.png", None, "mask-missing"),
    ("indexed.png", "mask.png", "image-format-unsupported"),
    ("cmyk.jpg", "mask.png", "image-format-unsupported"),
]


@pytest.mark.parametrize(("picture", "mask", "slug"), BAD)
def test_files_that_cannot_be_used_are_named(files: Path, picture: str, mask: str | None, slug: str) -> None:
    with pytest.raises(FrisketError) as caught:
        FileEdit.read(files / picture, files / mask if mask else None)
    assert caught.value.slug == slug


def test_a_bad_file_has_words_and_an_exit_code(server: ServerProcess, files: Path) -> None:
    words = ("inpaint", str(files / "broken.png"), "--mask", str(files / "mask.png"), "-o", str(files / "out.png"))
    done = run_cli(*words, home=server.home, check=False)
    assert done.returncode == EXIT[Kind.BAD_REQUEST]
    assert FrisketError.registry["file-unreadable"].title in done.stderr
    assert "broken.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_which_part_is_repainted(files: Path) -> None:
    square = np.asarray(Image.open(files / "mask.png"))
    assert np.array_equal(FileEdit.read(files / "photo.png", files / "mask.png").mask, square)
    assert np.array_equal(FileEdit.read(files / "cutout.png", None).mask, square), "the transparent part"
    assert (FileEdit.read(files / "cutout.png", None, whole=True).mask == 255).all()
    sources = FileEdit.read(files / "photo.png", files / "mask.png", files / "mask.png").sources
    assert sources is not None
    assert np.array_equal(sources, square)
    with pytest.raises(FrisketError, match="40"):
        FileEdit.read(files / "photo.png", files / "mask.png", files / "half.png")


def test_parameters_get_the_type_that_they_look_like() -> None:
    pairs = ["a=1", "b=1.5", "c=true", "d=False", "e=words here", "f=", "g=x=y", "h=1e3", "i=-2"]
    found = parse_params(pairs)
    assert found == {"a": 1, "b": 1.5, "c": True, "d": False, "e": "words here", "f": "", "g": "x=y", "h": 1000.0,
                     "i": -2}  # fmt: skip
    assert [type(found[name]) for name in "abch"] == [int, float, bool, float]
    with pytest.raises(ParameterOutOfRange, match="NAME=VALUE"):
        parse_params(["steps"])


def test_names_of_several_results() -> None:
    assert numbered(Path("a/out.v1.png"), 2) == Path("a/out.v1-2.png")


def result(box: Box, fmt: PixelFormat, value: int, mask: np.ndarray) -> Picture:
    kind = np.uint16 if fmt.samples is Samples.U16 else np.uint8
    data = np.full((box.height, box.width, fmt.layout.channels), value, kind)
    return Picture(box, fmt, data.tobytes(), mask.tobytes(), 0, (), (), "")


def test_a_result_is_shown_through_its_mask(files: Path) -> None:
    edit = FileEdit.read(files / "photo.png", files / "mask.png")
    mask = np.array([[255, 255, 0], [255, 128, 0]], np.uint8)
    merged = edit.merged(result(Box(10, 20, 3, 2), PixelFormat(), 200, mask))
    before = edit.picture.pixels
    assert (merged[20, 10:12] == 200).all()
    assert (merged[21, 10] == 200).all()
    half = before[21, 11] + (200 - before[21, 11].astype(int)) * 128 / 255
    assert np.abs(merged[21, 11] - half).max() <= 0.5
    same = np.ones((80, 100), bool)
    same[20:22, 10:12] = False
    assert np.array_equal(merged[same], before[same])


def test_a_result_beyond_the_canvas_makes_it_larger(files: Path) -> None:
    edit = FileEdit.read(files / "photo.png", None, whole=True)
    beyond = result(Box(-4, 0, 4, 80), PixelFormat(), 9, np.full((80, 4), 255, np.uint8))
    merged = edit.merged(beyond)
    assert merged.shape == (80, 104, 3)
    assert np.array_equal(merged[:, 4:], edit.picture.pixels)
    assert (merged[:, :4] == 9).all()
    layer = edit.layer_of(beyond)
    assert layer.format.layout is Layout.RGBA
    assert (layer.pixels[:, :4, 3] == 255).all()
    assert (layer.pixels[:, 4:] == 0).all()


def test_a_cutouts_alpha_is_the_mask_times_its_own(tmp_path: Path) -> None:
    fmt = PixelFormat(Samples.U16, Layout.GRAY_ALPHA)
    mask = np.array([[255, 0, 51]], np.uint8)
    made = result(Box(0, 0, 3, 1), fmt, 32768, mask)
    cut, wide = cutout(made)
    assert wide == fmt
    assert cut[..., 1].tolist() == [[32768, 0, round(32768 / 5)]]
    write_result(made, tmp_path / "cut.png")
    back = picture_files.read_picture(tmp_path / "cut.png")
    assert np.array_equal(back.pixels, cut)
    assert back.format == fmt


def test_targets_are_checked_before_the_work(files: Path) -> None:
    edit = FileEdit.read(files / "photo.png", files / "mask.png")
    edit.check_targets(files / "out.png", files / "layer.png")
    edit.check_targets(files / "out.jpg", None)
    for output, layer in (("out.xyz", None), ("missing/out.png", None), ("out.png", "layer.jpg")):
        with pytest.raises(FileUnwritable):
            edit.check_targets(files / output, files / layer if layer else None)
    assert not list(files.glob("out*")), "looking left something behind"


class Watched:
    """In place of a client: tells these events."""

    def __init__(self, *events: jobs_pb2.JobEvent) -> None:
        self.events = events

    def watch(self, job: str):
        yield from self.events


def test_a_job_is_followed_to_what_it_ended_with(capsys: pytest.CaptureFixture[str]) -> None:
    half = jobs_pb2.JobEvent(progress=jobs_pb2.JobEvent.Progress(fraction=0.5))
    back = jobs_pb2.JobEvent(progress=jobs_pb2.JobEvent.Progress(fraction=0.1))  # a second try begins again
    done = jobs_pb2.JobEvent(finished=jobs_pb2.JobEvent.Finished(result_count=1))
    error = EngineFailed(engine="toy", reason="out of paint")
    wait(Watched(half, back, done), "j", show=False)  # type: ignore[arg-type]
    assert capsys.readouterr() == ("", "")
    with pytest.raises(EngineFailed) as caught:
        wait(Watched(half, jobs_pb2.JobEvent(failed=convert.error_to_proto(error))), "j", show=False)  # type: ignore[arg-type]
    assert caught.value == error
    with pytest.raises(Cancelled):
        wait(Watched(jobs_pb2.JobEvent(cancelled=jobs_pb2.JobEvent.CancelledEvent())), "j", show=False)  # type: ignore[arg-type]


def test_ctrl_c_cancels_the_job_on_the_server_too(server: ServerProcess, files: Path) -> None:
    words = ["inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", "--engine", "slow",
             "--param", "steps=2000"]  # fmt: skip
    command = [sys.executable, "-m", "frisket.cli.main", *map(str, words)]
    client = server.client()
    env = {**os.environ, "FRISKET_HOME": str(server.home)}
    before = {job.id for job in client.jobs("frisket-cli")}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + 30
            while not (started := [j for j in client.jobs("frisket-cli") if j.id not in before and j.started]):
                assert time.monotonic() < until, "it never ran"
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == EXIT[Kind.CANCELLED]
    assert "Traceback" not in said
    assert list(client.watch(started[0].id))[-1].WhichOneof("what") == "cancelled"
    assert not (files / "out.png").exists()
    client.close()
