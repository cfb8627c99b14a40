"""The built-in detector as an engine; test_haar.py says what it finds."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from frisket.engines.faces.cascade import ENGINE, CascadeDetector
from frisket.engines.registry import checked
from frisket.engines.spec import Silent, Task, Work


def test_it_is_an_engine_that_needs_nothing() -> None:
    engine = checked(CascadeDetector())
    assert engine.spec.rank == 100
    crop = np.zeros((64, 64, 3), np.float32)
    work = Work(Task.DETECT_FACES, crop, np.ones((64, 64), np.float32), ENGINE.spec.check_params({}), (0,))
    (rows,) = engine.run(work, Silent())
    assert rows.shape == (0, 15), "also when nobody has loaded it"


def test_the_built_in_engines_are_listed_without_anything_heavy() -> None:
    code = (
        "import sys; from frisket.engines.registry import BUILT_IN, Registry; r = Registry.installed(None)\n"
        "print(len(r.engines) >= len(BUILT_IN), r.broken, {'numpy', 'cv2', 'numba', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True {} set()"
