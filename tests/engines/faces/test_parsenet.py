"""ParseNet's network has the tensors of the published file."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")


def test_names_and_shapes_are_those_of_the_published_file() -> None:
    from frisket.engines.faces.parsenet import ParseNet

    with torch.device("meta"):
        state = ParseNet().state_dict()
    assert len(state) == 238
    assert sum(tensor.numel() for tensor in state.values()) * 4 == pytest.approx(85_331_193, rel=1e-3)
    wanted = {
        "encoder.0.conv2d.weight": (64, 3, 3, 3),
        "encoder.1.shortcut_func.conv2d.bias": (128,),
        "encoder.1.conv1.norm.norm.running_var": (128,),
        "body.9.conv2.conv2d.weight": (256, 256, 3, 3),
        "decoder.3.conv1.conv2d.weight": (64, 128, 3, 3),
        "out_mask_conv.conv2d.weight": (19, 64, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in wanted} == wanted
    assert "body.0.shortcut_func.conv2d.weight" not in state
    assert "encoder.1.conv1.conv2d.bias" not in state


def test_one_score_for_each_class_and_pixel() -> None:
    from frisket.engines.faces.parsenet import ParseNet

    with torch.inference_mode():
        assert ParseNet().eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 19, 64, 64)
