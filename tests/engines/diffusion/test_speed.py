"""What a server can be told about speed: nothing by default, and no code from a hub."""

from __future__ import annotations

from frisket.engines.diffusion.residency import Residency
from frisket.engines.diffusion.speed import Attention, Speed


def test_nothing_is_on_unless_asked_for() -> None:
    assert Speed() == Speed(Attention.NATIVE, compiled=False)
    assert Residency().speed == Speed()
    assert Residency(speed=Speed(Attention.SAGE)).speed.attention is Attention.SAGE


def test_no_kind_of_attention_comes_from_a_hub() -> None:
    assert not [kind for kind in Attention if "hub" in kind.value]
