"""The door to networks: whole, finite, of the right kind, and nothing runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from frisket.engines import nets
from frisket.errors import ModelDamaged, ModelFileUnusable, NetworkPartsMissing
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")


def record_of(folder: Path, family: Family = Family.UPSCALER) -> Record:
    paths = sorted(p for p in folder.iterdir() if p.is_file())
    files = tuple(Held(p.name, p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest()) for p in paths)
    licence = Licence("test", "", Commercial.UNKNOWN)
    return Record("net", "net", family, PURPOSES[family], licence, files, "2026-01-01T00:00:00Z", source="test")


def saved(folder: Path, state: Any, name: str = "net.pth", **how: Any) -> tuple[Path, Record]:
    torch.save(state, folder / name, **how)
    return folder, record_of(folder)


def tiny() -> Any:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


def compact(scale: int = 2) -> Any:
    nets.make_importable()
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(1)
    return Compact(num_feat=8, num_conv=2, upscale=scale).state_dict()


@pytest.mark.parametrize("wrap", ["", "params_ema", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_come_back_as_they_were_saved(tmp_path: Path, wrap: str, prefix: str, zipped: bool) -> None:
    wanted = tiny().state_dict()
    state = {prefix + name: tensor for name, tensor in wanted.items()}
    made = saved(tmp_path, {wrap: state, "iter": 3} if wrap else state, _use_new_zipfile_serialization=zipped)
    found = nets.state_of(*made)
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_safetensors_open_by_the_same_door(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.arange(6.0)}, tmp_path / "net.safetensors")
    assert torch.equal(nets.state_of(tmp_path, record_of(tmp_path))["a"], torch.arange(6.0))


def test_of_several_files_the_one_that_is_named(tmp_path: Path) -> None:
    saved(tmp_path, {"a": torch.zeros(1)}, "a.pth")
    folder, record = saved(tmp_path, {"b": torch.zeros(2)}, "b.pth")
    assert list(nets.state_of(folder, record, folder / "b.pth")) == ["b"]
    with pytest.raises(ModelFileUnusable, match="2 files of weights"):
        nets.state_of(folder, record)


def test_a_network_is_filled_without_a_rest(tmp_path: Path) -> None:
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tiny().state_dict().items()
    }
    with torch.device("meta"):
        network = tiny()
    made = nets.filled(network, state, tmp_path)
    assert not made.training
    assert {p.dtype for p in made.parameters()} == {torch.float32}
    assert not any(p.requires_grad or p.is_meta for p in made.parameters())
    assert torch.equal(made[0].weight, state["0.weight"].float())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"0.weight": None}, "lacks 0.weight"),
        ({"2.weight": (1,)}, "2.weight has no place"),
        ({"0.weight": (4, 3, 5, 5)}, r"0.weight is \(4, 3, 5, 5\), not \(4, 3, 3, 3\)"),
    ],
)
def test_a_rest_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    state = tiny().state_dict()
    for name, shape in change.items():
        state.pop(name, None)
        if shape:
            state[name] = torch.zeros(shape)
    with pytest.raises(ModelFileUnusable, match=told):
        nets.filled(tiny(), state, tmp_path)


def test_no_room_is_no_room_in_whichever_words(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny()
    assert nets.placed(network) is network
    for error, wanted in (
        (torch.OutOfMemoryError("CUDA out of memory"), MemoryError),
        (RuntimeError("can't allocate memory"), MemoryError),
        (RuntimeError("no kernel"), RuntimeError),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(network, "to", fail)
        with pytest.raises(wanted):
            nets.placed(network)


def test_files_that_changed_are_damaged(tmp_path: Path) -> None:
    folder, record = saved(tmp_path, tiny().state_dict())
    whole = (folder / "net.pth").read_bytes()
    (folder / "net.pth").write_bytes(whole[:-50])
    with pytest.raises(ModelDamaged, match="not as it was installed"):
        nets.state_of(folder, record)
    (folder / "net.pth").write_bytes(whole)
    (folder / "more.pth").write_bytes(whole)
    with pytest.raises(ModelDamaged, match="not part of it"):
        nets.state_of(folder, record, folder / "more.pth")


def test_numbers_that_are_none_are_told(tmp_path: Path) -> None:
    state = tiny().state_dict()
    state["0.weight"][3, 2, 1, 0] = float("nan")
    with pytest.raises(ModelDamaged, match=r"0\.weight holds values that are no numbers"):
        nets.state_of(*saved(tmp_path, state))


def test_a_pickle_that_does_something_does_not_do_it(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'touched'}",)

    for zipped in (True, False):
        made = saved(tmp_path, {"a": torch.zeros(1), "b": Evil()}, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelFileUnusable, match="never run"):
            nets.state_of(*made)
    assert not (tmp_path / "touched").exists()


def test_torchscript_is_refused(tmp_path: Path) -> None:
    from zipfile import ZipFile

    folder, _ = saved(tmp_path, tiny().state_dict())
    with ZipFile(folder / "net.pth", "a") as archive:
        archive.writestr("net/code/__torch__.py", "")
    with pytest.raises(ModelFileUnusable, match="TorchScript"):
        nets.state_of(folder, record_of(folder))


@pytest.mark.parametrize("scale", [2, 4])
def test_spandrel_knows_an_upscaler(tmp_path: Path, scale: int) -> None:
    model = nets.spandrel_model(*saved(tmp_path, {"params": compact(scale)}), "SR")
    assert (model.scale, model.architecture.name, model.purpose) == (scale, "RealESRGAN Compact", "SR")
    assert not model.model.training
    with torch.inference_mode():
        assert model(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5 * scale, 7 * scale)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (tiny, "spandrel does not know"),
        (lambda: compact() | {"body.99.weight": torch.zeros(1)}, "do not fit together"),
        (lambda: {n: t for n, t in compact().items() if n != "body.2.bias"}, "do not fit together"),
    ],
)
def test_what_is_no_upscaler_is_told(tmp_path: Path, make: Any, told: str) -> None:
    made = make()
    with pytest.raises(ModelFileUnusable, match=told):
        nets.spandrel_model(*saved(tmp_path, made if isinstance(made, dict) else made.state_dict()), "SR")


def test_what_is_for_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileUnusable, match="for SR by RealESRGAN Compact, not for FaceSR"):
        nets.spandrel_model(*saved(tmp_path, compact()), "FaceSR")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = saved(tmp_path, compact())
    monkeypatch.setattr(nets, "find_spec", lambda name: None if name == "spandrel" else object())
    with pytest.raises(NetworkPartsMissing, match="spandrel"):
        nets.state_of(*made)


def test_importing_it_is_light() -> None:
    code = "import sys, frisket.engines.nets; print([n for n in ('torch', 'spandrel', 'cv2') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
