"""The house stands as designed: one namespace, stubs as generated, floors as generated with, no hosts in the lock."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PORTIONS = ("protos", "core", "workers", "server", "client", "emulator")
STUBS = ROOT / "protos/burstline/v1"


def test_no_portion_hides_the_others() -> None:
    """An __init__.py directly in a `burstline` folder would make it the whole package."""
    strays = [folder for folder in PORTIONS if (ROOT / folder / "burstline/__init__.py").exists()]
    assert strays == []


def test_every_portion_has_its_docstring_and_is_typed() -> None:
    for folder in PORTIONS:
        for package in (ROOT / folder / "burstline").iterdir():
            if package.is_dir() and package.name != "__pycache__":
                assert (package / "py.typed").exists(), package
                assert (package / "__init__.py").read_text().startswith('"""'), package


def test_stubs_are_what_the_protos_generate(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "protos/generate.py", tmp_path], check=True, capture_output=True, timeout=60)
    fresh = {path.name: path.read_text() for path in (tmp_path / "burstline/v1").iterdir()}
    kept = {path.name: path.read_text() for path in STUBS.glob("*_pb2*")}
    assert kept == fresh, "run `make protos` and commit the result"


def test_floors_equal_what_the_stubs_were_generated_with() -> None:
    """With a lower floor an installation would fail at import, not at resolution."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = (re.match(r"([a-z-]+)>=([\d.]+)", dependency) for dependency in project["dependencies"])
    floors = {match[1]: match[2] for match in found if match}
    grpc_version = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", (STUBS / "run_service_pb2_grpc.py").read_text())
    protobuf_version = re.search(r"# Protobuf Python Version: ([\d.]+)", (STUBS / "resources_pb2.py").read_text())
    assert grpc_version is not None
    assert protobuf_version is not None
    assert floors["grpcio"] == grpc_version[1]
    assert floors["protobuf"] == protobuf_version[1]


def test_the_lock_names_versions_and_hashes_but_no_hosts() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://|--index-url|--extra-index-url", lock)


@pytest.mark.parametrize("name", ["grpc", "boto3", "pydantic", "sqlalchemy", "rich"])
def test_help_is_quick_because_heavy_libraries_wait(name: str) -> None:
    """`burstline --help` imports none of what only some commands need."""
    code = f"import burstline.client.cli, sys; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
