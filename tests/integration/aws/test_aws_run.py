"""`burstline run` against the practice AWS, with and without its AWS side: the same answers, other conclusions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytestmark = pytest.mark.timeout(300)
"""Each command is a process of its own: about 2 s alone, many times that on a machine busy with other tests."""

SCHEMA = json.loads((Path(__file__).parents[3] / "server/burstline/server/judging/report.schema.json").read_text())
ACCOUNT = """\
region: eu-west-1
lambda: {concurrency: 5, functions: {checkout: {duration: 100ms, init: 200ms}}}
emulator: {front: rest, stage: prod}
"""
PLAN = """\
name: with-aws
target: {url: "TARGET", front: rest, function: checkout, stage: prod}
auth: {bearer: "${env:TOKEN}"}
requests: [{name: quote, get: "/quote"}]
load: [{for: 3s, rate: 80}]
"""
TOKEN = "s3cr3t-of-the-plan"


@pytest.fixture
def practised(commands: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TOKEN", TOKEN)
    return commands(ACCOUNT, PLAN)


def test_with_aws_the_500s_are_confirmed_as_throttles_and_their_layer_is_named(practised: Any) -> None:
    """Nothing is declared, so the client alone sees 500s at a limit that it does not know."""
    without = practised.report("without.json")
    assert without["aws"] is None
    assert {one["limit_source"] for one in without["findings"]} == {"default"}
    found = practised.report("with.json", "--endpoint-url", practised.aws, "--wait-aws", "15s")
    jsonschema.validate(found, SCHEMA)
    assert found["aws"]["region"] == "eu-west-1"
    assert found["run"]["account_last4"] == "9012"
    assert found["aws"]["cloudwatch"]["complete"]
    assert found["ledger"]["outcomes"]["throttled"] == found["ledger"]["signatures"]["rest.500.internal"] > 0
    assert found["ledger"]["outcomes"]["failed"] == 0
    assert {one["layer"] for one in found["bindings"]} == {"account_concurrency"}
    (concurrency,) = [one for one in found["findings"] if one["quota"] == "lambda:L-B99A9384"]
    assert (concurrency["limit"], concurrency["limit_source"]) == (5, "aws")
    assert (concurrency["peak_use"], concurrency["use_source"]) == (5, "cloudwatch")
    (cold,) = found["aws"]["cold_starts"]
    assert cold["invocation_count"] >= found["ledger"]["outcomes"]["ok"]
    assert 0 <= cold["cold_count"] <= 5
    files = [path for path in practised.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert [path.name for path in files if TOKEN.encode() in path.read_bytes()] == []


def test_the_how_to_ask_for_more_is_right_step_by_step(practised: Any) -> None:
    """The commands of docs/asking-aws.md, in order, as written; agreed to, and at the practice AWS."""
    text = (Path(__file__).parents[3] / "docs/asking-aws.md").read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("burstline ")]
    asks = ("run", "quotas", "request-increase", "increases")
    said: dict[str, list[str]] = {}
    for line in lines:
        words = line.split()[1:]
        more = ["--endpoint-url", practised.aws] if words[0] in asks else []
        more += {"run": ["--wait-aws", "5s"], "request-increase": ["--yes"]}.get(words[0], [])
        done = practised.command(*words, *more)
        for _ in range(2):  # a machine that was too busy to send as planned (4) has nothing to advise
            if done.returncode == 4:
                done = practised.command(*words, *more)
        assert done.returncode in (0, 3), (line, done.stderr)
        said.setdefault(words[0], []).append(done.stdout)
    assert list(said) == ["run", "forecast", "request-increase", "increases", "quotas", "compare"]
    assert "sent: pending" in said["request-increase"][0]
    assert "Granted: the quota is" in said["increases"][0]


def test_quotas_are_read_and_the_policy_for_it_is_printed(practised: Any) -> None:
    quotas = practised.command("quotas", "plan.yaml", "--endpoint-url", practised.aws)
    assert quotas.returncode == 0, quotas.stderr
    assert "eu-west-1, account ending in 9012" in quotas.stdout
    assert "checkout: timeout" in quotas.stdout
    policy = json.loads(practised.command("iam-policy", "plan.yaml", "--account-id", "123456789012").stdout)
    assert policy["Version"] == "2012-10-17"


def test_an_increase_is_asked_for_once_and_followed(practised: Any) -> None:
    practised.report("run.json", "--wait-aws", "0")
    asks = ("request-increase", "last", "--quota", "lambda:L-B99A9384", "--value", "50")
    refused = practised.command(*asks, "--endpoint-url", practised.aws)
    assert refused.returncode == 2
    assert "nothing was sent: there is no terminal to ask on" in refused.stderr
    sent = practised.command(*asks, "--endpoint-url", practised.aws, "--yes")
    assert "current:    5" in sent.stdout
    assert "requested:  50" in sent.stdout
    assert "sent: pending" in sent.stdout
    again = practised.command(*asks, "--endpoint-url", practised.aws, "--yes")
    assert "not sent: Concurrent executions is 50 already" in again.stdout
    listed = practised.command("increases", "--endpoint-url", practised.aws)
    assert "approved" in listed.stdout
    assert "Granted: the quota is 50 now." in listed.stdout


def test_the_forecast_reads_the_account_and_what_others_take_of_it(practised: Any) -> None:
    """Nothing is declared: 80/s x 100 ms need 8 environments of AWS's 1,000, but of this account's 5."""
    without = json.loads(practised.command("forecast", "plan.yaml", "--json", "-").stdout)
    assert without["throttled"]["high"] == 0
    found = practised.command("forecast", "plan.yaml", "--aws", "--endpoint-url", practised.aws)
    assert "by the account's concurrency" in found.stdout
    assert "of the 5 environments that functions without reserved concurrency share" in found.stdout


BALANCED = ACCOUNT.replace("front: rest, stage: prod", "front: alb")
BALANCED_PLAN = """\
name: balanced
target: {url: "TARGET", front: alb, function: checkout}
requests: [{name: quote, get: "/quote"}]
load: [{for: 3s, rate: 80}]
"""


def test_a_load_balancers_502s_are_decided_by_lambda_and_its_own_metrics_are_shown(
    commands: Callable[[str, str], Any],
) -> None:
    practised = commands(BALANCED, BALANCED_PLAN)
    found = practised.report("with.json", "--endpoint-url", practised.aws, "--wait-aws", "15s")
    jsonschema.validate(found, SCHEMA)
    throttled = found["ledger"]["outcomes"]["throttled"]
    assert throttled == found["ledger"]["signatures"]["alb.502"] > 0
    series = {one["metric"]: one for one in found["aws"]["cloudwatch"]["series"]}
    counted = sum(value for _, value in series["AWS/ApplicationELB HTTPCode_ELB_502_Count"]["points"])
    assert counted >= throttled
    assert any("The load balancer counted" in note for note in found["notes"])


QUEUED = """\
region: eu-west-1
lambda: {functions: {worker: {duration: 200ms}}}
sqs: {queues: {orders: {function: worker, batch: 1, max_receives: 4, partial_batch: true}}}
"""
QUEUED_PLAN = """\
name: queued
target: {url: "AWS/123456789012/orders", front: sqs}
auth: {sigv4: {region: eu-west-1}}
requests: [{name: order, json: {id: "{{ uuid }}"}, messages: 10}]
writes: allowed
load: [{for: 3s, rate: 30}]
"""


def test_messages_are_sent_at_a_paced_rate_and_their_queue_is_watched(commands: Callable[[str, str], Any]) -> None:
    """300 messages/s, one a call of 200 ms: the event source's first invocations fall behind."""
    practised = commands(QUEUED, QUEUED_PLAN)
    found = practised.report("queue.json", "--endpoint-url", practised.aws, "--wait-aws", "5s")
    jsonschema.validate(found, SCHEMA)
    assert found["ledger"]["outcomes"]["ok"] == found["ledger"]["sent"] == 90
    assert found["preflight"][0]["status"] == 200
    (queue,) = found["aws"]["queues"]
    assert queue["name"] == "orders"
    assert queue["peak_waiting"] > 100
    assert queue["dead_letters"] == 0
    sent = next(one for one in found["aws"]["cloudwatch"]["series"] if one["metric"] == "AWS/SQS NumberOfMessagesSent")
    assert sum(value for _, value in sent["points"]) == 910  # the preflight's ten among them
    notes = " ".join(found["notes"])
    assert "maxReceiveCount 4 is below 5" in notes
    assert "messages waited" in notes
