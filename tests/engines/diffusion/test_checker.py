"""A model's own safety checker, one that flags everything and one that flags nothing, and what becomes of the edit."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frisket.engines.diffusion.capabilities import spec_of
from frisket.engines.registry import Registry
from frisket.errors import ModelDamaged, PictureWithheld, SafetyCheckerMissing
from frisket.models.families import Family

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
Zoo = Callable[[Family], Path]


def flagging(zoo_folder: Zoo, tmp_path: Path) -> Path:
    """A copy of the inpaint model whose checker flags every picture."""
    from engines.diffusion.zoo_parts import safety_checker

    folder = Path(shutil.copytree(zoo_folder(Family.SD15_INPAINT), tmp_path / "flagging"))
    shutil.rmtree(folder / "safety_checker")
    safety_checker(flags=True).save_pretrained(folder / "safety_checker", safe_serialization=True)
    return folder


@pytest.mark.parametrize("flags", [False, True])
def test_each_picture_gets_a_verdict_and_is_left_as_it_is(zoo_folder: Zoo, tmp_path: Path, flags: bool):
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.checker import SafetyChecker

    folder = flagging(zoo_folder, tmp_path) if flags else zoo_folder(Family.SD15_INPAINT)
    pictures = [np.random.default_rng(k).random((40, 56, 3), np.float32) for k in range(3)]
    before = [picture.copy() for picture in pictures]
    assert SafetyChecker(folder, record_of(Family.SD15_INPAINT, folder)).unfit(pictures) == [flags] * 3
    assert all((a == b).all() for a, b in zip(pictures, before, strict=True))


@pytest.mark.parametrize(("h", "w"), [(40, 40), (40, 56), (32, 160), (160, 32), (33, 100)])
def test_no_part_of_a_picture_is_unseen(h: int, w: int, zoo_folder: Zoo):
    """CLIP sees a square from the middle: what lies beside it has to be looked at, too."""
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.checker import SafetyChecker

    folder = zoo_folder(Family.SD15_INPAINT)
    checker = SafetyChecker(folder, record_of(Family.SD15_INPAINT, folder))
    asked: list[float] = []

    class Spy:
        def __call__(self, images, clip_input):
            asked.append(float(clip_input.max()))
            return images, [asked[-1] > 0]

    checker._network = Spy()  # what is bright anywhere is flagged
    dark = np.zeros((h, w, 3), np.float32)
    assert checker.unfit([dark]) == [False]
    for y in (0, h // 2, h - 8):
        for x in (0, w // 2, w - 8):
            picture = dark.copy()
            picture[y : y + 8, x : x + 8] = 1
            assert checker.unfit([picture]) == [True]


def test_a_model_says_whether_it_has_one(zoo_folder: Zoo):
    from engines.diffusion.zoo import record_of

    assert spec_of(record_of(Family.SD15_INPAINT, zoo_folder(Family.SD15_INPAINT))).checks
    assert not spec_of(record_of(Family.SD15, zoo_folder(Family.SD15))).checks


def test_a_checker_that_lacks_a_tensor_is_told(zoo_folder: Zoo, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.checker import SafetyChecker

    folder = flagging(zoo_folder, tmp_path)
    (path,) = (folder / "safety_checker").glob("*.safetensors")
    tensors = load_file(path)
    del tensors["concept_embeds"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelDamaged, match="concept_embeds"):
        SafetyChecker(folder, record_of(Family.SD15_INPAINT, folder))


def test_through_the_house_what_is_flagged_is_withheld_and_a_model_without_one_refused(zoo_folder: Zoo, tmp_path: Path):
    from engines.diffusion.zoo import install
    from fakes.tellers import Listener
    from frisket.edits.requests import EditRequest, InpaintParams, to_json
    from frisket.edits.run import EngineEasel
    from frisket.raster.geometry import Box, Size

    root = tmp_path / "models"
    install(Family.SD15_INPAINT, zoo_folder(Family.SD15_INPAINT), root, "free")
    install(Family.SD15_INPAINT, flagging(zoo_folder, tmp_path), root, "strict")
    install(Family.SD15, zoo_folder(Family.SD15), root, "blind")
    easel = EngineEasel(Registry.installed(root).with_safety())
    picture, mask = np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64), np.uint8)
    mask[20:44, 20:44] = 255
    planes = {"pixels": memoryview(picture.tobytes()), "mask": memoryview(mask.tobytes())}

    def ask(engine: str) -> str:
        box = Box(0, 0, 64, 64)
        return to_json(EditRequest(box.size, box, InpaintParams("sofa"), engine=engine, engine_params={"steps": 1}))

    assert Size(64, 64) == Box(0, 0, 64, 64).size
    assert len(easel.run(ask("free"), planes, Listener())) == 1
    with pytest.raises(PictureWithheld):
        easel.run(ask("strict"), planes, Listener())
    with pytest.raises(SafetyCheckerMissing):
        easel.run(ask("blind"), planes, Listener())
