"""What deploy/ says is valid Kubernetes, names commands that exist, and fits together."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from burstline.client.cli import cli

ROOT = Path(__file__).resolve().parents[3]
KUBERNETES = ROOT / "deploy/kubernetes"
FOLDERS = sorted(path.parent for path in KUBERNETES.rglob("kustomization.yaml"))
VERSIONS = ("1.31", "1.34")
FOREIGN = ("monitoring.coreos.com/v1",)
"""Kinds of operators, of which Kubernetes itself has no schema."""


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def resources() -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in FOLDERS:
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text()).get("resources", []):
            if (folder / name).is_file():
                yield from ((folder / name, document) for document in documents(folder / name))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [document for _, document in resources() if document["kind"] == kind]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for deployment in of_kind("Deployment"):
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            yield deployment["metadata"]["name"], container


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid_in_the_oldest_and_newest_kubernetes_we_name(version: str) -> None:
    checked = 0
    for _, document in resources():
        if document["apiVersion"] not in FOREIGN:
            kubernetes_validate.validate(document, version, strict=True)
            checked += 1
    assert checked >= 8


def test_a_misspelt_field_would_be_found() -> None:
    document = of_kind("Deployment")[0]
    document["spec"]["replicaz"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_kustomization_names_every_file_beside_it(folder: Path) -> None:
    named = set(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])
    beside = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert {name for name in named if (folder / name).is_file()} == beside
    assert all((folder / name).exists() for name in named)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kustomize_builds_it(folder: Path) -> None:
    kustomize = shutil.which("kustomize")
    if kustomize is None:
        pytest.skip("kustomize is not installed")
    built = subprocess.run([kustomize, "build", folder], check=True, capture_output=True, text=True, timeout=60).stdout
    assert {document["kind"] for document in yaml.safe_load_all(built)} >= {"Deployment", "Service", "NetworkPolicy"}


def parse(arguments: list[str]) -> None:
    """Parse a command line as `burstline` does, without running it; raises click's usage errors."""
    context = cli.make_context("burstline", list(arguments))
    name, command, rest = cli.resolve_command(context, arguments)
    assert command is not None
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("name", ["server", "worker"])
def test_deployments_and_services_give_options_that_the_command_has(name: str) -> None:
    parse(next(container["args"] for of, container in containers() if of == name))
    parse(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]["command"])


def test_probes_and_services_name_ports_that_containers_open() -> None:
    for _, container in containers():
        names = {port["name"] for port in container["ports"]}
        numbers = {port["containerPort"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for way in container.get(probe, {}).values():
                if isinstance(way, dict):
                    assert way["port"] in names | numbers
    ports = {port["name"] for _, container in containers() for port in container["ports"]}
    for service in of_kind("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_selectors_find_what_they_are_for() -> None:
    labels = [deployment["spec"]["template"]["metadata"]["labels"] for deployment in of_kind("Deployment")]
    selectors = [document["spec"]["selector"] for document in of_kind("Service")]
    selectors += [document["spec"]["selector"]["matchLabels"] for document in of_kind("PodDisruptionBudget")]
    selectors += [document["spec"]["podSelector"]["matchLabels"] for document in of_kind("NetworkPolicy")]
    selectors += [document["spec"]["selector"]["matchLabels"] for document in of_kind("PodMonitor")]
    assert len(selectors) >= 5
    for selector in selectors:
        assert any(selector.items() <= one.items() for one in labels), selector


def test_the_autoscaler_scales_workers_and_never_takes_one_away_in_haste() -> None:
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "worker"
    assert scaler["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 900


def test_no_container_has_rights_it_does_not_need() -> None:
    for deployment in of_kind("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
    image = (ROOT / "Dockerfile").read_text()
    assert "\nUSER 10001\n" in image


def test_compose_publishes_ports_on_this_machine_only() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
