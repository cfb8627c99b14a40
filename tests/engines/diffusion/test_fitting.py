"""Add-ons through the engine: each shows, all go together, and the next job is a fresh engine's to the last byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import diffusers
import torch
from PIL import Image

from engines.diffusion import zoo
from engines.diffusion.addon_files import recorded
from engines.diffusion.addon_maker import (
    controlnet,
    installed,
    installed_look,
    installed_net,
    kohya,
    lora_tensors,
    other_vae,
)
from engines.diffusion.tiny import Tiny, Told, fresh
from frisket.engines.diffusion import fitting
from frisket.engines.diffusion.addons import Control
from frisket.engines.diffusion.controls import control_of
from frisket.engines.diffusion.engine import DiffusionEngine
from frisket.engines.diffusion.ladder import Rung, Setting
from frisket.engines.diffusion.latents import steady
from frisket.engines.diffusion.memo import forget
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.placing import place, set_up
from frisket.engines.diffusion.table import CONTROLLED, TRAITS
from frisket.engines.registry import Registry
from frisket.engines.spec import Silent
from frisket.errors import (
    AddonUnsuitable,
    Cancelled,
    ModelDamaged,
    ModelNotInstalled,
    ParameterNotHonoured,
    ParameterOutOfRange,
    ParameterUnknown,
)
from frisket.models.adopt import adopt
from frisket.models.families import Family, Purpose
from frisket.models.folder import Folder as Models
from frisket.models.record import write

pytestmark = [pytest.mark.diffusion]

Folder = Callable[[Family], Path]
FAMILIES = (Family.SD15, Family.SD15_INPAINT, Family.SDXL, Family.SDXL_INPAINT)
EACH: tuple[dict[str, Any], ...] = (
    {"loras": "ink"},
    {"loras": "ink:0.5, grain:-0.7"},
    {"embeddings": "wood"},
    {"controlnet": "lines:0.9"},
    {"controlnet": "lines:0.9", "control": "scribble"},
    {"controlnet": "lines:0.9", "control": "inpaint"},
    {"ip_adapter": "look:0.7"},
    {"vae": "sharp"},
    {"loras": "ink", "embeddings": "wood", "controlnet": "lines", "vae": "sharp", "ip_adapter": "look"},
)
ALL = EACH[-1]


class House:
    """A models folder with one model and an add-on of each kind."""

    def __init__(self, root: Path, zoo_folder: Folder, family: Family) -> None:
        self.root, self.tiny = root, Tiny(zoo_folder, family)
        shutil.copytree(self.tiny.folder, root / "mine")
        self.record = replace(zoo.record_of(family, root / "mine"), id="mine")
        write(root / "mine", self.record)
        pipe = self.tiny.pipe(next(iter(self.tiny.rows.values())))
        installed(root, "ink", Family.LORA, lora_tensors(pipe, 1, parts=("unet", "text_encoder")))
        installed(root, "grain", Family.LORA, kohya(lora_tensors(pipe, 2), 2.0))
        names = ("clip_l", "clip_g") if hasattr(pipe, "text_encoder_2") else ("emb_params",)
        installed(root, "wood", Family.TEXTUAL_INVERSION, {name: torch.randn(2, 32) for name in names})
        installed_net(root, "lines", Family.CONTROLNET, controlnet(pipe.unet))
        installed_look(root, "look", pipe.unet)
        installed_net(root, "sharp", Family.VAE, other_vae(pipe.vae))

    def engine(self) -> DiffusionEngine:
        return DiffusionEngine(self.root / "mine", self.record)

    def run(self, engine: DiffusionEngine, purpose: Purpose = Purpose.INPAINT, report: Any = None, **params: Any):
        work = self.tiny.work(purpose, prompt="a chair of wood", params={"steps": 2, **params}, seeds=(3, 4))
        if purpose is not Purpose.TEXT_TO_LAYER:
            work.crop[20:44, 20:60] = 1 - work.crop[20:44, 20:60].round()  # something with an edge
        forget()  # words read before: a fresh engine's jobs read them
        return np.stack(engine.run(work, report or Silent()))


@pytest.fixture
def house(tmp_path: Path, zoo_folder: Folder) -> House:
    return House(tmp_path, zoo_folder, Family.SD15)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.value)
def test_each_shows_and_nothing_of_it_stays(tmp_path: Path, zoo_folder: Folder, family: Family):
    house = House(tmp_path, zoo_folder, family)
    engine = house.engine()
    plain = house.run(engine)
    seen = [plain]
    for params in EACH:
        changed = house.run(engine, **params)
        assert min(np.abs(changed - other).max() for other in seen) > 0.004, params
        seen.append(changed)
        if params is ALL:
            assert (house.run(engine, **params) == changed).all(), "the same twice"
    assert (house.run(engine) == plain).all()
    assert (house.run(house.engine()) == plain).all()


@pytest.mark.parametrize(
    ("family", "extra"),
    [(Family.SD15, {"requires_safety_checker": False}), (Family.SDXL, {})],
    ids=["sd15", "sdxl"],
)
def test_a_controlnet_and_a_vae_are_those_of_diffusers(
    tmp_path: Path, zoo_folder: Folder, family: Family, extra: dict[str, Any]
):
    """The add-ons through the engine, and diffusers' own pipeline made of the same files and called plainly."""
    house = House(tmp_path, zoo_folder, family)
    params = {"steps": 2, "controlnet": "lines:0.6", "vae": "sharp", "guidance_scale": 4.0}
    work = house.tiny.work(Purpose.VARIATION, prompt="wood", params=params, seeds=(3,), strength=1.0)
    work.crop[20:44, 20:60] = 1 - work.crop[20:44, 20:60].round()
    (seen,) = house.engine().run(work, Silent())
    row = house.tiny.rows[Purpose.VARIATION]
    net = diffusers.ControlNetModel.from_pretrained(house.root / "lines")
    parts = fresh(house.root / "mine", row.pipeline).components
    pipe: Any = getattr(diffusers, CONTROLLED[row.pipeline])(**parts, controlnet=net, **extra)
    pipe.vae = diffusers.AutoencoderKL.from_pretrained(house.root / "sharp")
    shown = control_of(Control.LINE, work.crop, work.hole)
    told = {
        "prompt": "wood", "num_inference_steps": 2, "strength": 1.0, "guidance_scale": 4.0, "output_type": "np",
        "image": Image.fromarray(np.rint(work.crop * 255).astype(np.uint8)),
        "control_image": torch.from_numpy(shown).permute(2, 0, 1)[None],
    }  # fmt: skip

    def plain(scale: float) -> np.ndarray:
        generator = torch.Generator().manual_seed(3)
        with steady(pipe):
            return pipe(**told, controlnet_conditioning_scale=scale, generator=generator).images[0]

    assert np.abs(seen - plain(0.6)).max() < 1e-5
    assert np.abs(seen - plain(0.3)).max() > 0.004


