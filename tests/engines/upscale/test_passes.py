"""What a network sees around a tile, and how its scale becomes another."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

pytestmark = [pytest.mark.nets, pytest.mark.filterwarnings("ignore:torch.meshgrid")]
pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")

from engines.upscale.makers import compact, esrgan, swinir  # noqa: E402
from frisket.engines.spec import Silent  # noqa: E402
from frisket.engines.upscale.passes import Network, apron_of, grid_of, shrunk  # noqa: E402


def described(state: Any) -> Any:
    import spandrel

    return spandrel.ModelLoader(device="cpu").load_from_state_dict(state)


@pytest.mark.parametrize(("have", "want"), [(4, 2), (4, 3), (3, 2), (9, 4), (4, 4)])
def test_shrinking_takes_means_over_areas(have: int, want: int) -> None:
    large = np.random.default_rng(0).random((3 * have, 5 * have, 3)).astype(np.float32)
    made = shrunk(large, have, want)
    assert made.shape == (3 * want, 5 * want, 3)
    fine = np.kron(large, np.ones((want, want, 1), np.float32))
    assert np.allclose(made, cv2.resize(fine, (5 * want, 3 * want), interpolation=cv2.INTER_AREA), atol=1e-6)
    assert np.allclose(shrunk(large[have:, 2 * have :], have, want), made[want:, 2 * want :], atol=1e-7)


def test_aprons_and_grids_by_architecture() -> None:
    assert apron_of(described(compact(num_conv=5))) == 7, "5 convolutions and one at each end"
    assert apron_of(described(esrgan())) == 21, "5 x 3 in its block, and 6 around it: less than is shown at most"
    swin = described(swinir(8))
    assert (grid_of(swin), apron_of(swin)) == (8, 16)
    assert grid_of(described(compact())) == 1


def test_a_compact_network_sees_exactly_its_apron() -> None:
    net = Network(described(compact(2)), "cpu", half=False)
    base = np.full((40, 40, 3), 0.5, np.float32)
    before = net.enlarged(base, 2, Silent())
    base[20, 20] = 0.9
    rows = np.nonzero(np.abs(net.enlarged(base, 2, Silent()) - before).max(axis=(1, 2)) > 1e-6)[0]
    reach = apron_of(described(compact(2)))
    assert (rows.min() // 2, rows.max() // 2) == (20 - reach, 20 + reach)


def test_other_scales_are_runs_and_means() -> None:
    net = Network(described(compact(2)), "cpu", half=False)
    x = np.random.default_rng(1).random((9, 8, 3)).astype(np.float32)
    once = net.enlarged(x, 2, Silent())
    twice = net.enlarged(np.clip(once, 0, 1), 2, Silent())
    assert np.array_equal(net.enlarged(x, 4, Silent()), twice)
    assert np.allclose(net.enlarged(x, 3, Silent()), shrunk(twice, 4, 3))


def test_memory_is_told_by_the_largest_layer() -> None:
    small, large = (Network(described(compact(2, num_feat=n)), "cpu", half=False) for n in (16, 32))
    assert (small.bytes_per_pixel(), large.bytes_per_pixel()) == (4 * 4 * 16, 4 * 4 * 32)
