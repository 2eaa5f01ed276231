"""`burstline check` says before a run that a burst would open its own connections."""

from pathlib import Path

from burstline.client.cli import cli
from click.testing import CliRunner

PLAN = """
name: sale
target: {{url: "{scheme}://localhost/prod"}}
requests: [{{name: quote, get: /}}]
load: [{{name: rush, for: 10s, bursts: {{size: 800, every: 5s, width: 50ms}}}}]
connections: {{warm: {warm}}}
"""


def said(folder: Path, scheme: str, warm: str) -> str:
    path = folder / "plan.yaml"
    path.write_text(PLAN.format(scheme=scheme, warm=warm))
    result = CliRunner().invoke(cli, ["check", str(path)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_cold_burst_over_tls_is_noted_with_the_workers_it_would_need(tmp_path: Path) -> None:
    text = said(tmp_path, "https", "none")
    assert "note: phase 'rush' opens 800 TLS connections while its burst lasts" in text
    assert "480 ms of CPU" in text
    assert "20 workers" in text


def test_a_warm_one_and_one_without_tls_are_not(tmp_path: Path) -> None:
    assert "note" not in said(tmp_path, "https", "auto")
    assert "note" not in said(tmp_path, "http", "none")
