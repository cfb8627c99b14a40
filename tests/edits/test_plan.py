"""Where an edit happens: context, several parts, working sizes. Boxes only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.engines import SOFT, TOY
from frisket.edits.plan import (
    MAX_PIECES,
    less_context,
    parts_of,
    plan_outpaint,
    plan_restore_faces,
    plan_selection,
    plan_text_to_layer,
    plan_upscale,
    resolve_dials,
    sheet_of,
)
from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    RestoreFacesParams,
    TextToLayerParams,
    UpscaleParams,
    VariationParams,
)
from frisket.edits.results import DegradationKind, Piece
from frisket.errors import MaskEmpty, RequestInvalid
from frisket.raster.geometry import Box, Size

CANVAS = Size(1000, 800)
WHOLE = Box.of(CANVAS)
SPEC = TOY.spec  # context: half the longer side, at least 4 px
boxes = st.builds(Box, st.integers(-50, 990), st.integers(-50, 790), st.integers(1, 300), st.integers(1, 300))


def request(**params) -> EditRequest:
    return EditRequest(CANVAS, Box(0, 0, 0, 0), InpaintParams(**params))


def test_one_selection_gets_its_context() -> None:
    plan = plan_selection(request(), [Box(400, 300, 100, 40)], SPEC)
    assert plan.region == Box(350, 250, 200, 140)
    assert [p.crop for p in plan.pieces] == [plan.region]
    assert plan.pieces[0].working == Size(200, 140)
    assert plan.degraded == ()
    assert plan.engine == "toy"


def test_context_stops_at_the_canvas() -> None:
    assert plan_selection(request(), [Box(0, 0, 100, 40)], SPEC).region == Box(0, 0, 150, 90)


def test_the_users_dials_win() -> None:
    dials = MaskDials(grow=3, feather=5, context=10)
    assert plan_selection(request(dials=dials), [Box(400, 300, 100, 40)], SPEC).region == Box(390, 290, 120, 60)


def test_the_crop_always_holds_what_may_be_repainted() -> None:
    dials = MaskDials(grow=30, feather=50, context=10)
    assert plan_selection(request(dials=dials), [Box(400, 300, 100, 40)], SPEC).region == Box(320, 220, 260, 200)


def test_automatic_dials_follow_the_engines_law() -> None:
    box = Box(400, 300, 200, 200)
    exact = resolve_dials(MaskDials(), SPEC, box, 1.0)
    soft = resolve_dials(MaskDials(), SOFT.spec, box, 1.0)
    assert (exact.grow, exact.feather, exact.blend, exact.context) == (0, 0, 0, 100)
    assert soft.grow + soft.feather > 0
    assert resolve_dials(MaskDials(grow=1), SOFT.spec, box, 1.0).grow == 1


def test_far_parts_are_worked_on_apart_and_near_ones_together() -> None:
    far = plan_selection(request(), [Box(0, 0, 20, 20), Box(900, 700, 20, 20)], SPEC)
    near = plan_selection(request(), [Box(100, 100, 20, 20), Box(125, 100, 20, 20)], SPEC)
    assert len(far.pieces) == 2
    assert sum(p.crop.area for p in far.pieces) < 0.01 * far.region.area
    assert len(near.pieces) == 1


@given(st.lists(boxes, min_size=1, max_size=12))
def test_no_crop_holds_anothers_selection(selection: list[Box]) -> None:
    inside = [b for b in (box.clipped(WHOLE) for box in selection) if not b.empty]
    if not inside:
        return
    parts = parts_of(inside, InpaintParams(), SPEC, WHOLE)
    for part in parts:
        assert WHOLE.holds(part.crop)
        assert part.crop.holds(part.selection)
        assert not any(part.crop.meets(other.selection) for other in parts if other is not part)
    for box in inside:
        assert sum(part.selection.holds(box) for part in parts) == 1


@given(st.lists(boxes, min_size=1, max_size=200))
def test_specks_without_number_stay_a_bounded_number_of_pieces(selection: list[Box]) -> None:
    if any(not box.clipped(WHOLE).empty for box in selection):
        plan = plan_selection(request(), selection, SPEC)
        assert 1 <= len(plan.pieces) <= MAX_PIECES
        for piece in plan.pieces:
            assert plan.region.holds(piece.crop)


@pytest.mark.parametrize("selection", [[], [Box(2000, 0, 10, 10)], [Box(5, 5, 0, 3)]])
def test_nothing_selected_is_an_error(selection: list[Box]) -> None:
    with pytest.raises(MaskEmpty):
        plan_selection(request(), selection, SPEC)


def test_a_smaller_working_size_is_told() -> None:
    plan = plan_selection(request(), [Box(100, 100, 500, 300)], SOFT.spec)
    (told,) = plan.degraded
    assert told.kind is DegradationKind.SMALLER_SIZE
    assert str(plan.pieces[0].working) in told.detail
    assert plan.pieces[0].working.area <= SOFT.spec.size.max_pixels


def test_a_smaller_region_than_planned_is_told() -> None:
    region = Box(390, 290, 120, 60)
    parts = parts_of([Box(400, 300, 100, 40)], InpaintParams(), SPEC, region)
    (told,) = less_context(parts, InpaintParams(), SPEC, WHOLE)
    assert told.kind is DegradationKind.LESS_CONTEXT
    assert "200 x 140" in told.detail
    assert "120 x 60" in told.detail
    at_edge = parts_of([Box(0, 0, 50, 50)], InpaintParams(), SPEC, WHOLE)
    assert less_context(at_edge, InpaintParams(), SPEC, WHOLE) == []


def test_a_move_plans_for_where_it_goes() -> None:
    plan = plan_selection(request(move=(40, 5)), [Box(10, 20, 10, 10)], SPEC)
    assert plan.region == Box(5, 15, 55, 20), "context around the selection, and the place it goes to"


def test_instruct_plans_as_a_variation_at_full_strength() -> None:
    box, canvas = [Box(400, 300, 100, 40)], Box(0, 0, 0, 0)
    for spec in (SPEC, SOFT.spec):
        told = plan_selection(EditRequest(CANVAS, canvas, InstructParams("make it winter")), box, spec)
        assert told == plan_selection(EditRequest(CANVAS, canvas, VariationParams(1.0)), box, spec)


def test_a_new_layer_is_planned_where_it_is_to_lie() -> None:
    words = TextToLayerParams("a cat")
    plan = plan_text_to_layer(EditRequest(CANVAS, Box(10, 20, 30, 40), words), [Box(0, 0, 5, 5)], SOFT.spec)
    assert plan.region == Box(10, 20, 30, 40)
    assert [(p.crop, p.working) for p in plan.pieces] == [(Box(10, 20, 30, 40), Size(48, 64))]
    whole = plan_text_to_layer(EditRequest(CANVAS, Box(0, 0, 0, 0), words), [], SOFT.spec)
    assert whole.region == WHOLE
    assert [d.kind for d in whole.degraded] == [DegradationKind.SMALLER_SIZE]


def test_transparent_parts_are_planned_with_their_context() -> None:
    def plan(params: OutpaintParams, *gaps: Box) -> Box:
        return plan_outpaint(EditRequest(CANVAS, Box(0, 0, 0, 0), params), gaps, SPEC).region

    gaps = OutpaintParams(transparent=True)
    assert plan(gaps, Box(400, 300, 100, 40)) == Box(350, 250, 200, 140)
    assert plan(gaps, Box(400, 300, 10, 10), Box(500, 300, 10, 40)) == Box(345, 245, 220, 150)
    assert plan(gaps) == WHOLE, "anywhere"
    assert plan(OutpaintParams(left=20, transparent=True), Box(0, 0, 100, 800)) == Box(0, 0, 500, 800)
    with pytest.raises(RequestInvalid, match="transparent"):
        plan(OutpaintParams(), Box(400, 300, 100, 40))


def test_one_side_of_a_wide_picture_does_not_send_all_of_it() -> None:
    wide = EditRequest(Size(8000, 1000), Box(0, 0, 0, 0), OutpaintParams(left=100))
    assert plan_outpaint(wide, [], SPEC).region == Box(0, 0, 500, 1000)


def test_the_sheet_is_all_that_outpaint_lays_out() -> None:
    def sheet(**params) -> Box:
        return sheet_of(EditRequest(CANVAS, Box(0, 0, 200, 100), OutpaintParams(**params)))

    assert sheet(left=10) == Box(-10, 0, 210, 800), "a side grows along the whole canvas, whatever was sent of it"
    assert sheet(left=10, bottom=5) == Box(-10, 0, CANVAS.width + 10, CANVAS.height + 5)
    assert sheet(transparent=True) == Box(0, 0, 200, 100)
    assert sheet_of(EditRequest(CANVAS, Box(3, 4, 5, 6), InpaintParams())) == Box(3, 4, 5, 6)


def test_the_sheet_of_what_is_enlarged_is_as_large_as_it_becomes() -> None:
    for params in (UpscaleParams(4), RestoreFacesParams(upscale=4)):
        assert sheet_of(EditRequest(CANVAS, Box(3, 4, 5, 6), params)) == Box(12, 16, 20, 24)
    assert sheet_of(EditRequest(CANVAS, Box(3, 4, 5, 6), RestoreFacesParams())) == Box(3, 4, 5, 6)


def test_all_of_a_region_is_enlarged_whatever_is_selected() -> None:
    for region, wanted in ((Box(0, 0, 0, 0), WHOLE), (Box(5, 6, 70, 80), Box(5, 6, 70, 80))):
        plan = plan_upscale(EditRequest(CANVAS, region, UpscaleParams(3)), [Box(1, 2, 3, 4)], SPEC)
        assert (plan.region, plan.pieces, plan.degraded) == (wanted, (Piece(wanted, wanted.size),), ())


@pytest.mark.parametrize(
    ("params", "selection", "region"),
    [
        ({}, [], WHOLE),
        ({}, [WHOLE], WHOLE),
        ({}, [Box(400, 300, 200, 100)], Box(200, 100, 600, 500)),
        ({}, [Box(400, 300, 20, 10), Box(500, 300, 20, 10)], Box(272, 172, 376, 266)),
        ({"faces": (Box(10, 10, 200, 200),)}, [Box(0, 0, 300, 300)], WHOLE),
        ({"upscale": 2}, [Box(400, 300, 200, 100)], WHOLE),
    ],
)
def test_faces_are_looked_for_around_what_is_selected(params, selection: list[Box], region: Box) -> None:
    asked = EditRequest(CANVAS, Box(0, 0, 0, 0), RestoreFacesParams(**params))
    plan = plan_restore_faces(asked, selection, SPEC)
    assert (plan.region, [piece.crop for piece in plan.pieces]) == (region, [region])
