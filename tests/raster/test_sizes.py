"""Working sizes: always within the rule, as large as it allows, aspect kept."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from frisket.errors import RequestInvalid
from frisket.raster.geometry import Size
from frisket.raster.sizes import MAX_UPSCALE, Fit, SizeRule

SIDES = st.integers(1, 20000)
SIZES = st.builds(Size, SIDES, SIDES)


@st.composite
def rules(draw: st.DrawFn) -> SizeRule:
    multiple = draw(st.sampled_from([1, 2, 8, 16, 32, 64]))
    smallest = draw(st.integers(1, 600))
    least = -(-smallest // multiple) * multiple
    return SizeRule(
        min_side=smallest,
        max_side=draw(st.integers(least, 5000)),
        multiple=multiple,
        max_pixels=draw(st.one_of(st.just(0), st.integers(least * least, 5_000_000))),
        native_side=draw(st.sampled_from([0, 0, 512, 1024])),
    )


@pytest.mark.parametrize(
    ("rule", "size", "fit"),
    [
        (SizeRule(), Size(640, 481), Fit(Size(640, 481), Size(640, 481), Size(640, 481))),
        (SizeRule(multiple=8), Size(640, 481), Fit(Size(640, 481), Size(640, 481), Size(640, 488))),
        (SizeRule(min_side=64), Size(640, 10), Fit(Size(640, 10), Size(640, 10), Size(640, 64))),
        (SizeRule(max_side=512), Size(2048, 1024), Fit(Size(2048, 1024), Size(512, 256), Size(512, 256))),
        (SizeRule(max_side=500, multiple=64), Size(2048, 1024), Fit(Size(2048, 1024), Size(448, 224), Size(448, 256))),
        (SizeRule(max_pixels=1 << 20), Size(4096, 4096), Fit(Size(4096, 4096), Size(1024, 1024), Size(1024, 1024))),
        (
            SizeRule(native_side=1024, multiple=16),
            Size(300, 200),
            Fit(Size(300, 200), Size(1024, 683), Size(1024, 688)),
        ),
        (SizeRule(native_side=1024), Size(20, 10), Fit(Size(20, 10), Size(160, 80), Size(160, 80))),
        (SizeRule(native_side=512), Size(600, 50), Fit(Size(600, 50), Size(600, 50), Size(600, 50))),
        (SizeRule(max_side=100), Size(10000, 1), Fit(Size(10000, 1), Size(100, 1), Size(100, 1))),
    ],
)
def test_plan_table(rule, size, fit):
    assert rule.plan(size) == fit


@given(rules(), SIZES)
def test_the_padded_size_satisfies_the_rule(rule, size):
    padded = rule.plan(size).padded
    assert rule.min_side <= padded.shorter
    assert padded.longer <= rule.max_side
    assert padded.width % rule.multiple == padded.height % rule.multiple == 0
    assert rule.max_pixels == 0 or padded.area <= rule.max_pixels


@given(rules(), SIZES)
def test_padding_is_the_least_that_the_rule_asks_for(rule, size):
    fit = rule.plan(size)
    for scaled, padded in ((fit.scaled.width, fit.padded.width), (fit.scaled.height, fit.padded.height)):
        assert padded >= scaled >= 1
        assert padded - rule.multiple < max(scaled, rule.min_side)


@given(rules(), SIZES)
def test_the_aspect_is_kept_to_half_a_pixel(rule, size):
    fit = rule.plan(size)
    for source, scaled in ((size.width, fit.scaled.width), (size.height, fit.scaled.height)):
        assert scaled == 1 or abs(source * fit.scale - scaled) <= 0.5 + 1e-9


@given(rules(), SIZES)
def test_only_a_native_side_enlarges(rule, size):
    fit = rule.plan(size)
    if rule.native_side == 0 or size.longer >= rule.native_side:
        assert fit.scaled.longer <= size.longer
    else:
        assert fit.scale <= MAX_UPSCALE
        assert fit.scaled.longer <= rule.native_side


@given(rules(), SIZES)
def test_nothing_is_given_away(rule, size):
    """One pixel more on the longer side would break the rule, or is not wanted."""
    fit = rule.plan(size)
    wanted = max(size.longer, min(rule.native_side, MAX_UPSCALE * size.longer))
    assume(fit.scaled.longer < wanted)
    more = (fit.scaled.longer + 1) / size.longer
    sides = [max(1, round(side * more)) for side in (size.width, size.height)]
    least = [-(-max(side, rule.min_side) // rule.multiple) * rule.multiple for side in sides]
    area = least[0] * least[1]
    # a side that falls on a half may round either way: then allow the next multiple
    slack = (least[0] + rule.multiple) * (least[1] + rule.multiple)
    assert max(least) > rule.max_side or (rule.max_pixels and max(area, slack) > rule.max_pixels)


def test_what_a_fit_says_of_itself():
    same = SizeRule().plan(Size(30, 20))
    assert same.unchanged
    assert not same.reduced
    assert same.scale == 1
    padded = SizeRule(multiple=64).plan(Size(30, 20))
    assert not padded.unchanged
    assert not padded.reduced
    small = SizeRule(max_side=15).plan(Size(30, 20))
    assert small.reduced
    assert small.scale == 0.5


@pytest.mark.parametrize(
    "broken",
    [
        {"min_side": 65, "max_side": 64},
        {"multiple": 64, "max_side": 63},
        {"min_side": 60, "multiple": 64, "max_pixels": 4095},
        {"multiple": 0},
        {"max_pixels": -1},
    ],
)
def test_a_rule_that_nothing_satisfies_is_refused(broken):
    with pytest.raises(RequestInvalid):
        SizeRule(**broken)


def test_a_size_without_pixels_is_refused():
    with pytest.raises(RequestInvalid):
        SizeRule().plan(Size(0, 5))
