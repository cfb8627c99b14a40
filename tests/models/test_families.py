"""Every family that paints says what for; an add-on does nothing by itself."""

from __future__ import annotations

from frisket.models.families import PURPOSES, Family, Purpose

BY_THEMSELVES_NOTHING = {
    Family.KANDINSKY22_PRIOR,
    Family.LORA,
    Family.TEXTUAL_INVERSION,
    Family.CONTROLNET,
    Family.IP_ADAPTER,
    Family.VAE,
    Family.TAESD,
}


def test_every_family_is_placed() -> None:
    assert set(PURPOSES) == set(Family) - BY_THEMSELVES_NOTHING
    assert {purpose for purposes in PURPOSES.values() for purpose in purposes} == set(Purpose)


def test_an_inpainting_model_fills_and_does_no_more() -> None:
    for family in (Family.SD15_INPAINT, Family.SDXL_INPAINT, Family.FLUX_FILL, Family.KANDINSKY22_INPAINT):
        assert PURPOSES[family] == (Purpose.INPAINT, Purpose.OUTPAINT)
