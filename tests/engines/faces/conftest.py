"""Each checkpoint of a face model is made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from frisket.models.families import Family


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Path]:
    """family -> the file of a random checkpoint in the published format. It is shared: never write to it."""
    made: dict[Family, Path] = {}

    def path(family: Family) -> Path:
        if family not in made:
            from engines.faces.makers import make

            made[family] = make(family, tmp_path_factory.mktemp("faces"))
        return made[family]

    return path
