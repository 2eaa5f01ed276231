"""The pods of deploy/kubernetes, as containers under the same restrictions: they start, join, and are well.

There is no cluster here; what a container may do, its arguments and its probes are taken from the manifests. Needs a
Docker engine and python:3.12-slim, as test_compose.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "burstline:local"
NETWORK = "burstline-pods"
DEVELOPMENT = ("pytest", "mypy", "ruff", "playwright", "moto", "hatchling", "pip", "grpc_tools")


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=900)
    assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


def pod(name: str) -> dict[str, Any]:
    """Return the pod template's spec of a deployment."""
    documents = yaml.safe_load_all((ROOT / f"deploy/kubernetes/base/{name}.yaml").read_text(encoding="utf-8"))
    found: dict[str, Any] = next(one for one in documents if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    return found


def start(name: str, *environment: str) -> None:
    """Start a pod's container with no more rights than the manifest gives."""
    (container,) = pod(name)["containers"]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"]
    scratch = [word for mount in container["volumeMounts"] for word in ("--tmpfs", mount["mountPath"])]
    dropped = [word for one in rights["capabilities"]["drop"] for word in ("--cap-drop", one)]
    user = str(pod(name)["securityContext"]["runAsUser"])
    given = [word for one in environment for word in ("--env", one)]
    docker("run", "--detach", "--name", f"{NETWORK}-{name}", "--network", NETWORK, "--network-alias", name,
           "--user", user, "--read-only", *scratch, *dropped, "--security-opt", "no-new-privileges", *given,
           IMAGE, *container["args"])  # fmt: skip


def inside(name: str, code: str, check: bool = True) -> str:
    return docker("exec", f"{NETWORK}-{name}", "python3", "-c", code, check=check)


def comes_true(condition: Callable[[], bool], within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


@pytest.fixture
def pods() -> Iterator[None]:
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        pytest.skip("there is no Docker engine")
    docker("build", "--quiet", "--tag", IMAGE, str(ROOT))
    docker("network", "create", NETWORK)
    try:
        start("server", "BURSTLINE_STORE=sqlite:////tmp/store.db", "BURSTLINE_TOKENS=runner=secret")
        start("worker", "BURSTLINE_TOKEN=secret")
        yield
    finally:
        for name in ("worker", "server"):
            docker("rm", "--force", f"{NETWORK}-{name}", check=False)
        docker("network", "rm", NETWORK, check=False)


def is_well(name: str, port: int, path: str) -> bool:
    code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}{path}').status)"
    return inside(name, code, check=False).strip() == "200"


HEALTH = """
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
with grpc.insecure_channel("127.0.0.1:7460") as channel:
    print(health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status)
"""


@pytest.mark.compose
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("pods")
def test_the_pods_start_with_the_rights_that_they_have_and_their_probes_find_them_well() -> None:
    (server,), (worker,) = pod("server")["containers"], pod("worker")["containers"]
    assert server["readinessProbe"]["grpc"] == {"port": 7460}
    assert comes_true(lambda: is_well("server", 7461, server["livenessProbe"]["httpGet"]["path"])), docker(
        "logs", f"{NETWORK}-server"
    )
    assert inside("server", HEALTH).strip() == "1"  # SERVING
    assert comes_true(lambda: is_well("worker", 7463, worker["readinessProbe"]["httpGet"]["path"]))
    command = ("exec", "--env", "BURSTLINE_TOKEN=secret", f"{NETWORK}-server", "burstline", "workers", "--server", "127.0.0.1:7460")  # fmt: skip  # noqa: E501
    assert comes_true(lambda: "no worker is attached" not in docker(*command)), docker("logs", f"{NETWORK}-worker")


@pytest.mark.compose
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("pods")
def test_the_image_has_no_package_of_development_and_no_root() -> None:
    code = f"import importlib.util as u, json; print(json.dumps([n for n in {DEVELOPMENT!r} if u.find_spec(n)]))"
    assert json.loads(inside("server", code)) == []
    assert inside("server", "import os; print(os.getuid())").strip() == "10001"
