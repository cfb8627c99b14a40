"""The acts of the ladder change where and how networks work, never what they make, and leave nothing behind."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion.ladder import Rung, Setting
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.spec import Silent
from frisket.models.families import Family, Purpose

torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
Zoo = Callable[[Family], Path]
WITH_WORDS = (Family.SD15, Family.SDXL, Family.SD3, Family.FLUX, Family.FLUX2_KLEIN, Family.Z_IMAGE, Family.QWEN_IMAGE)


def opened(family: Family, zoo_folder: Zoo, apart: bool = False) -> tuple[Any, Any]:
    """A tiny model and a pipeline of it that no other test has."""
    from engines.diffusion.tiny import Tiny
    from frisket.engines.diffusion.opening import opened

    tiny = Tiny(zoo_folder, family)
    return tiny, opened(tiny.folder, tiny.record, tiny.rows[Purpose.INPAINT], "cpu", apart)


def painted(tiny: Any, pipe: Any) -> np.ndarray:
    from frisket.engines.diffusion.painting import painted

    work = tiny.work(Purpose.INPAINT, seeds=(5,))
    return painted(pipe, tiny.rows[Purpose.INPAINT], TRAITS[tiny.family], work, Silent(), tiny.prior())[0]


def moves(pipe: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which network is moved where, from now on."""
    from frisket.engines.diffusion.placing import networks

    seen: list[tuple[str, str]] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def to(*args: Any, **kwargs: Any) -> Any:
            if args:  # else a change of precision
                seen.append((name, str(args[0])))
            return real(*args, **kwargs)

        return to

    for name, part in networks(pipe).items():
        monkeypatch.setattr(part, "to", watched(name, part.to))
    return seen


@pytest.mark.parametrize("family", WITH_WORDS, ids=lambda family: family.value)
def test_networks_that_read_words_rest_but_while_they_read(
    family: Family, zoo_folder: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frisket.engines.diffusion.placing import ENCODERS, networks, set_up

    tiny, pipe = opened(family, zoo_folder)
    plain, before = painted(tiny, pipe), networks(pipe)
    encoders = [name for name in before if name in ENCODERS]
    assert encoders
    seen = moves(pipe, monkeypatch)
    with set_up(pipe, Setting().after(Rung.FREE_CACHES), "cpu:0"):
        assert not set(encoders) & set(networks(pipe)), "the device of a pipeline is that of any of its networks"
        resting = painted(tiny, pipe)
    assert resting.tobytes() == plain.tobytes()
    assert networks(pipe) == before
    assert "encode_prompt" not in vars(pipe)
    for name in encoders:
        where = [device for part, device in seen if part == name]
        assert where[:3] == ["cpu", "cpu:0", "cpu"]
        assert where[-1] == "cpu"
    assert painted(tiny, pipe).tobytes() == plain.tobytes()


def test_who_stops_while_words_are_read_leaves_a_whole_pipeline(zoo_folder: Zoo) -> None:
    from engines.diffusion.tiny import Told
    from frisket.engines.diffusion.painting import painted as paint
    from frisket.engines.diffusion.placing import networks, place, set_up
    from frisket.errors import Cancelled

    tiny, pipe = opened(Family.SD15, zoo_folder)
    plain, before = painted(tiny, pipe), networks(pipe)
    row, work = tiny.rows[Purpose.INPAINT], tiny.work(Purpose.INPAINT, seeds=(5,))

    def stopped(report: Told) -> None:
        with set_up(pipe, Setting(frozenset({Rung.FREE_CACHES, Rung.VAE_TILES})), "cpu:0"):
            paint(pipe, row, TRAITS[tiny.family], work, report)

    for report in (Told(stop_at_look=1), Told(stop_at_look=3), Told(stop_at_step=2)):
        with pytest.raises(Cancelled):
            stopped(report)
        assert networks(pipe) == before
        assert not pipe.vae.use_tiling
        assert "encode_prompt" not in vars(pipe)
        place(pipe, Setting(), "cpu:0")
        assert painted(tiny, pipe).tobytes() == plain.tobytes()


def test_on_the_processor_nothing_rests(zoo_folder: Zoo) -> None:
    from frisket.engines.diffusion.placing import set_up

    _, pipe = opened(Family.SD15, zoo_folder)
    with set_up(pipe, Setting().after(Rung.FREE_CACHES), "cpu"):
        assert pipe.text_encoder is not None


def test_tiles_end_with_the_run_whatever_happens(zoo_folder: Zoo) -> None:
    from frisket.engines.diffusion.placing import tiled

    _, pipe = opened(Family.SDXL, zoo_folder)
    vae = pipe.vae
    vae.tile_sample_min_size, vae.tile_latent_min_size = 1024, 128
    before = dict(vars(vae))

    def fails() -> None:
        with tiled(pipe):
            assert vae.use_tiling
            assert vae.use_slicing
            assert (vae.tile_sample_min_size, vae.tile_latent_min_size) == (512, 64)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert {name: vars(vae)[name] for name in before} == before


def test_a_decode_in_tiles_is_that_of_its_tiles(zoo_folder: Zoo) -> None:
    from frisket.engines.diffusion.placing import tiled

    _, pipe = opened(Family.SD15, zoo_folder)
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 4, 12, 12, generator=generator)
    sides: list[int] = []
    handle = pipe.vae.decoder.register_forward_pre_hook(lambda _, given: sides.append(max(given[0].shape[2:])))
    with torch.no_grad():
        whole = pipe.vae.decode(latents).sample
        assert sides.pop() == 12
        pipe.vae.tile_latent_min_size, pipe.vae.tile_sample_min_size = 8, 8 * whole.shape[-1] // 12
        with tiled(pipe):
            tiles = pipe.vae.decode(latents).sample
    handle.remove()
    assert max(sides) == 8
    assert tiles.shape == whole.shape
    # Random weights make another picture of each tile (test_ladder has some that do not): the first one is what the
    # decoder makes of that part alone, up to where the second one is blended in.
    side = 6 * whole.shape[-1] // 12
    with torch.no_grad():
        first = pipe.vae.decode(latents[:, :, :8, :8]).sample
    assert torch.allclose(tiles[:, :, :side, :side], first[:, :, :side, :side], atol=1e-5)


