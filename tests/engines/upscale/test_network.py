"""Installed upscalers: tiles like the whole, scales, the dial for noise, short memory, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.nets, pytest.mark.filterwarnings("ignore:torch.meshgrid")]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")

from engines.upscale.makers import WEIGHTS, asked, compact, engine, esrgan, installed, swinir  # noqa: E402
from frisket.engines import nets  # noqa: E402
from frisket.engines.registry import Registry  # noqa: E402
from frisket.engines.spec import Degradation, DegradationKind, Silent, Task  # noqa: E402
from frisket.engines.upscale.edges import ENGINE  # noqa: E402
from frisket.engines.upscale.network import SHARP, SOFT, NetworkUpscaler  # noqa: E402
from frisket.errors import Cancelled, ModelDamaged, ModelFileUnusable, ParameterUnknown  # noqa: E402
from frisket.raster.geometry import Size  # noqa: E402
from frisket.raster.tiles import tiles  # noqa: E402

rng = np.random.default_rng(4)


def noise(height: int, width: int) -> np.ndarray:
    return rng.random((height, width, 3)).astype(np.float32)


def tiled(upscaler: NetworkUpscaler, crop: np.ndarray, scale: int, side: int) -> np.ndarray:
    h, w = crop.shape[:2]
    out = np.empty((h * scale, w * scale, 3), np.float32)
    parts = list(tiles(Size(w, h), side, upscaler.spec.apron, upscaler.spec.size.multiple))
    assert len(parts) > 1
    for kept, seen in parts:
        made = asked(upscaler, crop[seen.slices], scale)
        y, x = (kept.y - seen.y) * scale, (kept.x - seen.x) * scale
        there = slice(kept.y * scale, kept.bottom * scale), slice(kept.x * scale, kept.right * scale)
        out[there] = made[y : y + kept.height * scale, x : x + kept.width * scale]
    return out


@pytest.mark.parametrize(
    ("make", "scale"), [(compact, 2), (compact, 3), (compact, 4), (esrgan, 4), (esrgan, 3), (swinir, 2)]
)
def test_tiles_are_within_a_step_of_the_whole(tmp_path: Path, make, scale: int) -> None:
    upscaler, crop = engine(tmp_path, make()), noise(80, 66)
    whole = asked(upscaler, crop, scale)
    assert whole.shape == (80 * scale, 66 * scale, 3)
    assert whole.std() > 0.01, "not flat"
    assert np.abs(tiled(upscaler, crop, scale, 64) - whole).max() <= 1 / 255


def test_an_installed_upscaler_answers_before_the_built_in_one(tmp_path: Path) -> None:
    installed(tmp_path, {"net.pth": compact()})
    able = Registry.installed(tmp_path).for_task(Task.UPSCALE)
    assert [e.spec.id for e in able] == ["net", "edge-lanczos"]
    assert able[0].spec.trained
    with pytest.raises(ParameterUnknown, match="denoise"):
        able[0].spec.check_params({"denoise": 0.5})


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
@pytest.mark.parametrize("make", [compact, esrgan, swinir])
def test_the_smallest_pictures(tmp_path: Path, make, shape: tuple[int, int]) -> None:
    made = asked(engine(tmp_path, make()), noise(*shape), 4)
    assert made.shape == (shape[0] * 4, shape[1] * 4, 3)
    assert np.isfinite(made).all()


def test_values_beyond_0_and_1_go_around_the_network(tmp_path: Path) -> None:
    upscaler, crop = engine(tmp_path, compact()), noise(12, 12)
    plain = asked(upscaler, crop, 2)
    crop[4:7, 4:7] += 5
    bright = asked(upscaler, crop, 2)
    assert bright.max() > 4
    beyond = asked(ENGINE, crop - np.clip(crop, 0, 1), 2)  # type: ignore[arg-type]
    assert np.allclose(bright, asked(upscaler, np.clip(crop, 0, 1), 2) + beyond)
    assert np.allclose(bright[22:], plain[22:]), "elsewhere nothing changes"


def dialled(root: Path, apart: bool) -> NetworkUpscaler:
    """Two networks, in one folder or as two models."""
    sharp, soft = compact(4, seed=1), compact(4, seed=9)
    if apart:
        installed(root, {f"{SOFT}.pth": soft}, SOFT)
        return NetworkUpscaler(*installed(root, {f"{SHARP}.pth": sharp}, SHARP))
    return NetworkUpscaler(*installed(root, {f"{SHARP}.pth": sharp, f"{SOFT}.pth": soft}, "any"))


@pytest.mark.parametrize("apart", [False, True])
def test_the_dial_mixes_the_weights_of_two_networks(tmp_path: Path, apart: bool) -> None:
    upscaler, crop = dialled(tmp_path, apart), noise(10, 10)
    assert upscaler.spec.check_params({}) == {"denoise": 0.5}
    for name, state in (("sharp", compact(4, seed=1)), ("soft", compact(4, seed=9))):
        alone = asked(engine(tmp_path, state, name), crop, 4)
        assert np.array_equal(asked(upscaler, crop, 4, denoise=float(name == "sharp")), alone)
    mixed = {n: 0.3 * a + 0.7 * compact(4, seed=9)[n] for n, a in compact(4, seed=1).items()}
    wanted = asked(engine(tmp_path, mixed, "mixed"), crop, 4)
    assert np.allclose(asked(upscaler, crop, 4, denoise=0.3), wanted, atol=1e-5)
    upscaler.unload()
    assert np.allclose(asked(upscaler, crop, 4, denoise=0.3), wanted, atol=1e-5)


def test_without_its_other_half_there_is_no_dial_and_it_says_so(tmp_path: Path) -> None:
    upscaler = NetworkUpscaler(*installed(tmp_path, {f"{SHARP}.pth": compact(4)}, SHARP))
    assert upscaler.spec.params == ()
    assert SOFT in upscaler.spec.summary
    with pytest.raises(ParameterUnknown, match="denoise"):
        upscaler.spec.check_params({"denoise": 0.5})


def test_another_half_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    files = {f"{SHARP}.pth": compact(4), f"{SOFT}.pth": compact(4, num_feat=12)}
    with pytest.raises(ModelFileUnusable, match=SHARP):
        NetworkUpscaler(*installed(tmp_path, files)).load()


class Ears(Silent):
    def __init__(self) -> None:
        self.heard: list[Degradation] = []

    def told(self, degradation: Degradation) -> None:
        self.heard.append(degradation)


def test_where_memory_is_short_tiles_become_smaller_and_it_is_told(tmp_path: Path, monkeypatch) -> None:
    upscaler, crop, ears = engine(tmp_path, compact()), noise(118, 118), Ears()
    whole = asked(upscaler, crop, 2)
    assert upscaler._net is not None
    once = upscaler._net._once

    def short(part: np.ndarray, report) -> np.ndarray:
        if part.shape[0] * part.shape[1] > 117 * 117:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return once(part, report)

    monkeypatch.setattr(upscaler._net, "_once", short)
    made = asked(upscaler, crop, 2, ears)
    assert np.abs(made - whole).max() <= 1 / 255
    assert ears.heard[0].kind is DegradationKind.TILED
    assert "59 px" in ears.heard[0].detail
    monkeypatch.setattr(upscaler._net, "_once", lambda *_: (_ for _ in ()).throw(MemoryError("never enough")))
    with pytest.raises(MemoryError):
        asked(upscaler, crop, 2)
    monkeypatch.setattr(upscaler._net, "_once", lambda *_: (_ for _ in ()).throw(RuntimeError("a mistake")))
    with pytest.raises(RuntimeError, match="a mistake"):
        asked(upscaler, crop, 2)


def test_it_stops_between_two_layers(tmp_path: Path) -> None:
    class Stop(Silent):
        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks == 3:
                raise Cancelled()

    with pytest.raises(Cancelled):
        asked(engine(tmp_path, compact()), noise(9, 9), 2, Stop())


def test_files_that_are_no_upscalers_are_refused_by_name(tmp_path: Path) -> None:
    cut = compact()
    del cut["body.2.weight"]
    wrong = {"one": compact(1), "other": {"a.weight": torch.zeros(3, 3)}, "cut": cut}
    for name, state in wrong.items():
        with pytest.raises(ModelFileUnusable, match=name):
            engine(tmp_path, state, name)


def test_weights_that_changed_are_damaged(tmp_path: Path) -> None:
    folder, record = installed(tmp_path, {"net.pth": compact()})
    (folder / "net.pth").write_bytes((folder / "net.pth").read_bytes()[:-500])
    with pytest.raises(ModelDamaged):
        NetworkUpscaler(folder, record).load()
    bad = compact()
    bad["body.0.bias"][3] = float("nan")
    with pytest.raises(ModelDamaged):
        engine(tmp_path, bad, "nan")


@pytest.mark.slow
@pytest.mark.skipif(not (WEIGHTS / f"{SHARP}.pth").exists(), reason=f"no {WEIGHTS}: real weights are not here")
def test_the_real_network_tiled_and_whole(tmp_path: Path) -> None:
    raw = (WEIGHTS / f"{SHARP}.pth").read_bytes()
    upscaler = NetworkUpscaler(*installed(tmp_path, {f"{SHARP}.pth": raw}, SHARP))
    upscaler.load()
    assert upscaler.spec.apron == 34
    assert nets.parts_there()
    crop = noise(150, 140)
    assert np.abs(tiled(upscaler, crop, 4, 132) - asked(upscaler, crop, 4)).max() <= 1 / 255
