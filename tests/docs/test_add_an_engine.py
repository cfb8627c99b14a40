"""docs/add-an-engine.md: the package on it is the one that is run here, from its entry point to a result over gRPC."""

from __future__ import annotations

import importlib
import os
import re
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from docs_tables import FILE, PAGES, page, spec_table  # type: ignore[import-not-found]

from frisket.edits.requests import EditRequest, InpaintParams
from frisket.engines.registry import Registry
from frisket.engines.spec import EngineSpec
from frisket.errors import ParameterNotHonoured
from frisket.raster.geometry import Box, Size
from frisket.rpc.stubs import jobs_pb2
from live import ROOT, ServerProcess

EXAMPLE = ROOT / "docs" / "examples" / "frisket-plaster"
CANVAS = Size(40, 30)
HOLE = Box(10, 8, 6, 5)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as pip lays it down: the module, and the entry points of its pyproject.toml. On the path of this
    process and of those that it starts."""
    site = tmp_path / "site"
    info = site / "frisket_plaster-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "frisket_plaster.py").write_bytes((EXAMPLE / "frisket_plaster.py").read_bytes())
    written = (EXAMPLE / "pyproject.toml").read_text()
    found = re.search(r'\[project\.entry-points\."(.+)"\]\n(\w+) = "(.+)"\n', written)
    assert found
    group, name, where = found.groups()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frisket-plaster\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {where}\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delitem(sys.modules, "frisket_plaster", raising=False)
    return site


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_page_shows_what_there_is(path: Path) -> None:
    text = path.read_text()
    assert page(text) == text, "run `python docs/docs_tables.py`"


def test_the_page_shows_every_file_of_the_package() -> None:
    shown = {found["path"] for found in FILE.finditer((ROOT / "docs" / "add-an-engine.md").read_text())}
    there = {f"examples/frisket-plaster/{p.name}" for p in EXAMPLE.iterdir() if p.is_file()}
    assert shown == there


def test_the_table_names_every_field_and_what_it_means() -> None:
    rows = {row.split(" | ")[0]: row for row in spec_table().splitlines()[2:]}
    assert list(rows) == [f"| `{field.name}`" for field in fields(EngineSpec)]
    assert not [name for name, row in rows.items() if row.endswith("|  |")]


def test_a_page_that_is_out_of_date_is_seen() -> None:
    text = (ROOT / "docs" / "add-an-engine.md").read_text()
    assert page(text.replace("class Plaster:", "class Other:")) == text


def test_its_own_tests_pass(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    tests: ModuleType = importlib.import_module("test_frisket_plaster")
    monkeypatch.delitem(sys.modules, "test_frisket_plaster")
    run = [test for name, test in vars(tests).items() if name.startswith("test_")]
    assert len(run) == 2
    for test in run:
        test()


def test_its_entry_point_is_found(installed: Path) -> None:
    registry = Registry.installed()
    assert registry.find("plaster").spec.title == "Plaster"
    assert registry.default.spec.id == "patch", "who brings an engine does not become the default by it"
    assert not registry.broken


def test_it_goes_from_submit_to_result_over_grpc(installed: Path, own_server: ServerProcess) -> None:
    own_server.start()
    client = own_server.client("grpc")
    (listed,) = [engine for engine in client.engines() if engine.id == "plaster"]
    assert [param.name for param in listed.params] == ["grain"]
    pixels = np.full((30, 40, 3), 80, np.uint8)
    mask = np.zeros((30, 40), np.uint8)
    mask[HOLE.slices] = 255
    pixels[HOLE.slices] = 255
    whole = Box.of(CANVAS)
    request = EditRequest(CANVAS, whole, InpaintParams(), engine="plaster", engine_params={"grain": 0.0}, count=2)
    region = client.plan(request, [HOLE]).region
    assert (region.width, region.height) == (HOLE.width + 26, HOLE.height + 24), (
        "16 px each side, where there is picture"
    )
    job = client.submit(request, pixels.tobytes(), mask.tobytes())
    events = [event.WhichOneof("what") for event in client.watch(job.id)]
    assert events[-1] == "finished"
    assert events.count("progress") >= 1
    for index in range(2):
        result = client.result(job.id, index)
        assert (result.box, result.seed) == (HOLE, index)
        assert result.pixels == bytes([80]) * HOLE.area * 3
        assert result.maker is not None
        assert (result.maker.engine, result.maker.trained) == ("plaster", False)
    with pytest.raises(ParameterNotHonoured):
        client.plan(EditRequest(CANVAS, whole, InpaintParams(strength=0.5), engine="plaster"), [HOLE])
    assert client.jobs()[0].state == jobs_pb2.JOB_STATE_FINISHED
    client.close()
