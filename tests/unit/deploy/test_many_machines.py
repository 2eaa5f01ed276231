"""The commands of the how-to "many machines" that are not burstline's own: what they name is there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import Session

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/many-machines.md").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OVERLAYS = ROOT / "deploy/kubernetes/overlays"
KUSTOMIZE = shutil.which("kustomize")


def lines(program: str) -> list[list[str]]:
    """Return the words of each command of a program, on the page and at the head of docker-compose.yml."""
    text = PAGE + (ROOT / "docker-compose.yml").read_text(encoding="utf-8").replace("\n#   ", "\n")
    return [shlex.split(line, comments=True) for line in re.findall(rf"^{program} [^\n]+", text, re.M)]


def secret_references() -> list[dict[str, Any]]:
    """Return what the deployments of the base take from secrets."""
    texts = [
        (ROOT / "deploy/kubernetes/base" / name).read_text(encoding="utf-8") for name in ("server.yaml", "worker.yaml")
    ]
    deployments = [one for text in texts for one in yaml.safe_load_all(text) if one["kind"] == "Deployment"]
    containers = [one["spec"]["template"]["spec"]["containers"][0] for one in deployments]
    return [variable["valueFrom"]["secretKeyRef"] for container in containers for variable in container["env"]]


def own_overlay() -> str:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    return str(block)


def test_the_compose_commands_name_services_profiles_and_plans_that_there_are() -> None:
    commands = [words[2:] for words in lines("docker") if words[1] == "compose"]
    assert len(commands) >= 5
    profiles = {profile for service in COMPOSE["services"].values() for profile in service.get("profiles", [])}
    for words in commands:
        if "--scale" in words:
            assert words[words.index("--scale") + 1].split("=")[0] in COMPOSE["services"]
        if "--profile" in words:
            assert words[words.index("--profile") + 1] in profiles
        if "run" in words:
            (plan,) = [word for word in words if word.startswith("/plans/")] or ["/plans/demo.yaml"]
            assert "client" in words
            assert (ROOT / "deploy/compose" / plan.removeprefix("/plans/")).is_file()


def test_the_client_of_compose_knows_its_server_and_has_the_plans() -> None:
    client = COMPOSE["services"]["client"]
    assert client["environment"] == {"BURSTLINE_SERVER": "server:7460"}
    assert client["volumes"] == ["./deploy/compose:/plans:ro"]


def test_every_service_says_whether_it_is_well() -> None:
    without = {name for name, service in COMPOSE["services"].items() if "healthcheck" not in service}
    assert without == {"client", "grafana"}


def test_the_kubernetes_commands_name_what_the_manifests_have() -> None:
    commands = [" ".join(words[1:]) for words in lines("kubectl")]
    assert any("create secret generic burstline-store --from-literal=url=" in command for command in commands)
    assert any("apply --kustomize deploy/kubernetes/overlays/" in command for command in commands)
    asked = {(one["name"], one["key"]) for one in secret_references()}
    made = re.findall(r"create secret generic (\S+)((?: --from-literal=[^`\s]+)+)", PAGE)
    assert {(name, key) for name, given in made for key in re.findall(r"--from-literal=(\w+)=", given)} == asked
    for overlay in re.findall(r"`(metrics-server|monitored|keda)`", PAGE):
        assert (OVERLAYS / overlay / "kustomization.yaml").is_file()


@pytest.mark.skipif(KUSTOMIZE is None, reason="kustomize is not installed (Debian 13: kustomize)")
def test_the_overlay_of_the_page_builds_with_its_image_hosts_and_workers(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy/kubernetes", tmp_path / "kubernetes")
    mine = tmp_path / "kubernetes/overlays/mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(own_overlay())
    built = subprocess.run([str(KUSTOMIZE), "build", mine], check=True, capture_output=True, text=True, timeout=60)
    documents = list(yaml.safe_load_all(built.stdout))
    (config,) = [document for document in documents if document["kind"] == "ConfigMap"]
    assert config["data"] == {"BURSTLINE_ALLOW": "api.example.com"}
    deployments = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "Deployment"}
    assert deployments["worker"]["replicas"] == 8
    images = {one["template"]["spec"]["containers"][0]["image"] for one in deployments.values()}
    assert images == {"registry.example.com/burstline:0.1.0"}


def test_the_aws_commands_are_operations_of_aws() -> None:
    model: Any = Session().get_service_model("ecs")
    named = re.findall(r"`aws ecs ([a-z-]+)", PAGE)
    assert named == ["register-task-definition"]
    for name in named:
        assert "".join(part.title() for part in name.split("-")) in model.operation_names
