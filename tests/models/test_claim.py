"""One process at a time for one model, and a dead one holds nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from frisket.errors import ModelBusy
from frisket.models.claim import claimed

HOLD = """
import sys, time
from pathlib import Path
from frisket.models.claim import claimed
with claimed(Path(sys.argv[1]), "m"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_is_told_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    lock = tmp_path / "a" / "m.lock"
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ModelBusy), claimed(lock, "m"):
            pass
        with claimed(tmp_path / "a" / "n.lock", "n"):
            pass
    finally:
        other.kill()
        other.communicate()
    with claimed(lock, "m"), pytest.raises(ModelBusy), claimed(lock, "m"):
        pass
