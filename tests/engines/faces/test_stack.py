"""Stacks of faces through a network: in batches, fewer when memory is short, and nothing is swallowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frisket.engines.spec import Degradation, DegradationKind, Silent
from frisket.errors import Cancelled, EngineFailed, PictureNotFinite

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")


class Teller(Silent):
    def __init__(self, stop_after: int = 10**9) -> None:
        self.steps: list[tuple[int, int]] = []
        self.degradations: list[Degradation] = []
        self.checks, self.stop_after = 0, stop_after

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self.steps.append((step, total))

    def check(self) -> None:
        self.checks += 1
        if self.checks > self.stop_after:
            raise Cancelled()

    def told(self, degradation: Degradation) -> None:
        self.degradations.append(degradation)


def faces(count: int) -> np.ndarray:
    """(count, 512, 512, 3), each of one value of its own."""
    return np.broadcast_to(np.linspace(0, 1, count, dtype=np.float32)[:, None, None, None], (count, 512, 512, 3))


def run(net: Any, stack: np.ndarray, batch: int = 2, report: Any = None) -> list[np.ndarray]:
    from frisket.engines.faces.stack import through

    return through(net, net, stack, batch, report or Teller(), "toy")


class Toy(torch.nn.Sequential):
    """Inverts; fails as told when more than `most` faces come at once."""

    def __init__(self, most: int = 99, error: str = "") -> None:
        super().__init__(torch.nn.Identity(), torch.nn.Identity())
        self.most, self.error, self.seen = most, error, []

    def forward(self, x: Any) -> Any:
        self.seen.append(len(x))
        if len(x) > self.most:
            raise RuntimeError(self.error)
        return 1 - super().forward(x)


@pytest.mark.parametrize("batch", [1, 2, 5, 32])
def test_each_face_comes_back_whatever_the_batch(batch: int) -> None:
    net, report = Toy(), Teller()
    made = run(net, faces(5), batch, report)
    assert [face.shape for face in made] == [(3, 512, 512)] * 5
    np.testing.assert_allclose([face[0, 0, 0] for face in made], [1, 0.75, 0.5, 0.25, 0], atol=1e-7)
    assert max(net.seen) <= batch
    assert report.steps[0] == (0, 5)
    assert report.steps[-1] == (5, 5)
    assert not report.degradations


def test_no_faces_are_no_work() -> None:
    assert run(Toy(), faces(0)) == []


def test_values_beyond_are_clipped_and_a_view_is_taken() -> None:
    made = run(Toy(), faces(1)[:, ::-1] + 7.0)
    assert np.unique(made[0]).tolist() == [0.0]


def test_memory_that_runs_out_makes_batches_smaller_and_is_told() -> None:
    net, report = Toy(most=2, error="[enforce fail] DefaultCPUAllocator: can't allocate memory"), Teller()
    made = run(net, faces(5), 8, report)
    assert len(made) == 5
    assert net.seen == [5, 2, 2, 1]
    assert [d.kind for d in report.degradations] == [DegradationKind.ONE_BY_ONE]
    assert "2 at a time" in report.degradations[0].detail


def test_memory_that_is_not_enough_for_one_is_an_error() -> None:
    with pytest.raises(MemoryError):
        run(Toy(most=0, error="CUDA out of memory"), faces(3))


def test_other_errors_are_never_swallowed() -> None:
    with pytest.raises(RuntimeError, match="sizes differ"):
        run(Toy(most=0, error="sizes differ"), faces(3))


def test_numbers_that_are_none_are_an_error() -> None:
    net = Toy()
    net.forward = lambda x: x / 0 * 0  # type: ignore[method-assign]
    with pytest.raises(PictureNotFinite, match="toy"):
        run(net, faces(1))


@pytest.mark.parametrize("shape", [(2, 256, 256, 3), (512, 512, 3), (1, 512, 512, 4)])
def test_faces_of_another_size_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(EngineFailed, match="512 x 512"):
        run(Toy(), np.zeros(shape, np.float32))


def test_it_stops_between_layers_and_leaves_nothing_behind() -> None:
    net = Toy()
    for after in range(4):  # before the batch, the network, its first layer, its second
        with pytest.raises(Cancelled):
            run(net, faces(1), report=Teller(stop_after=after))
    assert not any(layer._forward_pre_hooks for layer in net.modules())
    assert len(run(net, faces(1), report=Teller(stop_after=4))) == 1
