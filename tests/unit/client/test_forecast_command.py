"""`burstline forecast`: a sentence first, then tables; JSON on demand; exit codes as for other commands."""

import json
from io import StringIO
from pathlib import Path

import pytest
from burstline.client.cli import cli
from burstline.client.reports.forecast_text import render_forecast, verdict
from burstline.core.quota.forecast.records import NEVER, Forecast, FunctionForecast, Interval, LayerForecast
from burstline.core.quota.quotas import Layer, Scaling
from click.testing import CliRunner, Result
from rich.console import Console

PLAN = """
name: peak
target: {url: "https://abc123.execute-api.eu-west-1.amazonaws.com/prod", front: rest, function: checkout}
requests:
  - {name: quote, get: /quote}
load:
  - {name: hold, for: 10s, rate: RATE}
"""

ACCOUNT = """
apigateway: {stages: {prod: {rate: 100, burst: 50}}}
lambda:
  concurrency: 1000
  functions:
    checkout: {duration: 40ms, memory_mb: 512}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plan.yaml").write_text(PLAN.replace("RATE", "200"))
    (tmp_path / "account.yaml").write_text(ACCOUNT)
    return tmp_path


def ran(folder: Path, *arguments: str) -> Result:
    whole = ["forecast", str(folder / "plan.yaml"), "--account", str(folder / "account.yaml"), *arguments]
    return CliRunner().invoke(cli, whole, env={"COLUMNS": "120"})


def test_the_first_line_says_when_by_which_quota_and_how_much(folder: Path) -> None:
    """50 / (200 - 100) = 0.5 s; then 100/s of the remaining 9.5 s: 950 of 2,000."""
    result = ran(folder)
    assert result.exit_code == 0, result.output
    first = result.output.splitlines()[0]
    assert first.startswith(("Throttling begins at 0.4", "Throttling begins at 0.5"))
    assert "the stage's token bucket" in first
    assert "of 2,000 requests over 10 s throttled" in first
    assert "Nothing was sent" in result.output


def test_without_throttling_it_says_so(folder: Path) -> None:
    result = ran(folder, "--set", "load.0.rate=90")
    assert result.output.startswith("No throttling expected: 900 requests over 10 s")


def test_json_has_intervals_and_null_for_what_does_not_happen(folder: Path) -> None:
    found = json.loads(ran(folder, "--json", "-").output)
    assert (found["schema"], found["estimate"], found["solver"]) == ("burstline.forecast/v1", True, "exact")
    assert found["throttled"]["low"] <= 950 <= found["throttled"]["high"]
    assert [layer["layer"] for layer in found["layers"]] == ["stage"]
    per_call = 0.2e-6 + 0.04 * 0.5 * 0.0000166667  # 40 ms at 512 MB
    assert found["cost_usd"]["total"]["mid"] == pytest.approx(2000 * 3.5e-6 + 1050 * per_call, rel=0.01)
    quiet = json.loads(ran(folder, "--json", "-", "--set", "load.0.rate=90").output)
    assert quiet["first_throttle_s"] == {"low": None, "mid": None, "high": None}
    assert quiet["throttled"] == {"low": 0, "mid": 0, "high": 0}


def test_json_goes_to_a_file_beside_the_table(folder: Path) -> None:
    result = ran(folder, "--json", str(folder / "out.json"))
    assert json.loads((folder / "out.json").read_text())["requests"]["mid"] == 2000
    assert result.output.startswith("Throttling begins")


def test_the_goal_scales_the_whole_plan(folder: Path) -> None:
    found = json.loads(ran(folder, "--json", "-", "--goal", "400").output)
    assert found["requests"]["mid"] == 4000


def test_the_scaling_regime_is_selectable(folder: Path) -> None:
    assert json.loads(ran(folder, "--json", "-", "--scaling", "legacy").output)["scaling"] == "legacy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--goal", "0"), "--goal"),
        (("--scaling", "new"), "--scaling"),
        (("--set", "load.0.rate=-1"), "rate"),
        (("--json", "/"), "--json"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    result = ran(folder, *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_goal_for_a_plan_of_users_only_is_refused(folder: Path) -> None:
    (folder / "plan.yaml").write_text(PLAN.replace("rate: RATE", "users: 5, think: 1s"))
    result = ran(folder, "--goal", "100")
    assert result.exit_code == 2
    assert "users only" in result.output


def fixed(value: float) -> Interval:
    return Interval(value, value, value)


def forecast_with(first: Interval, layers: tuple[LayerForecast, ...]) -> Forecast:
    functions = tuple(FunctionForecast(f"f{i}", *(fixed(float(i)) for _ in range(4))) for i in range(25))
    return Forecast(
        solver="exact",
        scaling=Scaling.CURRENT,
        duration_s=60.0,
        request_count=fixed(100.0),
        throttled_count=Interval(0, 5, 9),
        first_throttle_s=first,
        layers=layers,
        functions=functions,
        peak_claimed=fixed(7.0),
        cold_starts=fixed(8.0),
        cost_usd={"total": Interval(1.0, 2.0, 3.0), "provisioned": fixed(0.0)},
        simulated_runs=39,
        notes=("A note.",),
    )


def test_what_may_happen_is_not_called_certain() -> None:
    first = Interval(3.0, NEVER, NEVER)
    layer = LayerForecast(Layer.ACCOUNT_CONCURRENCY, Interval(0, 5, 9), first, 0.4)
    said = verdict(forecast_with(first, (layer,)))
    assert said.startswith("Throttling is possible, first by the account's concurrency, no sooner than 3.00 s")


def test_a_large_fleet_is_cut_and_what_costs_nothing_is_left_out() -> None:
    console = Console(width=120, record=True, file=StringIO())
    render_forecast(forecast_with(fixed(NEVER), ()), console)
    shown = console.export_text()
    assert "5 more (see --json)" in shown
    assert "provisioned" not in shown
    assert "$2.00 ($1.00 to $3.00)" in shown
    assert "note: A note." in shown
