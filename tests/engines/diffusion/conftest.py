"""Each tiny pipeline is made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from frisket.engines.vision_ops import make_importable
from frisket.models.families import Family

make_importable()


@pytest.fixture(scope="session")
def zoo_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Path]:
    """family -> the folder of a saved tiny pipeline. It is shared: copy it before changing it."""
    made: dict[Family, Path] = {}

    def folder(family: Family) -> Path:
        if family not in made:
            from engines.diffusion.zoo import make, quicken

            quicken(family)
            made[family] = make(family, tmp_path_factory.mktemp("zoo") / family.value)
        return made[family]

    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torch and diffusers warn of their own doings: those warnings are no errors of ours."""
    for item in items:
        if item.get_closest_marker("diffusion"):
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning"))
