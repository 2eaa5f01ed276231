"""What deploy/ says is valid Kubernetes, names commands that exist, and fits together."""

import re
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
FOREIGN = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
"""Kinds of operators, of which Kubernetes itself has no schema."""

BUILT = [folder for folder in FOLDERS if "components" not in folder.parts]
KUSTOMIZE = shutil.which("kustomize")
PROMTOOL = shutil.which("promtool")


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


@pytest.fixture(scope="module")
def built() -> dict[str, list[dict[str, Any]]]:
    """What kustomize makes of the base and of each overlay, by name."""
    if KUSTOMIZE is None:
        pytest.skip("kustomize is not installed (Debian 13: kustomize)")
    made = {}
    for folder in BUILT:
        ended = subprocess.run([KUSTOMIZE, "build", folder], check=False, capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, ""), folder
        made[folder.name] = [document for document in yaml.safe_load_all(ended.stdout) if document]
    return made


def test_what_kustomize_builds_is_valid(built: dict[str, list[dict[str, Any]]]) -> None:
    assert set(built) == {"base", "keda", "metrics-server", "monitored"}
    for documents_built in built.values():
        kinds = {document["kind"] for document in documents_built}
        assert kinds >= {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "Namespace", "ConfigMap"}
        for document in documents_built:
            if document["kind"] != "Namespace":
                assert document["metadata"]["namespace"] == "burstline"
            for version in VERSIONS:
                if document["apiVersion"] not in FOREIGN:
                    kubernetes_validate.validate(document, version, strict=True)


def test_each_overlay_scales_the_workers_by_one_rule(built: dict[str, list[dict[str, Any]]]) -> None:
    scalers = {"HorizontalPodAutoscaler", "ScaledObject"}
    found = {name: [one["kind"] for one in made if one["kind"] in scalers] for name, made in built.items()}
    assert found == {
        "base": [],
        "keda": ["ScaledObject"],
        "metrics-server": ["HorizontalPodAutoscaler"],
        "monitored": ["HorizontalPodAutoscaler"],
    }


def test_the_built_server_finds_its_configuration_and_asks_for_the_stores_url(
    built: dict[str, list[dict[str, Any]]],
) -> None:
    made = built["base"]
    (config,) = [document for document in made if document["kind"] == "ConfigMap"]
    deployments = {one["metadata"]["name"]: one for one in made if one["kind"] == "Deployment"}
    (server,) = deployments["server"]["spec"]["template"]["spec"]["containers"]
    assert server["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
    assert server["image"] == "burstline:0.1.0"
    reference = {"name": "BURSTLINE_STORE", "valueFrom": {"secretKeyRef": {"name": "burstline-store", "key": "url"}}}
    assert reference in server["env"]


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


def test_autoscalers_scale_the_workers_and_never_take_one_away_in_haste() -> None:
    (by_cpu,), (by_metrics,) = of_kind("HorizontalPodAutoscaler"), of_kind("ScaledObject")
    assert by_cpu["spec"]["scaleTargetRef"]["name"] == by_metrics["spec"]["scaleTargetRef"]["name"] == "worker"
    through_keda = by_metrics["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    for behavior in (by_cpu["spec"]["behavior"], through_keda):
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 900


def queries() -> list[tuple[str, float]]:
    """Return KEDA's queries, and how much of each a worker takes."""
    (scaler,) = of_kind("ScaledObject")
    triggers = [trigger["metadata"] for trigger in scaler["spec"]["triggers"]]
    return [(trigger["query"], float(trigger["threshold"])) for trigger in triggers]


def test_keda_asks_for_metrics_that_there_are() -> None:
    known = set(re.findall(r"`(burstline_\w+)`", (ROOT / "docs/metrics.md").read_text(encoding="utf-8")))
    asked = {name for query, _ in queries() for name in re.findall(r"burstline_\w+(?={)", query)}
    assert asked
    assert asked <= known


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_keda_gets_as_many_workers_as_the_load_takes(tmp_path: Path) -> None:
    """Four workers at 75 % of their cores want five; so does a peak of 10,000 requests/s ten minutes ago."""
    series = [
        *(
            {"series": f'burstline_worker_cpu_ratio{{namespace="burstline",pod="{n}"}}', "values": "0.75x60"}
            for n in "abcd"
        ),
        {"series": 'burstline_worker_cpu_ratio{namespace="other"}', "values": "0.9x60"},
        {"series": 'burstline_due_rate{namespace="burstline",run="0"}', "values": "5000x20 0x40"},
        {"series": 'burstline_due_rate{namespace="burstline",run="1"}', "values": "5000x20 0x40"},
    ]
    asked = [
        {"expr": query, "eval_time": "15m", "exp_samples": [{"labels": "{}", "value": 5 * each}]}
        for query, each in queries()
    ]
    case = {"interval": "15s", "input_series": series, "promql_expr_test": asked}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    ended = subprocess.run(
        [str(PROMTOOL), "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_prometheus_that_goes_by_annotations_finds_each_pods_metrics() -> None:
    for deployment in of_kind("Deployment"):
        template = deployment["spec"]["template"]
        marks = template["metadata"]["annotations"]
        ports = {str(port["containerPort"]) for port in template["spec"]["containers"][0]["ports"]}
        assert marks["prometheus.io/scrape"] == "true"
        assert marks["prometheus.io/path"] == "/metrics"
        assert marks["prometheus.io/port"] in ports


def test_monitors_name_ports_that_their_services_and_pods_have() -> None:
    (service,), (of_service,), (of_pods,) = of_kind("Service"), of_kind("ServiceMonitor"), of_kind("PodMonitor")
    assert of_service["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {one["port"] for one in of_service["spec"]["endpoints"]} <= {one["name"] for one in service["spec"]["ports"]}
    worker = next(container for name, container in containers() if name == "worker")
    assert {one["port"] for one in of_pods["spec"]["podMetricsEndpoints"]} <= {one["name"] for one in worker["ports"]}


def test_the_network_lets_in_what_is_needed_and_no_worker_to_metadata_addresses() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy")}
    opened = {
        name: {port["port"] for rule in one["ingress"] for port in rule["ports"]} for name, one in policies.items()
    }
    assert opened == {"server": {7460, 7461}, "worker": {7463}}
    (grpc,) = [rule for rule in policies["server"]["ingress"] if rule["ports"][0]["port"] == 7460]
    assert "namespaceSelector" not in grpc["from"][0]
    anywhere = [block["ipBlock"] for rule in policies["worker"]["egress"] for block in rule.get("to", [])]
    assert {"169.254.0.0/16", "fd00:ec2::/32"} <= {closed for block in anywhere for closed in block["except"]}


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