@pytest.mark.parametrize("purpose", [Purpose.VARIATION, Purpose.TEXT_TO_LAYER, Purpose.OUTPAINT], ids=lambda p: p.value)
def test_other_tasks(house: House, purpose: Purpose):
    engine = house.engine()
    plain = house.run(engine, purpose)
    unseen = {"controlnet", "ip_adapter"} if purpose is Purpose.TEXT_TO_LAYER else set()
    params = {key: value for key, value in ALL.items() if key not in unseen}
    assert np.abs(house.run(engine, purpose, **params) - plain).max() > 0.02
    assert (house.run(engine, purpose) == plain).all()


def test_weight_0_is_no_effect_and_order_does_not_matter(house: House):
    engine = house.engine()
    plain = house.run(engine)
    assert (house.run(engine, loras="ink:0, grain:0", controlnet="lines:0") == plain).all()
    assert (house.run(engine, loras="ink:.5,grain:.7") == house.run(engine, loras="grain:0.7, ink:0.5")).all()


@pytest.mark.parametrize("purpose", [Purpose.INPAINT, Purpose.TEXT_TO_LAYER], ids=lambda p: p.value)
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_a_reference_is_followed(house: House, purpose: Purpose, guidance: float):
    engine, draw = house.engine(), np.random.default_rng(5)
    params = {"steps": 2, "ip_adapter": "look", "guidance_scale": guidance}
    work = house.tiny.work(purpose, params=params, seeds=(3, 4))
    one, two = (draw.random(shape, np.float32) for shape in ((40, 70, 3), (33, 31, 3)))
    first, second = (np.stack(engine.run(replace(work, reference=picture), Silent())) for picture in (one, two))
    assert np.abs(first - second).max() > 0.004
    (alone,) = engine.run(replace(work, reference=one, seeds=(4,)), Silent())
    assert np.abs(alone - first[1]).max() < 1 / 255


def test_each_picture_of_a_batch_is_as_alone(house: House, caplog: pytest.LogCaptureFixture):
    engine = house.engine()
    work = house.tiny.work(Purpose.INPAINT, prompt="wood", params={"steps": 2, **ALL}, seeds=(3, 4))
    both = engine.run(work, Silent())
    (alone,) = engine.run(replace(work, seeds=(4,)), Silent())
    assert np.abs(alone - both[1]).max() < 1 / 255
    assert not [record for record in caplog.records if record.name.startswith("diffusers")], "no advice in the log"


def test_a_run_that_was_stopped_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch):
    engine = house.engine()
    plain = house.run(engine)
    with pytest.raises(Cancelled):
        house.run(engine, report=Told(stop_at_step=1), **ALL)
    with pytest.raises(ModelNotInstalled):
        house.run(engine, vae="sharp", controlnet="lines", loras="ink, inc")
    with pytest.raises(ParameterOutOfRange):
        house.run(engine, vae="sharp", scheduler="euler", loras="ink:9")
    assert (house.run(engine) == plain).all()

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(type(engine._pipes[house.tiny.rows[Purpose.INPAINT].pipeline].unet), "forward", broken)
        with pytest.raises(ZeroDivisionError):
            house.run(engine, **ALL)
    assert (house.run(engine) == plain).all()


