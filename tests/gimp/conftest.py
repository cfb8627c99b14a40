"""The real GIMP in its tree, the plug-in installed there, and a studio that answers in a way that can be computed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from real_gimp import a_gimp, a_screen, step_aside, why_no_gimp, why_no_screen
from running_studio import a_studio


@pytest.fixture
def gimp():
    reason = why_no_gimp()
    if reason:
        step_aside(reason)
    with a_gimp() as gimp:
        yield gimp


@pytest.fixture
def screen():
    reason = why_no_screen()
    if reason:
        step_aside(reason)
    with a_screen() as screen:
        yield screen


@pytest.fixture
def studio(gimp):
    """The negative studio, running, and noted where the plug-in looks."""
    with a_studio(gimp) as servicer:
        yield servicer
