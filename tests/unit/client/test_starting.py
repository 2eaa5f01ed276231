"""What a command begins before it is read in earnest, and what it must not import."""

import subprocess
import sys

import pytest
from burstline.client.__main__ import is_embedded_run


@pytest.mark.parametrize(
    ("line", "embedded"),
    [
        pytest.param("run plan.yaml", True, id="a run has an engine of its own"),
        pytest.param("run plan.yaml --target http://127.0.0.1:1 --set load.0.rate=5", True, id="whatever its options"),
        pytest.param("run plan.yaml --server 10.0.0.5:7460", False, id="unless a server is named"),
        pytest.param("run plan.yaml --server=10.0.0.5:7460", False, id="however it is"),
        pytest.param("run --help", False, id="help needs none"),
        pytest.param("run plan.yaml -h", False, id="nor does its short form"),
        pytest.param("run", False, id="nor does a mistake"),
        pytest.param("runs", False, id="other commands have none"),
        pytest.param("", False, id="no command at all"),
    ],
)
def test_the_engine_of_an_embedded_run_is_begun_before_the_command_line_is_read(line: str, embedded: bool) -> None:
    assert is_embedded_run(line.split(), {}) is embedded


def test_a_server_named_by_the_environment_is_a_server() -> None:
    assert not is_embedded_run(["run", "plan.yaml"], {"BURSTLINE_SERVER": "10.0.0.5:7460"})


def _imported(code: str, names: tuple[str, ...]) -> str:
    """Return which of some modules a fresh process has imported after some code."""
    code = f"{code}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


ENGINE = """
from burstline.client.running.engine import _import_shared
_import_shared()
import burstline.client.running.embedded
"""
WORKERS = """
from burstline.workers.processes import prepare
prepare()
"""
COMMAND = """
import burstline.client.commands.run, burstline.client.spelling.plans, burstline.client.running.running
"""
READING = """
import burstline.client.stored, burstline.client.running.abandoned, burstline.server.services.stored_runs
"""


NOT_OF_THE_ENGINE = (
    *("boto3", "botocore", "alembic", "psycopg", "prometheus_client", "aiohttp", "jinja2", "pydantic", "yaml"),
    *("click", "rich", "numpy.ma", "burstline.core.quota.fitting", "burstline.core.quota.advice"),
    *("burstline.core.quota.aws.evidence", "burstline.client.connection"),
)
NOT_OF_WORKERS = ("boto3", "prometheus_client", "sqlalchemy", "pydantic", "rich", "numpy.ma", "burstline.server")
NOT_OF_THE_COMMAND = (
    *("boto3", "numpy", "sqlalchemy", "aiohttp", "jinja2", "rich", "burstline.server.app", "burstline.workers"),
)
NOT_OF_READING = (
    "boto3",
    "numpy",
    "aiohttp",
    "alembic",
    "pydantic",
    "burstline.server.app",
    "burstline.server.control",
)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        pytest.param(ENGINE, NOT_OF_THE_ENGINE, id="the server of an embedded run"),
        pytest.param(WORKERS, NOT_OF_WORKERS, id="its workers"),
        pytest.param(COMMAND, NOT_OF_THE_COMMAND, id="the command itself"),
        pytest.param(READING, NOT_OF_READING, id="looking at runs"),
    ],
)
def test_nothing_is_imported_that_the_first_request_need_not_wait_for(code: str, names: tuple[str, ...]) -> None:
    assert not _imported(code, names)


def test_a_worker_that_would_use_the_librarys_own_tls_settings_would_trust_nobody() -> None:
    code = f"""{WORKERS}
import ssl
from aiohttp import connector
context = connector._SSL_CONTEXT_VERIFIED
assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
assert not context.get_ca_certs() and context.cert_store_stats()["x509_ca"] == 0
assert ssl.create_default_context().cert_store_stats()["x509"] > 0
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
