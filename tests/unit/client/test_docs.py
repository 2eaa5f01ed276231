"""What the docs and the help say is so: commands parse, links lead somewhere, what is generated is up to date."""

import contextlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import jsonschema
import pytest
import yaml
from burstline.client.cli import COMMANDS, cli
from burstline.client.spelling.documents import parse_document, read_document
from burstline.client.spelling.schema import plan_schema
from click.testing import CliRunner
from written import PAGES, ROOT, spoken, written_commands

VALIDATOR = jsonschema.Draft202012Validator(plan_schema())


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def above() -> click.Context:
    """Return the context of `burstline` itself: commands remember which help options the first one had."""
    return click.Context(cli, **cli.context_settings)


@pytest.mark.parametrize(("where", "line"), sorted(set(written_commands())))
def test_every_command_that_is_written_down_is_one(
    where: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ca.pem", "server.pem", "server.key", "clients.pem", "worker.pem", "worker.key", "plan.yaml", "PLAN"):
        (tmp_path / name).touch()
    words = [re.sub(r"^(RATE|N)$", "3000", word) for word in spoken(line)]
    if not words or words[0] in ("-h", "--help") or "..." in words:
        return
    command = cli.get_command(click.Context(cli), words[0])
    while isinstance(command, click.Group) and len(words) > 1:
        words = words[1:]
        command = command.get_command(above(), words[0])
    assert command is not None, f"{where}: {line}"
    with contextlib.suppress(click.exceptions.Exit):  # --schema prints and ends
        command.make_context(words[0], words[1:], parent=above())


def test_every_command_is_in_the_docs_and_its_help_has_an_example() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in COMMANDS:
        assert f"burstline {name}" in text or f"{name}," in text, name
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert f"burstline {name}" in (command.epilog or ""), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_pages_lead_to_files_that_are_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_the_readme_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_what_is_generated_is_up_to_date() -> None:
    for path, content in generator().files().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name}: run `python docs/generate.py`"


def test_the_reference_has_every_section_of_a_plan() -> None:
    text = (ROOT / "docs" / "plan-reference.md").read_text(encoding="utf-8")
    for name in ("Plan", "Target", "Phase.Bursts", "Ceilings", "Account.Function"):
        assert f"## {name}\n" in text
    assert "| `size_count` | `size` | int32 | Requests in one burst. 1 to 1e7. |" in text


PLANS = [*(ROOT / "examples").glob("*.yaml"), *(ROOT / "client/burstline/client/data").glob("*.yaml")]


@pytest.mark.parametrize("plan", [one for one in PLANS if "account" not in one.name], ids=lambda one: one.name)
def test_the_schema_takes_every_plan_that_is_there(plan: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read_document(plan).data)] == []


def test_the_schema_takes_the_readmes_plan() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    (plan,) = [block for block in blocks if "requests:" in block]
    assert [error.message for error in VALIDATOR.iter_errors(parse_document(plan, "README.md").data)] == []


GOOD: dict[str, Any] = {
    "target": "http://localhost/",
    "requests": [{"get": "/", "expect": {"status": ["2xx", 404, "500-502"]}}],
    "load": [{"for": "1m30s", "rate": 5}, {"pause": "10s"}, {"for": "1s", "users": 3, "think": "250 ms"}],
    "goal": 300,
    "tolerance": {"throttled": "0.1%"},
    "auth": {"sigv4": None},
    "account": {"lambda": {"functions": {"f": {"duration": "40ms"}, "g": None}}},
}


def test_the_schema_takes_every_short_form() -> None:
    assert [error.message for error in VALIDATOR.iter_errors(GOOD)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"laod": []},
        {"load": []},
        {"load": [{"for": 10, "rate": 5}]},
        {"load": [{"for": "10s", "rate": -5}]},
        {"load": [{"for": "10s", "rate": 5, "think": "1s"}]},
        {"load": [{"for": "10s"}]},
        {"requests": [{"get": "/", "expect": {"status": "9xx"}}]},
        {"target": {"url": "http://x", "front": "soap"}},
        {"tolerance": {"throttled": "lots"}},
        {"goal": -1},
        {"marks": "no"},
        {"account": {"lambda": {"concurrency": "many"}}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_check_refuses(change: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors({**GOOD, **change}))


def test_check_prints_the_schema_that_is_in_the_docs() -> None:
    ended = CliRunner().invoke(cli, ["check", "--schema"])
    assert ended.exit_code == 0
    assert json.loads(ended.stdout) == json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_of_the_docs_have_a_completion(shell: str) -> None:
    ended = CliRunner(env={"_BURSTLINE_COMPLETE": f"{shell}_source"}).invoke(cli, prog_name="burstline")
    assert "burstline" in ended.stdout


def test_completion_offers_commands_and_options() -> None:
    env = {"_BURSTLINE_COMPLETE": "bash_complete", "COMP_WORDS": "burstline com", "COMP_CWORD": "1"}
    assert CliRunner(env=env).invoke(cli, prog_name="burstline").stdout.split() == ["plain,compare"]


def test_the_examples_for_ci_are_yaml() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 2
    assert all(isinstance(yaml.safe_load(block), dict) for block in blocks)
