"""ministack, an AWS emulator by others, as a second target: in an environment of its own, for it pins botocore.

The environment is made once from pinned versions, in the user's cache, by pip; where that does not work, the tests skip
and say why. BURSTLINE_MINISTACK may name a Python that has it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from ministack_account import ACCOUNT_CONCURRENCY, REGION, MinistackAccount, build
from platformdirs import user_cache_path
from ports import free_port

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
START_S = 60.0


@pytest.fixture(autouse=True)
def no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a real account or a metadata service."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PRACTICE.items():
        monkeypatch.setenv(name, value)


PRACTICE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="session")
def ministack_python() -> str:
    """Return a Python that has ministack; makes its environment if there is none yet."""
    given = os.environ.get("BURSTLINE_MINISTACK")
    if given:
        return given
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = user_cache_path("burstline") / f"ministack-{digest}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(REQUIREMENTS)]
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            pytest.skip(f"ministack cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
        (folder / "ready").touch()
    return str(python)


@pytest.fixture(scope="session")
def ministack(ministack_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinistackAccount]:
    """A running ministack with a function, a REST API with throttles, and a queue."""
    folder, port = tmp_path_factory.mktemp("ministack"), free_port()
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")}, **PRACTICE,
        "HOME": str(folder), "TMPDIR": str(folder), "STATE_DIR": str(folder / "state"), "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1", "MINISTACK_REGION": REGION, "LOG_LEVEL": "WARNING",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(ACCOUNT_CONCURRENCY),
    }  # fmt: skip
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [ministack_python, "-m", "ministack"], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, folder / "log")
        yield build(url)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"ministack did not answer within {START_S:g} s: {log.read_text()[-2000:]}")
