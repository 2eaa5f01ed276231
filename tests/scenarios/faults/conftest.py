"""A world of real processes for each scenario."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world whose processes end with the test."""
    made = World(tmp_path)
    yield made
    made.close()
