"""RetinaFace's network: its body is torchvision's ResNet-50, its names are those of published weights, its anchors."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra faces")
pytestmark = [pytest.mark.nets]

from engines.faces.photos import weights  # noqa: E402
from frisket.engines.faces.retinanet import MOBILE, ResNetBody, RetinaFace, anchors  # noqa: E402
from frisket.engines.vision_ops import make_importable  # noqa: E402


def test_names_and_shapes_are_those_of_the_published_small_one() -> None:
    state = torch.load(weights("retinaface_mobile0.25.pth"), weights_only=True, map_location="cpu")
    net = RetinaFace.for_state(state)
    assert {n: t.shape for n, t in net.state_dict().items()} == {n: t.shape for n, t in state.items()}
    assert MOBILE in state


def test_the_large_body_computes_what_torchvision_s_does() -> None:
    make_importable()
    torchvision = pytest.importorskip("torchvision.models", reason="needs torchvision")
    torch.manual_seed(0)
    theirs = torchvision.resnet50(weights=None).eval()
    ours = ResNetBody().eval()
    state = {name: t for name, t in theirs.state_dict().items() if not name.startswith("fc.")}
    ours.load_state_dict(state, strict=True)
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        wanted = []
        for layer in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
            y = layer(y)
            wanted.append(y)
        for a, b in zip(ours(x), wanted[1:], strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_names_of_the_large_one() -> None:
    """Those of detection_Resnet50_Final.pth, which has 458 tensors."""
    with torch.device("meta"):
        state = RetinaFace(mobile=False).state_dict()
    assert state["body.layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    assert state["body.layer2.0.downsample.0.weight"].shape == (512, 256, 1, 1)
    assert state["fpn.output3.0.weight"].shape == (256, 2048, 1, 1)
    assert state["ssh1.conv7x7_3.0.weight"].shape == (64, 64, 3, 3)
    assert state["LandmarkHead.2.conv1x1.bias"].shape == (20,)
    assert sum(t.numel() for t in state.values()) == pytest.approx(27.3e6, rel=0.01), "the published file is 110 MB"


def test_anchors_lie_in_the_middle_of_their_places() -> None:
    place, size = anchors([(2, 3), (1, 2), (1, 1)], torch.device("cpu"))
    assert place.shape == (2 * (6 + 2 + 1), 2)
    assert place[:4].tolist() == [[4, 4], [4, 4], [12, 4], [12, 4]]
    assert place[6].tolist() == [4, 12]
    assert size[:2, 0].tolist() == [16, 32]
    assert place[-1].tolist() == [16, 16]
    assert size[-2:, 0].tolist() == [256, 512]


@pytest.mark.parametrize("mobile", [True, False])
def test_numbers_of_zero_say_the_anchors_themselves(mobile: bool) -> None:
    torch.manual_seed(1)
    net = RetinaFace(mobile).eval()
    for heads in (net.ClassHead, net.BboxHead, net.LandmarkHead):
        for head in heads:
            for tensor in head.parameters():
                torch.nn.init.zeros_(tensor)
    with torch.inference_mode():
        scores, boxes, points = net(torch.full((1, 3, 33, 50), 100.0))
    place, size = anchors([(5, 7), (3, 4), (2, 2)], torch.device("cpu"))
    assert scores.tolist() == pytest.approx([0.5] * len(place))
    assert torch.allclose(boxes, torch.cat([place - size / 2, size, size], dim=1), atol=1e-3)
    assert torch.allclose(points, place.repeat(1, 5), atol=1e-3)
