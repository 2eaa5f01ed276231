"""`burstline run` against the practice AWS, with and without its AWS side: the same answers, other conclusions."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytestmark = pytest.mark.timeout(300)
"""Each command is a process of its own: about 2 s alone, many times that on a machine busy with other tests."""

BURSTLINE = [sys.executable, "-m", "burstline.client"]
SCHEMA = json.loads((Path(__file__).parents[3] / "server/burstline/server/report.schema.json").read_text())
ACCOUNT = """\
region: eu-west-1
lambda: {concurrency: 5, functions: {checkout: {duration: 100ms, init: 200ms}}}
emulator: {front: rest, stage: prod}
"""
PLAN = """\
name: with-aws
target: {url: "%s", front: rest, function: checkout, stage: prod}
requests: [{name: quote, get: "/quote"}]
load: [{for: 3s, rate: 80}]
"""


class Practice:
    """A practice AWS in a process of its own, and commands beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "COLUMNS": "160",
        }  # fmt: skip
        (folder / "account.yaml").write_text(ACCOUNT)
        listen = ("--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0", "--aws-lag", "0")
        self.process = subprocess.Popen(
            [*BURSTLINE, "emulate", "--account", "account.yaml", *listen], cwd=folder, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.target = self.process.stdout.readline().rpartition(" ")[2].strip()
        self.aws = self.process.stdout.readline().rpartition(" ")[2].strip()
        (folder / "plan.yaml").write_text(PLAN % self.target)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*BURSTLINE, *arguments], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip

    def report(self, name: str, *arguments: str) -> dict[str, Any]:
        self.command("run", "plan.yaml", "--quiet", "--json", name, *arguments)
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def practised(tmp_path: Path, no_real_aws: None) -> Iterator[Practice]:
    made = Practice(tmp_path)
    yield made
    made.close()


def test_with_aws_the_500s_are_confirmed_as_throttles_and_their_layer_is_named(practised: Practice) -> None:
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


def test_quotas_are_read_and_the_policy_for_it_is_printed(practised: Practice) -> None:
    quotas = practised.command("quotas", "plan.yaml", "--endpoint-url", practised.aws)
    assert quotas.returncode == 0, quotas.stderr
    assert "eu-west-1, account ending in 9012" in quotas.stdout
    assert "checkout: timeout" in quotas.stdout
    policy = json.loads(practised.command("iam-policy", "plan.yaml", "--account-id", "123456789012").stdout)
    assert policy["Version"] == "2012-10-17"


def test_an_increase_is_asked_for_once_and_followed(practised: Practice) -> None:
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
