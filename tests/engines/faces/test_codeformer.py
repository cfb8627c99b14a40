"""CodeFormer's network is the published one: every tensor has its place, and the same picture comes out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")

PEERS = os.environ.get("FRISKET_PEERS", "")
SAME = """
import torch
from frisket.engines.vision_ops import make_importable
make_importable()
try:
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormer as Theirs
except ImportError:
    raise SystemExit("missing")
from frisket.engines.faces.codeformer import CodeFormer
torch.manual_seed(1)
theirs, ours = Theirs().eval(), CodeFormer().eval()
torch.nn.init.normal_(theirs.position_emb)
ours.load_state_dict(theirs.state_dict())
face = torch.rand(1, 3, 512, 512) * 2 - 1
with torch.inference_mode():
    print(float((theirs(face, weight=0.7)[0] - ours(face, 0.7)).abs().max()))
"""


def test_names_and_shapes_are_those_of_the_published_file() -> None:
    from frisket.engines.faces.codeformer import CodeFormer

    with torch.device("meta"):
        state = CodeFormer().state_dict()
    assert len(state) == 515
    assert sum(tensor.numel() for tensor in state.values()) * 4 == pytest.approx(376_637_898, rel=1e-3)
    wanted = {
        "position_emb": (256, 512),
        "encoder.blocks.0.weight": (64, 3, 3, 3),
        "encoder.blocks.24.weight": (256, 512, 3, 3),
        "quantize.embedding.weight": (1024, 256),
        "ft_layers.8.self_attn.in_proj_weight": (1536, 512),
        "idx_pred_layer.1.weight": (1024, 512),
        "fuse_convs_dict.256.encode_enc.conv_out.weight": (128, 256, 1, 1),
        "generator.blocks.24.weight": (3, 64, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in wanted} == wanted


def test_at_the_sizes_where_the_input_is_brought_in() -> None:
    from frisket.engines.faces.codeformer import CodeFormer

    with torch.device("meta"):
        network = CodeFormer()
    assert network.encoder.taps == {5: "256", 8: "128", 11: "64", 14: "32"}
    assert network.generator.taps == {9: "32", 12: "64", 15: "128", 18: "256"}


def test_it_draws_what_the_published_code_draws() -> None:
    """Where FRISKET_PEERS names a folder with spandrel_extra_arches in it, or the environment has it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, PEERS]))}
    done = subprocess.run([sys.executable, "-c", SAME], env=env, capture_output=True, text=True)
    if "missing" in done.stderr:
        pytest.skip("spandrel_extra_arches is neither in the environment nor in the folder FRISKET_PEERS")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-4
