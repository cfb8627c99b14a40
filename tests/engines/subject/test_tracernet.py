"""TRACER's network: names and shapes of the published weights, sizes, one answer."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="torch is not installed: networks are not tested")

from engines.subject.scenes import WEIGHTS  # noqa: E402
from frisket.engines.subject.tracernet import SIDE, Tracer  # noqa: E402
from frisket.models import torchfile  # noqa: E402


def test_its_tensors_are_those_of_the_published_weights() -> None:
    if not WEIGHTS.exists():
        pytest.skip(f"{WEIGHTS} is not there: this test reads the published weights")
    with torch.device("meta"):
        own = {name: tuple(tensor.shape) for name, tensor in Tracer().state_dict().items()}
    assert own == {name: tensor.shape for name, tensor in torchfile.read_header(WEIGHTS).items()}


def test_one_answer_of_the_picture_s_size() -> None:
    torch.manual_seed(0)
    network = Tracer().eval()
    with torch.inference_mode():
        made = network(torch.rand(2, 3, 96, 64))
    assert made.shape == (2, 1, 96, 64)
    assert ((made >= 0) & (made <= 1)).all()
    assert SIDE % 32 == 0
