"""How the server is started: settings that were kept, refused, and made options of `frisket serve`."""

from __future__ import annotations

import json

import pytest
from frisket_gimp import serving
from frisket_gimp.serving import DEFAULT, Serving

from frisket.cli.serve import serve
from frisket.errors import ParameterOutOfRange

ALL = Serving("/models", "10 GB", 15, 64, True)


def test_as_at_first_nothing_is_added():
    assert serving.options(DEFAULT) == []


@pytest.mark.parametrize("wanted", [ALL, Serving(gpu_memory="512MiB"), Serving(idle_minutes=1), Serving(megapixels=1)])
def test_the_server_takes_what_is_made_of_them(wanted):
    parsed = serve.make_context("serve", serving.options(serving.checked(wanted))).params
    plain = serve.make_context("serve", []).params
    assert (parsed["gpu_memory"] is not None) == bool(wanted.gpu_memory)
    assert parsed["idle_exit"] == wanted.idle_minutes * 60
    assert parsed["max_megapixels"] == wanted.megapixels
    assert parsed["safety_checker"] == wanted.safety_checker
    assert str(parsed["models"] or "") == wanted.models
    others = {"gpu_memory", "idle_exit", "max_megapixels", "safety_checker", "models"}
    assert {n: v for n, v in parsed.items() if n not in others} == {n: v for n, v in plain.items() if n not in others}


def test_what_is_kept_comes_back():
    assert serving.of(json.loads(json.dumps(serving.kept_as(ALL)))) == ALL


@pytest.mark.parametrize(
    "told",
    [{}, {"models": 3}, {"idle_minutes": True}, {"megapixels": "many"}, {"gpu_memory": "lots"}, {"megapixels": -1}],
)
def test_what_cannot_be_used_is_as_at_first(told):
    assert serving.of(told) == DEFAULT


@pytest.mark.parametrize(
    "wanted",
    [
        Serving(models="models"),
        Serving(models=__file__),
        Serving(gpu_memory="ten"),
        Serving(gpu_memory="10"),
        Serving(gpu_memory="0GB"),
        Serving(gpu_memory="--pin x"),
        Serving(idle_minutes=-1),
        Serving(megapixels=0),
        Serving(megapixels=serving.MAX_MEGAPIXELS + 1),
    ],
)
def test_what_the_server_would_refuse_is_refused_at_once(wanted):
    with pytest.raises(ParameterOutOfRange):
        serving.checked(wanted)


def test_blanks_around_mean_nothing(tmp_path):
    assert serving.checked(Serving(f" {tmp_path} ", " 1GB ")) == Serving(str(tmp_path), "1GB")
