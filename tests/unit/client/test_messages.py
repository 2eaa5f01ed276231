"""What wrong input gets: a sentence that says what was found, where, and what to do. The texts are kept here."""
# ruff: noqa: E501  (the texts are as a user sees them)

import shlex
from pathlib import Path

import pytest
from burstline.client.cli import cli
from click.testing import CliRunner

PLAN = """\
name: peak
target: {url: "http://127.0.0.1:1/prod", front: rest, function: catalog, stage: prod}
requests:
  - {name: quote, get: "/quote?sku={{ sku }}"}
data: {csv: skus.csv}
load:
  - {for: 2s, rate: 50}
"""

FILES = {
    "plan.yaml": PLAN,
    "skus.csv": "sku\nA-1\n",
    "bad-account.yaml": "lambda: {concurrency: many}\n",
    "k6.json": '{"schema": "k6"}',
    "broken.yaml": "name: [\n",
    "tabs.yaml": "target:\n\turl: x\n",
}

WRONG = {
    "chek plan.yaml": 'No such command "chek"; did you mean "check"?',
    "check nowhere.yaml": "nowhere.yaml: cannot be read: no such file",
    "check broken.yaml": "broken.yaml:2:1: is not YAML: the file ends inside brackets or quotes; close what was opened",
    "check tabs.yaml": "tabs.yaml:2:1: is not YAML: found a tab; YAML allows blanks only for indentation",
    "check plan.yaml --set load.0.rate=fast": '--set load.0.rate=fast: load[0].rate: found "fast"; allowed: requests per second, a number over 0, at most 10000000',
    "check plan.yaml --set load.0.fro=1": '--set load.0.fro=1: load[0].fro: no such field; did you mean "for"? allowed: name, for, rate, to, steps, arrivals, pause, bursts, sine, users, think',
    "check plan.yaml --set load.7.rate=1": '--set load.7.rate=1: found "7" for an item of a list; allowed: 0, or the name of an item',
    "check plan.yaml --set rate": '--set rate: found "rate"; allowed: FIELD=VALUE, such as load.0.rate=500 or requests.quote.weight=2',
    "check plan.yaml --set ceilings.requests=50": "--set ceilings.requests=50: ceilings.requests: the plan schedules 100 requests; its own ceiling is 50",
    "check plan.yaml --set ceilings.duration=1s": "--set ceilings.duration=1s: ceilings.duration: the plan takes 2 s; its own ceiling is 1 s",
    "check plan.yaml --set ceilings.cost_usd=0.0001": "--set ceilings.cost_usd=0.0001: ceilings.cost_usd: the plan costs an estimated $0.00037; its own ceiling is $0.0001",
    "check plan.yaml --set 'requests.0.get=/{{ nosuch }}'": "--set requests.0.get=/{{ nosuch }}: requests[0].get: {{ nosuch }} is unknown: allowed are n, run, sku, uuid",
    "check plan.yaml --set 'data={csv: none.csv}'": '--set data={csv: none.csv}: data.csv: "none.csv" cannot be read: there is no such file',
    "check plan.yaml --set 'thresholds=[\"latency < 1s\"]'": "--set thresholds=[\"latency < 1s\"]: thresholds[0]: 'latency < 1s': latency needs a quantile such as p99, or max",
    "check plan.yaml --set 'auth={bearer: hunter2}'": "--set auth=...: auth.bearer: found a secret in the plan; allowed: a reference such as ${env:API_KEY}",
    "check plan.yaml --target ftp://x": "--target ftp://x: target.url: 'ftp://x' is not usable: allowed is an absolute URL such as https://abc123.execute-api.eu-west-1.amazonaws.com/prod",
    "check plan.yaml --target http://169.254.169.254/": '--target http://169.254.169.254/: target.url: found "169.254.169.254", a link-local or metadata address; allowed: an API of yours, or this machine',
    "check plan.yaml --account bad-account.yaml": 'bad-account.yaml:1:23: lambda.concurrency: found "many"; allowed: a whole number 0 or more',
    "check plan.yaml --set 'requests=[{post: /x}]'": "--set requests=[{post: /x}]: requests[0].post: POST may change data: state `writes: allowed` in the plan if it is meant",
    "run plan.yaml --target http://api.invalid/prod": "burstline: This plan sends 100 requests to api.invalid in 2 s, up to 50/s; estimated cost: about $0.00037 at list prices. Go on? There is no terminal to ask on: add --yes to agree. Nothing was sent",
    "run plan.yaml --server nonsense": 'burstline: --server: found "nonsense"; allowed: HOST:PORT, such as 127.0.0.1:7460',
    "run plan.yaml --server 127.0.0.1:1": "burstline: nothing answers at 127.0.0.1:1: start it with `burstline serve --listen 127.0.0.1:1`",
    "run plan.yaml --json nowhere/r.json": "burstline: nowhere/r.json cannot be written: there is no folder nowhere; make it, or name another file",
    "run plan.yaml --wait-aws soon": 'burstline: --wait-aws: found "soon"; allowed: a duration such as 50ms, 30s, 2m or 1h30m',
    "compare k6.json k6.json": 'burstline: k6.json has the schema "k6"; allowed: burstline.report/v1, as `burstline run PLAN --json FILE` writes',
    "compare k6.json k6.json --fail-if 'p99 > 5'": 'burstline: --fail-if: found "p99"; allowed: latency, lateness, rate, accepted, peak, throttled, rejected, failed, timed_out, unreachable, dropped, headroom, cost',
    "report last": "burstline: say where to: --html, --json, --junit, --csv or --openmetrics FILE; several are fine",
    "emulate --account plan.yaml --listen 99999": 'burstline: --listen: found "99999"; allowed: HOST:PORT, such as 127.0.0.1:7462',
    "work --metrics 7463": 'burstline: --metrics: found "7463"; allowed: HOST:PORT, such as 127.0.0.1:7462',
    "serve --cert skus.csv": "burstline: --cert and --key go together; found only --cert",
    "serve --listen abc": 'burstline: --listen: found "abc"; allowed: HOST:PORT, such as 127.0.0.1:7462',
    "request-increase last --quota concurrency": 'burstline: --quota: found "concurrency"; allowed: SERVICE:CODE as the report names it, such as lambda:L-B99A9384',
    "runs --since soon": 'burstline: --since: found "soon"; allowed: a duration such as 50ms, 30s, 2m or 1h30m',
}
"""Command line, and the sentence that it gets."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.delenv("BURSTLINE_SERVER", raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_gets_its_sentence_and_an_exit_code_of_its_own(line: str) -> None:
    ended = CliRunner().invoke(cli, shlex.split(line))
    assert WRONG[line] in ended.stderr.replace("Error: ", "").splitlines()
    assert ended.stdout == ""
    assert ended.exit_code == (1 if "nothing answers" in WRONG[line] else 2)
    assert "hunter2" not in ended.output


@pytest.mark.usefixtures("folder")
def test_all_mistakes_come_out_at_once_and_are_counted() -> None:
    mistakes = ["load.0.rate=fast", "seed=x", "requests.0.weight=-1", "target.front=soap"]
    options = [part for mistake in mistakes for part in ("--set", mistake)]
    ended = CliRunner().invoke(cli, ["check", "plan.yaml", *options])
    lines = ended.stderr.splitlines()
    assert lines[-1] == "burstline: 4 mistakes; nothing was sent"
    assert sorted(line.split(": ")[0] for line in lines[:-1]) == sorted(f"--set {one}" for one in mistakes)


@pytest.mark.usefixtures("folder")
def test_a_load_over_the_ceiling_of_its_rate_is_no_mistake_but_said() -> None:
    ended = CliRunner().invoke(cli, ["check", "plan.yaml", "--set", "ceilings.rate=20"])
    assert ended.exit_code == 0
    assert "note: the load reaches up to 50/s; what exceeds ceilings.rate, 20/s, is dropped and counted" in ended.stderr
