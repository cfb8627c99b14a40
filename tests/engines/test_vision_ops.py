"""torchvision's operators may be of another build than torch: what imports torchvision works all the same."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [pytest.mark.nets]
if find_spec("torchvision") is None:
    pytest.skip("the extra `faces` is not installed", allow_module_level=True)

CHECK = """
from frisket.engines.vision_ops import make_importable
make_importable()
make_importable()
import torchvision, transformers
from torchvision.transforms.functional import normalize
"""


def test_what_imports_it_works() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_other_troubles_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('quite another trouble')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{CHECK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "quite another trouble" in done.stderr


def test_operators_that_are_not_there_say_so() -> None:
    code = (
        CHECK
        + """
import torch
boxes, scores = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]]), torch.tensor([1.0, 0.5])
try:
    print(torch.ops.torchvision.nms(boxes, scores, 0.5).tolist())
except NotImplementedError:
    print("not there")
"""
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() in ("[0]", "not there"), done.stderr
