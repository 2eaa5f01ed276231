"""The Grafana dashboard and the alert rules as files: up to date, without unknown keys, and right about signatures."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from burstline.core.load.plan import Front
from burstline.core.load.samples import Outcome
from burstline.core.quota.answers.classify import meaning, signatures
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

DEPLOY = Path(__file__).parents[3] / "deploy"
FILE = DEPLOY / "grafana" / "dashboards" / "burstline.json"
PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")


def load_dashboard() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboard", DEPLOY / "grafana" / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unknown_keys(written: Any, known: Any, path: str = "") -> list[str]:
    """Return the paths of what `written` has and `known` has not, or has otherwise."""
    if isinstance(written, dict):
        missing = [f"{path}.{key}" for key in written if key not in known and key != "id"]
        shared = [key for key in written if key in known]
        return [*missing, *(one for key in shared for one in unknown_keys(written[key], known[key], f"{path}.{key}"))]
    if isinstance(written, list):
        pairs = zip(written, known, strict=True)
        return [one for number, pair in enumerate(pairs) for one in unknown_keys(*pair, f"{path}[{number}]")]
    return [] if written == known else [f"{path}: {written} is read as {known}"]


def as_read(written: dict[str, Any]) -> Any:
    """Return what Grafana's models know of a dashboard: reading drops what they do not know."""
    return json.loads(JSONEncoder(sort_keys=True).encode(model.Dashboard.from_json(written)))


def test_the_file_is_what_the_code_writes() -> None:
    assert FILE.read_text() == load_dashboard().text(), "run: python deploy/grafana/dashboard.py"


def test_every_key_is_known_to_grafanas_own_schema() -> None:
    written = json.loads(FILE.read_text())
    assert unknown_keys(written, as_read(written)) == []


def test_a_misspelt_key_would_be_found() -> None:
    written = json.loads(FILE.read_text())
    written["panels"][1]["fieldConfig"]["defaults"]["unti"] = "s"
    assert unknown_keys(written, as_read(written)) == [".panels[1].fieldConfig.defaults.unti"]


def test_panels_lie_beside_each_other_and_not_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(FILE.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_panel_says_what_it_shows() -> None:
    panels = [panel for panel in json.loads(FILE.read_text())["panels"] if panel["type"] != "row"]
    assert len(panels) >= 16
    assert all(panel["description"].endswith(".") for panel in panels)


def test_the_throttle_alert_names_the_signatures_that_are_throttles_for_certain() -> None:
    (rule,) = [
        rule
        for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
        for rule in group["rules"]
        if rule["alert"] == "BurstlineThrottled"
    ]
    found = re.search(r'signature=~"([^"]+)"', rule["expr"])
    assert found is not None
    every = {one for front in Front for one in signatures(front)}
    certain = {one for one in every if meaning(one).rejects and meaning(one).outcome is Outcome.THROTTLED}
    assert {one for one in every if re.fullmatch(found.group(1), one)} == certain


@PROMTOOL
@pytest.mark.parametrize("arguments", [["check", "config", "prometheus.yml"], ["test", "rules", "rules.test.yml"]])
def test_promtool_accepts_the_configuration_and_the_alerts_fire_when_they_should(arguments: list[str]) -> None:
    ended = subprocess.run(
        ["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_compose_provisions_what_is_there() -> None:
    service = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]["grafana"]
    assert service["profiles"] == ["grafana"]
    for volume in service["volumes"]:
        assert (DEPLOY.parent / volume.split(":")[0]).is_dir()
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/burstline.yml").read_text())["providers"][0]
    assert provider["options"]["path"] == service["volumes"][1].split(":")[1]
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
