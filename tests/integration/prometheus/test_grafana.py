"""The dashboard against the real Prometheus that watched a run: each variable has values, each query has data."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from watched import NAME, Watched

pytestmark = pytest.mark.timeout(300)  # the first test waits for the run that all of them look at

DEPLOY = Path(__file__).parents[3] / "deploy"
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "burstline.json").read_text())
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in BOARD["panels"]
    for target in panel.get("targets", ())
]


def variable(name: str) -> dict[str, Any]:
    (found,) = [one for one in BOARD["templating"]["list"] if one["name"] == name]
    return dict(found)


def runs_offered(watched: Watched) -> dict[str, str]:
    """Return what Grafana would offer for `run`, text to value, as it reads a `query_result`."""
    query, regex = variable("run")["query"], variable("run")["regex"]
    python_regex = regex.strip("/").replace("(?<", "(?P<")
    offered = {}
    for one in watched.prometheus.query(query.removeprefix("query_result(").removesuffix(")")):
        labels = ",".join(f'{key}="{value}"' for key, value in one["metric"].items() if key != "__name__")
        line = f"{one['metric']['__name__']}{{{labels}}} {one['value'][1]} {one['value'][0] * 1000}"
        found = re.search(python_regex, line)
        assert found is not None, line
        offered[found["value"]] = found["text"]
    return offered


def test_a_run_is_offered_by_name_and_stands_for_its_slot(watched: Watched) -> None:
    assert runs_offered(watched)[watched.slot] == NAME


def test_the_functions_with_quotas_of_their_own_are_offered(watched: Watched) -> None:
    found = re.fullmatch(r"label_values\((.+), function\)", variable("function")["query"])
    assert found is not None
    assert watched.prometheus.label_values("function", found[1]) == ["catalog"]


@pytest.mark.parametrize("function", [".*", "catalog"])
@pytest.mark.parametrize("query", QUERIES)
def test_the_query_of_every_panel_returns_data(watched: Watched, query: str, function: str) -> None:
    if "burstline_quota_recommended" in query and watched.report["verdict"] == "generator_limited":
        pytest.skip("this machine was too busy for a verdict about quotas, so there is no advice")
    for name, value in (("run", watched.slot), ("function", function), ("__rate_interval", "4s")):
        query = query.replace(f"${name}", value)
    assert "$" not in query
    series = watched.prometheus.query_range(query, watched.from_s, watched.to_s)
    assert series
    values = [float(value) for one in series for _, value in one["values"]]
    assert any(value == value for value in values), "every value is NaN"


def test_the_quota_panels_follow_the_function_and_keep_the_accounts(watched: Watched) -> None:
    (panel,) = [panel for panel in BOARD["panels"] if panel["title"] == "Use of each quota"]
    query = panel["targets"][0]["expr"]

    def shown(function: str) -> set[str]:
        found = watched.prometheus.query(query.replace("$function", function))
        return {one["metric"].get("function", "") for one in found}

    assert shown("catalog") == shown(".*") == {"", "catalog"}
    assert shown("other") == {""}
