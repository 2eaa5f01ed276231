"""What tests of several folders share."""

from collections.abc import Iterator

import pytest
from faults.postgresql import PostgreSQL, Unavailable


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a PostgreSQL of this test session, whose databases tests share; skips where there is none."""
    try:
        made = PostgreSQL()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield made.url
    made.close()
