"""A world of real processes for each scenario."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults.network import TARGET_HOST, Site, Unavailable, check
from faults.pauses import Pauses
from faults.pauses import Unavailable as NoPrecedence
from faults.postgresql import PostgreSQL
from faults.postgresql import Unavailable as NoPostgreSQL
from faults.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world whose processes end with the test."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def postgresql() -> Iterator[PostgreSQL]:
    """Yield a database of the test's own."""
    try:
        made = PostgreSQL()
    except NoPostgreSQL as reason:
        pytest.skip(str(reason))
    yield made
    made.close()


@pytest.fixture
def pauses(world: World, tmp_path: Path) -> Pauses:
    """Return what writes down the machine's own pauses until the world ends."""
    try:
        return Pauses(world, tmp_path)
    except NoPrecedence as reason:
        pytest.skip(str(reason))


@pytest.fixture
def sites(world: World) -> Iterator[Callable[[int], list[Site]]]:
    """Yield a maker of sites; the target is reached at an address that all of them know."""
    try:
        check()
    except Unavailable as reason:
        pytest.skip(str(reason))
    made: list[Site] = []
    world.host = TARGET_HOST

    def make(count: int) -> list[Site]:
        for index in range(1, count + 1):
            made.append(Site(world, index))  # noqa: PERF401  # those made must be taken away if the next cannot be
        return made

    yield make
    world.close()
    for site in made:
        site.close()
