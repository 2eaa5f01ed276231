"""One run, watched by a real Prometheus, for all tests of this folder."""

import shutil
from collections.abc import Iterator

import pytest
from watched import Stage, Watched


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install prometheus)")
    stage = Stage(tmp_path_factory.mktemp("watched"))
    try:
        yield stage.watch()
    finally:
        stage.close()
