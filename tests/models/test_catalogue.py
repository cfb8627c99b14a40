"""The catalogue: what is built in, what the user adds, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from frisket.errors import CatalogueInvalid, ModelNotListed
from frisket.models.catalogue import Commercial, File, Licence, find, in_words, is_id, is_plain, load
from frisket.models.families import PURPOSES, Family, Purpose

LICENCE = {"name": "MIT", "link": "https://example.org", "commercial": "yes"}
MINE = {"title": "Mine", "repository": "me/mine", "revision": "main", "family": "lora", "licence": LICENCE}
ADDONS = {Family.LORA, Family.TEXTUAL_INVERSION, Family.CONTROLNET, Family.IP_ADAPTER, Family.VAE}
UNPINNED = {Family.TRACER}  # no sha256 of its published files is known for certain: imported only
SHA = "ab" * 32
FILE = {"path": "a.pth", "size": 5, "sha256": SHA, "url": "https://example.org/releases/v1/a.pth"}
DIRECT = {"title": "Mine", "family": "upscaler", "licence": LICENCE, "files": [FILE]}


def put(folder: Path, name: str, models: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({"models": models}))
    return folder


def test_every_family_that_paints_is_built_in() -> None:
    found = load()
    assert {e.family for e in found.values()} == set(Family) - ADDONS - UNPINNED
    assert len({e.source for e in found.values()}) == len(found)
    for entry in found.values():
        assert entry.licence.link.startswith("https://")
        assert entry.purposes == PURPOSES.get(entry.family, ())


def test_nothing_in_it_is_guessed() -> None:
    for entry in load().values():
        assert all(len(f.sha256 or "0" * 64) == 64 for f in entry.files)
        if not entry.files:
            assert entry.size is None, "the hub says"
        if not entry.repository:
            assert all(f.size and f.sha256 and f.url.startswith("https://") for f in entry.files), "nobody else says"
    assert load()["codeformer"].licence.needs_accepting
    assert load()["codeformer"].licence.commercial is Commercial.NO
    assert load()["flux-fill"].licence.gated
    assert load()["flux-fill"].licence.commercial is Commercial.NO


def test_the_users_own_are_merged_over_it_field_by_field(tmp_path: Path) -> None:
    put(tmp_path / "c", "1.json", {"sd15": {"revision": "abc123"}, "mine": MINE})
    put(tmp_path / "c", "2.json", {"sd15": {"title": "SD, pinned", "purposes": ["inpaint"]}})
    found, plain = load(tmp_path / "c"), load()
    assert (found["sd15"].revision, found["sd15"].title) == ("abc123", "SD, pinned")
    assert found["sd15"].purposes == (Purpose.INPAINT,)
    assert found["sd15"].repository == plain["sd15"].repository
    assert found["mine"].family is Family.LORA
    assert len(found) == len(plain) + 1
    assert load(tmp_path / "nowhere") == plain


def test_files_have_sizes_and_hashes_or_leave_them_to_the_hub(tmp_path: Path) -> None:
    files = [{"path": "a.safetensors", "size": 5, "sha256": "ab" * 32}, {"path": "b/c.json", "size": 7}]
    mine = load(put(tmp_path / "c", "a.json", {"mine": {**MINE, "files": files}}))["mine"]
    assert mine.files == (File("a.safetensors", 5, "ab" * 32), File("b/c.json", 7, None))
    assert mine.size == 12


def test_files_may_say_where_they_lie(tmp_path: Path) -> None:
    mine = load(put(tmp_path / "c", "a.json", {"mine": DIRECT}))["mine"]
    assert mine.files == (File("a.pth", 5, SHA, FILE["url"]),)
    assert (mine.repository, mine.revision, mine.source, mine.size) == ("", "", FILE["url"], 5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"repository": "me/mine"}, "either a repository"),
        ({"revision": "main"}, "either a repository"),
        ({"files": [FILE, {"path": "b.pth"}]}, "either a repository"),
        ({"files": [FILE, {**FILE, "path": "b.pth", "url": "https://other.org/b.pth"}]}, "on one server"),
        ({"files": [{**FILE, "sha256": None}]}, "its size and sha256 are needed"),
        ({"files": [{"path": "a.pth", "sha256": SHA, "url": FILE["url"]}]}, "its size and sha256 are needed"),
        ({"files": [{**FILE, "url": "http://example.org/a.pth"}]}, "url cannot be"),
        ({"files": [{**FILE, "url": "https://me:secret@example.org/a.pth"}]}, "url cannot be"),
        ({"files": [{**FILE, "url": "https://example.org/a.pth?x=1"}]}, "url cannot be"),
        ({"files": [{**FILE, "url": "https://example.org/../a.pth"}]}, "url cannot be"),
        ({"files": [{**FILE, "url": "file:///etc/passwd"}]}, "url cannot be"),
        ({"files": [{**FILE, "path": "a.onnx"}]}, "a.onnx is none of"),
        ({"family": "lora"}, "a.pth is none of"),
        ({"files": []}, "lacks repository"),
    ],
)
def test_addresses_that_make_no_sense_are_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    put(tmp_path / "c", "mine.json", {"mine": {**DIRECT, **change}})
    with pytest.raises(CatalogueInvalid) as caught:
        load(tmp_path / "c")
    assert told in caught.value.cause


def test_the_example_in_the_docs_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text()
    (tmp_path / "mine.json").write_text(text.split("```json\n")[1].split("```")[0])
    found = load(tmp_path)
    assert found["my-style"].size == 1234
    assert found["sdxl"].revision == "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"family": "sd99"}, "sd99"),
        ({"repository": "../../etc"}, "repository cannot be"),
        ({"repository": "one"}, "repository cannot be"),
        ({"revision": "a/../b"}, "revision cannot be"),
        ({"licence": {"name": "MIT", "link": "x"}}, "lacks commercial"),
        ({"licence": {**LICENCE, "gated": "yes"}}, "gated must be"),
        ({"licens": {}}, "no field licens"),
        ({"memory_needed": -1}, "memory_needed"),
        ({"files": [{"path": "../up.safetensors"}]}, "no path within a model"),
        ({"files": [{"path": "/etc/passwd.json"}]}, "no path within a model"),
        ({"files": [{"path": "evil.bin"}]}, "evil.bin is none of"),
        ({"files": [{"path": "a.json", "sha256": "xyz"}]}, "sha256 cannot be"),
        ({"defaults": {"steps": [1]}}, "default of steps"),
        ({"title": None}, "title must be a text"),
    ],
)
def test_what_is_wrong_is_told_with_its_file(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    put(tmp_path / "c", "mine.json", {"mine": {**MINE, **change}})
    with pytest.raises(CatalogueInvalid) as caught:
        load(tmp_path / "c")
    assert told in caught.value.cause
    assert caught.value.data["path"].endswith("mine.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"models": []}', '{"models": {"a": 1}}', "[" * 100_000])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(CatalogueInvalid):
        load(tmp_path)


def test_near_misses_are_offered() -> None:
    with pytest.raises(ModelNotListed) as caught:
        find(load(), "flux-fil")
    assert caught.value.remedy.startswith("Did you mean flux-fill")


def test_what_can_be_a_name() -> None:
    assert is_id("sd15-inpaint")
    assert not any(is_id(n) for n in ("", ".pulling", "..", "a/b", "A", "a..b", "a" * 65, "a\n", "-a"))
    assert all(is_plain(p) for p in ("a.json", "unet/model-00001-of-00002.safetensors", "a b/c+d.txt"))
    bad = (
        "",
        "/a",
        "a/../b",
        "..",
        "a//b",
        "./a",
        ".git/config",
        "a\\b",
        "C:/x",
        "a/",
        "a\0",
        "a./b",
        "ü.json",
        "x" * 241,
    )
    assert not any(is_plain(p) for p in bad)


@pytest.mark.parametrize("commercial", Commercial)
@pytest.mark.parametrize("gated", [False, True])
def test_which_licences_need_a_yes(commercial: Commercial, gated: bool) -> None:
    free = commercial is Commercial.YES and not gated
    assert Licence("L", "https://example.org", commercial, gated).needs_accepting is not free


def test_bytes_in_words() -> None:
    told = [in_words(n) for n in (0, 999, 1000, 1_500_000, 999_960_000, 24_200_000_000, 3_000_000_000_000)]
    assert told == ["0 B", "999 B", "1.0 kB", "1.5 MB", "1.0 GB", "24.2 GB", "3.0 TB"]
