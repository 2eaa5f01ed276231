"""The image has what the program needs to run, from the lock, and nothing that develops it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements.lock"
RUNTIME = ROOT / "deploy/image/runtime.lock"
BUILD = ROOT / "deploy/image/build.lock"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def locked(path: Path) -> dict[str, str]:
    """Return each package's line of the lock with its hashes."""
    blocks = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8").strip())
    return {block.split("==")[0]: block for block in blocks}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("part", [RUNTIME, BUILD], ids=lambda path: path.stem)
def test_the_images_packages_are_those_of_the_lock_with_the_same_hashes(part: Path) -> None:
    whole = locked(LOCK)
    assert {name: whole.get(name) for name in locked(part)} == locked(part)
    assert all("--hash=sha256:" in block for block in locked(part).values())


def test_the_image_runs_with_what_the_program_needs_and_no_package_of_development() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = names(project["project"]["dependencies"])
    of_development = names([one for one in project["dependency-groups"]["dev"] if isinstance(one, str)])
    inside = {name.split("[")[0] for name in locked(RUNTIME)}
    assert {name.split("[")[0] for name in needed} <= inside
    assert not inside & of_development
    assert set(locked(BUILD)) > names(project["build-system"]["requires"])


def test_the_image_is_built_in_stages_without_asking_for_a_frontend_and_runs_as_a_numbered_user() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(stages) == 2
    assert "# syntax=" not in DOCKERFILE
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert "\nUSER 10001\n" in last
    assert "build.lock" not in last
    assert "requirements.lock" not in DOCKERFILE


def test_what_the_image_copies_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M) for word in line.split()]
    assert copied
    assert {"/".join(path.split("/")[:2]) if path.startswith("deploy/") else path for path in copied} == kept
