"""Previews through tiny decoders: the real ones, which model they fit, how large they are drawn, and files that lie."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch
from safetensors.torch import load_file, save_file

from engines.diffusion.addon_files import record_of, recorded
from engines.diffusion.addon_maker import installed
from engines.diffusion.tiny import Tiny, Told, fresh
from engines.patch.pictures import PHOTOS, photograph
from frisket.engines.diffusion import taesd
from frisket.engines.diffusion.addons import Addon
from frisket.engines.diffusion.engine import DiffusionEngine
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.diffusion.watch import preview_of
from frisket.errors import ModelDamaged, ModelFileUnusable
from frisket.models.adopt import adopt
from frisket.models.families import Family, Purpose
from frisket.models.folder import Folder

pytestmark = [pytest.mark.diffusion]
WEIGHTS = PHOTOS.parent / "weights" / "taesd"
KINDS = {"taesd": 4, "taesdxl": 4, "taesd3": 16, "taef1": 16}  # -> channels
MODEL = record_of("model", Family.SD15, ())


class Bare:
    """As much of a pipeline as a preview looks at."""

    def __init__(self, vae: torch.nn.Module | None) -> None:
        self.vae, self.unet = vae, torch.nn.Identity()


def real(kind: str) -> Any:
    """The whole autoencoder, encoder too, with its trained weights: as good as the model's own VAE here."""
    from diffusers import AutoencoderTiny

    if not (WEIGHTS / f"{kind}_encoder.safetensors").exists():
        pytest.skip(f"needs the trained weights of {kind} beside the repository; they are not there")
    vae = AutoencoderTiny(latent_channels=KINDS[kind])
    for part, shift in ((vae.encoder, 0), (vae.decoder, 1)):
        tensors = load_file(WEIGHTS / f"{kind}_{'decoder' if shift else 'encoder'}.safetensors")
        numbered = ((name.partition("."), value.float()) for name, value in tensors.items())
        part.load_state_dict({f"layers.{int(n) - shift}.{rest}": value for (n, _, rest), value in numbered})
    return vae.eval()


def imported(root: Path, *kinds: str) -> None:
    for kind in kinds:
        real(kind)  # skips
        assert adopt(Folder(root), WEIGHTS / f"{kind}_decoder.safetensors", kind).family is Family.TAESD


def random_tensors(channels: int = 4) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    decoder = taesd.DecoderTiny(channels, 3, taesd.BLOCKS, (taesd.WIDTH,) * 4, 2, "relu", "nearest")
    return {f"decoder.{name}": value for name, value in decoder.state_dict().items()}


def db(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(one - other).mean()))


@torch.no_grad()
def latents_of(vae: Any, photo: np.ndarray) -> torch.Tensor:
    return vae.encode(torch.from_numpy(photo).permute(2, 0, 1)[None] * 2 - 1).latents


@pytest.mark.parametrize("kind", KINDS)
def test_of_all_that_are_installed_the_models_own_is_used_and_shows_more_than_the_matrix(kind: str, tmp_path: Path):
    imported(tmp_path, *KINDS)
    photo = photograph("chelsea.png")[:256, :320]
    hole = np.ones(photo.shape[:2], np.float32)
    pipe: Any = Bare(real(kind))
    latents = latents_of(pipe.vae, photo)
    colours = preview_of(pipe, latents, photo, hole, hole.shape)
    taesd.offered(pipe, tmp_path, MODEL)
    detail = preview_of(pipe, latents, photo, hole, hole.shape)
    assert (colours.shape, detail.shape) == ((32, 40, 3), photo.shape)
    with torch.no_grad():
        own = (pipe.vae.decode(latents).sample[0].permute(1, 2, 0).numpy() + 1) / 2
    assert np.abs(detail - np.clip(own, 0, 1)).max() < 1e-4, "its own, and no other of as many channels"
    enlarged = cv2.resize(colours, (320, 256), interpolation=cv2.INTER_CUBIC)
    assert db(detail, photo) > 26
    assert db(detail, photo) > db(enlarged, photo) + 3


