"""Networks in one file: told apart by their tensors, and held to what they are said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.torchfiles import zipped
from fakes.weights import safetensors
from frisket.errors import ModelFileUnusable
from frisket.models.families import FILES, PURPOSES, Family
from frisket.models.networks import MARKS, UPSCALERS, check, family_of, family_of_tensors
from frisket.models.safetensors import Tensor

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights"


def held(*names: str, **shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name: Tensor("F32", (1,), 0, 4) for name in names} | {n: Tensor("F32", s, 0, 4) for n, s in shapes.items()}


def test_every_network_comes_as_some_file_and_is_known_by_something() -> None:
    assert set(MARKS) == set(FILES) - {Family.UPSCALER, Family.YUNET}
    assert all(PURPOSES[family] for family in FILES)


@pytest.mark.parametrize(("family", "marks"), [*MARKS.items(), *((Family.UPSCALER, marks) for marks in UPSCALERS)])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_marks(family: Family, marks: tuple[str, ...], prefix: str) -> None:
    assert family_of_tensors(held(*(prefix + mark for mark in marks), prefix + "another")) is family
    for missing in marks:
        rest = (prefix + mark for mark in marks if mark != missing)
        assert family_of_tensors(held(*rest, prefix + "another")) is None


def test_a_compact_upscaler_is_one_row_of_convolutions() -> None:
    row = {"body.0.weight": (64, 3, 3, 3), "body.1.weight": (64,), "body.2.weight": (64, 64, 3, 3)}
    assert family_of_tensors(held(**row)) is Family.UPSCALER
    assert family_of_tensors(held(**row | {"head.weight": (1,)})) is None
    assert family_of_tensors(held(**row | {"body.1.weight": (32,)})) is None
    assert family_of_tensors(held(**row | {"body.0.weight": (64, 3, 5, 5)})) is None
    assert family_of_tensors({}) is None


def test_a_safetensors_file_is_known_as_well(tmp_path: Path) -> None:
    names = MARKS[Family.CODEFORMER]
    (tmp_path / "a.safetensors").write_bytes(safetensors(dict.fromkeys(names, ("F32", (1,)))))
    assert family_of(tmp_path / "a.safetensors") is Family.CODEFORMER


def test_what_is_another_familys_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(zipped(dict.fromkeys(MARKS[Family.GFPGAN], (1,)), "params_ema"))
    check(tmp_path, ["a.pth"], Family.GFPGAN)
    for family in (Family.UPSCALER, Family.CODEFORMER):
        with pytest.raises(ModelFileUnusable, match=f"{family.value} is wanted, it is of the family gfpgan"):
            check(tmp_path, ["a.pth"], family)
    with pytest.raises(ModelFileUnusable, match="taken of networks alone"):
        check(tmp_path, ["a.pth"], Family.YUNET)


def test_files_beside_a_network_are_not_its_business(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(zipped({"a": (1,)}))
    check(tmp_path, ["a.pth", "config.json"], Family.UPSCALER)


@pytest.mark.parametrize(
    ("file", "family"),
    [
        ("realesr-general-x4v3.pth", Family.UPSCALER),
        ("realesr-animevideov3-x4.pth", Family.UPSCALER),
        ("retinaface_mobile0.25.pth", Family.RETINAFACE),
        ("tracer-efficient-0.pth", Family.TRACER),
        ("yunet_n_dynamic.onnx", Family.YUNET),
        ("sinet-portrait.pth", None),
        ("cartoongan_hayao.pt", None),
    ],
)
def test_real_weights(file: str, family: Family | None) -> None:
    if not (WEIGHTS / file).is_file():
        pytest.skip(f"real weights are not at {WEIGHTS / file}")
    assert family_of(WEIGHTS / file) is family
    if family:
        check(WEIGHTS, [file], family)