def test_what_cannot_be_followed_is_refused_by_name(house: House, tmp_path: Path):
    engine = house.engine()
    with pytest.raises(ParameterNotHonoured, match="controlnet"):
        house.run(engine, Purpose.TEXT_TO_LAYER, controlnet="lines")
    with pytest.raises(ParameterNotHonoured, match="ip_adapter"):
        house.run(engine, Purpose.TEXT_TO_LAYER, ip_adapter="look")
    with pytest.raises(AddonUnsuitable, match="sharp is a vae; what is needed is a lora"):
        house.run(engine, loras="sharp")
    with pytest.raises(AddonUnsuitable, match="grain is a lora; what is needed is a vae"):
        house.run(engine, vae="grain")
    with pytest.raises(ParameterOutOfRange, match="wood is in neither prompt"):
        engine.run(house.tiny.work(Purpose.INPAINT, prompt="stone", params={"embeddings": "wood"}), Silent())
    with pytest.raises(ParameterUnknown):
        Tiny(lambda family: tmp_path, Family.SD15).spec.check_params({"lora": "ink"})


def test_a_file_that_changed_is_not_the_one_that_was_kept(house: House):
    engine = house.engine()
    before = house.run(engine, loras="ink")
    shutil.copyfile(house.root / "grain" / "grain.safetensors", house.root / "ink" / "ink.safetensors")
    with pytest.raises(ModelDamaged, match=r"ink\.safetensors"):
        house.run(engine, loras="ink")
    recorded(house.root / "ink", "ink", Family.LORA)
    assert np.abs(house.run(engine, loras="ink") - before).max() > 0.01
    assert (house.run(engine, loras="ink") == house.run(engine, loras="grain")).all()


@pytest.mark.parametrize(
    "rung", [Rung.FREE_CACHES, Rung.VAE_TILES, Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD], ids=lambda rung: rung.name
)
def test_where_memory_is_short_they_paint_the_same(house: House, zoo_folder: Folder, rung: Rung):
    tiny, setting, where = house.tiny, Setting().after(rung), "cpu:0"  # the processor plays the card
    row = tiny.rows[Purpose.INPAINT]
    pipe, wardrobe = fresh(tiny.folder, row.pipeline), fitting.Wardrobe(house.root, house.record)

    def paint(setting: Setting, **params: Any) -> np.ndarray:
        work = tiny.work(Purpose.INPAINT, prompt="a chair of wood", params={"steps": 2, **params}, seeds=(3,))
        forget()
        place(pipe, setting, where)
        with wardrobe.fitted(pipe, row, work, where) as fit, set_up(fit.pipe, setting, where):
            return painted(fit.pipe, row, TRAITS[tiny.family], work, Silent(), None, False, fit.given)[0]

    plain, wanted = paint(Setting()), paint(Setting(), **ALL)
    assert np.abs(wanted - plain).max() > 0.02
    for _ in range(2):
        assert np.abs(paint(setting, **ALL) - wanted).max() < 1e-5
        assert np.abs(paint(setting) - plain).max() < 1e-5


def test_from_a_users_file_to_a_picture(house: House, tmp_path: Path):
    source = tmp_path.parent / f"{tmp_path.name} Water Colour.safetensors"
    shutil.copyfile(house.root / "grain" / "grain.safetensors", source)
    record = adopt(Models(house.root), source, "water-colour")
    assert (record.family, record.purposes) == (Family.LORA, ())
    registry = Registry.installed(house.root)
    made = {engine.spec.id for engine in registry.engines} & set(Models(house.root).ids())
    assert made == {"mine"}, "add-ons are no engines"
    engine = registry.find("mine")
    params = engine.spec.check_params({"steps": 2, "loras": "water-colour:0.5"})
    work = house.tiny.work(Purpose.INPAINT, prompt="wood", params=params)
    wanted = engine.run(replace(work, params={**params, "loras": "grain:0.5"}), Silent())
    assert (np.stack(engine.run(work, Silent())) == np.stack(wanted)).all()


def test_they_are_read_once_and_few_are_kept(house: House, monkeypatch: pytest.MonkeyPatch):
    engine, read = house.engine(), []
    own = fitting.lora.read
    monkeypatch.setattr(fitting.lora, "read", lambda *given: (read.append(given[0].record.id), own(*given))[1])
    monkeypatch.setattr(fitting, "KEPT", 1)
    for loras in ("ink", "ink:0.5", "grain", "ink"):
        house.run(engine, loras=loras)
    assert read == ["ink", "grain", "ink"]
    engine.unload()
    house.run(engine, loras="ink")
    assert read == ["ink", "grain", "ink", "ink"]