@pytest.mark.parametrize("rung", [Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD], ids=lambda rung: rung.value)
@pytest.mark.parametrize("family", [Family.SD15, Family.FLUX], ids=lambda family: family.value)
def test_weights_kept_apart_make_the_same_picture_and_siblings_follow(
    family: Family, rung: Rung, zoo_folder: Zoo
) -> None:
    from frisket.engines.diffusion.opening import sibling
    from frisket.engines.diffusion.painting import painted as paint
    from frisket.engines.diffusion.placing import in_groups, place

    tiny, pipe = opened(family, zoo_folder, apart=True)
    plain = painted(tiny, pipe)
    setting = Setting().after(rung)
    row = tiny.rows[Purpose.VARIATION]
    work = tiny.work(Purpose.VARIATION, seeds=(5,), strength=0.7)
    want = paint(sibling(pipe, row), row, TRAITS[family], work, Silent())[0]
    place(pipe, setting, "cpu:0")
    assert in_groups(pipe) is (rung is Rung.GROUP_OFFLOAD)
    assert painted(tiny, pipe).tobytes() == plain.tobytes()
    other = sibling(pipe, row)
    place(other, setting, "cpu:0")
    assert paint(other, row, TRAITS[family], work, Silent())[0].tobytes() == want.tobytes()
    place(pipe, setting, "cpu:0")
    assert painted(tiny, pipe).tobytes() == plain.tobytes()


def test_what_cannot_be_moved_layer_by_layer_stays_whole(zoo_folder: Zoo) -> None:
    from frisket.engines.diffusion.placing import in_groups, place, whole

    tiny, pipe = opened(Family.KANDINSKY22_INPAINT, zoo_folder)
    plain = painted(tiny, pipe)
    place(pipe, Setting().after(Rung.GROUP_OFFLOAD), "cpu:0")
    assert (in_groups(pipe), whole(pipe)) == (True, ["movq"])
    assert painted(tiny, pipe).tobytes() == plain.tobytes()


def test_freeing_forgets_what_was_read(zoo_folder: Zoo) -> None:
    from frisket.engines.diffusion import memo
    from frisket.engines.diffusion.placing import free

    tiny, pipe = opened(Family.SD15, zoo_folder)
    painted(tiny, pipe)
    assert len(memo._prompts) > 0
    free("cpu")
    assert len(memo._prompts) == 0
