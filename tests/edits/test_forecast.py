"""How long an edit will take, from those before it."""

from dataclasses import replace

import pytest

from frisket.edits.forecast import LATEST, seconds, work
from frisket.edits.requests import EditRequest, InpaintParams
from frisket.raster.geometry import Box, Size
from frisket.raster.sizes import SizeRule

ANY = SizeRule(16, 4096, 1)
NATIVE = SizeRule(64, 4096, 8, max_pixels=1024**2, native_side=512)


def request(side: int, **more) -> EditRequest:
    return EditRequest(Size(4000, 4000), Box(0, 0, side, side), InpaintParams(), **more)


def test_nothing_is_said_where_nothing_is_known():
    assert seconds(request(100), Box(0, 0, 100, 100), ANY, []) is None
    assert seconds(request(100), Box(0, 0, 100, 100), ANY, [(request(100), 0.01)]) is None


def test_twice_the_pixels_pictures_or_steps_take_twice_as_long():
    done = [(request(100), 2.0)]
    assert seconds(request(100), Box(0, 0, 100, 200), ANY, done) == pytest.approx(4)
    assert seconds(request(100, count=3), Box(0, 0, 100, 100), ANY, done) == pytest.approx(6)
    stepped = [(request(100, engine_params={"steps": 10}), 5.0)]
    wanted = request(100, engine_params={"steps": 30})
    assert seconds(wanted, Box(0, 0, 100, 100), ANY, stepped) == pytest.approx(15)


def test_an_engine_with_a_size_of_its_own_takes_as_long_for_less_and_no_longer_for_more():
    assert work(request(10), Box(0, 0, 10, 10), NATIVE) == 512**2
    assert work(request(10), Box(0, 0, 700, 700), NATIVE) == 700**2
    assert work(request(10), Box(0, 0, 3000, 3000), NATIVE) == 1024**2


def test_the_median_of_the_latest_counts():
    slow_first = [(request(100), took) for took in (2.0, 2.0, 2.1, 30.0)]
    assert seconds(request(100), Box(0, 0, 100, 100), ANY, slow_first) == pytest.approx(2.05)
    older = [(request(100), 1.0)] * LATEST + [(request(100), 99.0)] * 50
    assert seconds(request(100), Box(0, 0, 100, 100), ANY, older) == pytest.approx(1)


def test_an_empty_region_still_is_work():
    assert work(replace(request(100), region=Box(0, 0, 0, 0)), Box(0, 0, 0, 0), ANY) == 1