def test_a_large_picture_is_thinned_before_it_is_decoded(tmp_path: Path):
    imported(tmp_path, "taesd")
    photo = cv2.resize(photograph("chelsea.png"), (768, 512), interpolation=cv2.INTER_CUBIC)
    hole = np.ones(photo.shape[:2], np.float32)
    pipe: Any = Bare(real("taesd"))
    taesd.offered(pipe, tmp_path, MODEL)
    latents, sizes, gains = latents_of(pipe.vae, photo), [], []
    colours = preview_of(Bare(pipe.vae), latents, photo, hole, hole.shape)
    for guided in (False, True):
        pipe.do_classifier_free_guidance = guided
        seen = preview_of(pipe, latents, photo, hole, hole.shape)
        sizes.append(seen.shape)
        wanted = cv2.resize(photo, seen.shape[1::-1], interpolation=cv2.INTER_AREA)
        enlarged = cv2.resize(colours, seen.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        gains.append(db(seen, wanted) - db(enlarged, wanted))
    assert sizes == [(288, 440, 3), (416, 624, 3)]
    assert gains[0] > 3
    assert gains[1] > 5
    assert max(h * w / 64 / (1 + k) for k, (h, w, _) in enumerate(sizes)) <= taesd.MOST
    flops_of_a_px, step = 0.54e6, 0.80e12  # see the module; of two looks twice that
    assert taesd.MOST * 64 * flops_of_a_px < 0.1 * step


def test_tokens_are_taken_apart_and_what_stays_is_the_crop(tmp_path: Path):
    imported(tmp_path, "taesd3", "taef1")
    photo = photograph("chelsea.png")[:128, :160]
    hole = np.zeros(photo.shape[:2], np.float32)
    hole[:, 80:] = 1
    pipe: Any = Bare(real("taef1"))
    taesd.offered(pipe, tmp_path, MODEL)
    latents = torch.nn.functional.pixel_unshuffle(latents_of(pipe.vae, photo), 2)
    tokens = latents.flatten(2).transpose(1, 2)
    assert tokens.shape == (1, 80, 64)
    seen = preview_of(pipe, tokens, photo, hole, hole.shape)
    assert seen.shape == photo.shape
    assert np.abs(seen[:, :80] - photo[:, :80]).max() < 1e-6
    assert 1e-3 < np.abs(seen[:, 80:] - photo[:, 80:]).mean() < 0.05


def test_a_decoder_that_does_not_fit_is_not_used(zoo_folder: Callable[[Family], Path], tmp_path: Path):
    tiny, told, plain = Tiny(zoo_folder, Family.SD15), Told(), Told()
    row = tiny.rows[Purpose.INPAINT]
    work = tiny.work(Purpose.INPAINT, seeds=(5,))
    painted(fresh(tiny.folder, row.pipeline), row, TRAITS[tiny.family], work, plain)
    installed(tmp_path, "noise", Family.TAESD, random_tensors())
    installed(tmp_path, "wider", Family.TAESD, random_tensors(16))
    pipe = fresh(tiny.folder, row.pipeline)
    taesd.offered(pipe, tmp_path, tiny.record)
    painted(pipe, row, TRAITS[tiny.family], work, told)
    assert [preview.tolist() for preview in told.previews] == [preview.tolist() for preview in plain.previews]


def test_an_engine_offers_what_lies_beside_its_model(zoo_folder: Callable[[Family], Path], tmp_path: Path):
    import shutil

    place = tmp_path / "mine"
    shutil.copytree(zoo_folder(Family.SD15), place)
    record = recorded(place, "mine", Family.SD15)
    engine = DiffusionEngine(place, record)
    engine.load()
    (pipe,) = engine._pipes.values()
    assert taesd._stock[pipe.unet] == (tmp_path, record)


def test_a_decoder_without_memory_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    imported(tmp_path, "taesd")
    pipe: Any = Bare(real("taesd"))
    taesd.offered(pipe, tmp_path, MODEL)
    latents = torch.zeros(1, 4, 8, 8)
    assert taesd.shown(pipe, latents) is not None

    def full(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(taesd, "_drawn", full)
    assert taesd.shown(pipe, latents) is None


def test_where_nothing_is_offered_or_there_is_no_vae_nothing_is_shown(tmp_path: Path):
    installed(tmp_path, "noise", Family.TAESD, random_tensors())
    latents = torch.zeros(1, 4, 8, 8)
    pixels: Any = Bare(None)
    assert taesd.shown(pixels, latents) is None
    taesd.offered(pixels, tmp_path, MODEL)
    assert taesd.shown(pixels, latents) is None


def test_both_layouts_are_one_decoder(tmp_path: Path):
    tensors = random_tensors()
    original = {}
    for name, value in tensors.items():
        number, _, rest = name.removeprefix("decoder.layers.").partition(".")
        original[f"{int(number) + 1}.{rest}"] = value.bfloat16()
    one = taesd.read(installed(tmp_path, "one", Family.TAESD, tensors))
    other = taesd.read(installed(tmp_path, "other", Family.TAESD, original))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(one(latents), other(latents), atol=0.02)
    assert one(latents).shape == (1, 3, 64, 64)


def _without(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["decoder.layers.9.conv.2.bias"]


def _more(tensors: dict[str, torch.Tensor]) -> None:
    tensors["decoder.layers.40.weight"] = torch.zeros(1)


def _flat(tensors: dict[str, torch.Tensor]) -> None:
    tensors["decoder.layers.18.weight"] = torch.zeros(3, 64, 1, 1)


def _none(tensors: dict[str, torch.Tensor]) -> None:
    tensors.clear()
    tensors["encoder.layers.0.weight"] = torch.zeros(64, 3, 3, 3)


def _broken(tensors: dict[str, torch.Tensor]) -> None:
    tensors["decoder.layers.9.conv.2.bias"][3] = float("nan")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (_without, ModelFileUnusable, r"layers\.9\.conv\.2\.bias"),
        (_more, ModelFileUnusable, r"layers\.40"),
        (_flat, ModelFileUnusable, r"layers\.18"),
        (_none, ModelFileUnusable, "no decoder"),
        (_broken, ModelDamaged, "no numbers"),
    ],
)
def test_a_file_that_is_no_tiny_decoder_is_refused_and_costs_no_edit(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[dict[str, torch.Tensor]], None],
    error: type[Exception],
    words: str,
):
    tensors = random_tensors()
    spoil(tensors)
    addon: Addon = installed(tmp_path, "odd", Family.TAESD, tensors)
    with pytest.raises(error, match=words):
        taesd.read(addon)
    from engines.diffusion.analytic import block_vae

    pipe: Any = Bare(block_vae())
    taesd.offered(pipe, tmp_path, MODEL)
    with caplog.at_level(logging.WARNING):
        assert taesd.shown(pipe, torch.zeros(1, 4, 8, 8)) is None
    assert "odd shows no previews" in caplog.text


def test_a_file_cut_short_is_refused(tmp_path: Path):
    addon = installed(tmp_path, "cut", Family.TAESD, random_tensors())
    addon.file.write_bytes(addon.file.read_bytes()[:-8])
    with pytest.raises(ModelFileUnusable):
        taesd.read(addon)
    save_file({"decoder.layers.0.weight": torch.zeros(4)}, addon.file)
    with pytest.raises(ModelFileUnusable, match="no decoder"):
        taesd.read(addon)
