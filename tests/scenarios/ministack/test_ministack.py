"""The same code against an AWS emulator that is not ours: it reads it, and names its real throttles rightly."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.aws.iam import Scope
from burstline.core.quota.aws.readings import AccountReading
from burstline.core.quota.quotas import Account, Bucket, Function, Queue, UsagePlan
from burstline.emulator.aws.running import start_aws_side
from burstline.emulator.running import start_emulator
from burstline.emulator.settings import EmulatorSettings
from burstline.server.aws.calling import Aws
from burstline.server.aws.reading import read_account
from burstline.server.aws.settings import AwsSettings
from ministack_account import (
    ACCOUNT_CONCURRENCY,
    API_KEY,
    PLAN_BURST,
    PLAN_RATE,
    REGION,
    RESERVED,
    STAGE_BURST,
    STAGE_RATE,
    MinistackAccount,
)

pytestmark = [pytest.mark.slow, pytest.mark.ministack, pytest.mark.timeout(400)]

QUEUE = Queue("orders", "quick", 5, 0.0, 4, 30.0, 3, True, "dead")
SAME = Account(
    region=REGION,
    stages={"prod": Bucket(STAGE_RATE, STAGE_BURST)},
    usage_plans={"gold": UsagePlan("gold", Bucket(PLAN_RATE, PLAN_BURST))},
    concurrency=ACCOUNT_CONCURRENCY,
    functions={
        "reserved": Function("reserved", reserved=RESERVED, memory_mb=256, timeout_s=10),
        "shared": Function("shared", memory_mb=256, timeout_s=10),
        "quick": Function("quick", memory_mb=256, timeout_s=10),
    },
    queues={"orders": QUEUE},
)
"""The account that ministack was given, for our own emulator."""

SCOPE = Scope(functions=("reserved", "shared", "quick"), front=Front.REST, host="127.0.0.1", stage="prod")


@asynccontextmanager
async def ours() -> AsyncIterator[str]:
    front = EmulatorSettings(front=Front.REST, stage="prod")
    emulator = await start_emulator(SAME, front)
    side = await start_aws_side(emulator, SAME, front)
    try:
        yield side.url
    finally:
        await side.stop()
        await emulator.stop()


async def read(url: str) -> AccountReading:
    aws = Aws(AwsSettings(region=REGION, endpoint_url=url))
    try:
        return await read_account(aws, SCOPE)
    finally:
        aws.close()


def values(found: AccountReading) -> dict[str, float | None]:
    """What both must say, by path or name; what counts messages, and what one of them does not have, is left out."""
    known = [one for one in found.readings if one.known and not one.source.startswith("service-quotas")]
    return {one.path or one.name: one.value for one in known if "messages" not in one.name}


async def test_the_same_reading_code_reads_both_and_finds_the_same(ministack: MinistackAccount) -> None:
    theirs = await read(ministack.url)
    async with ours() as url:
        own = await read(url)
    assert values(theirs) == values(own)
    assert values(theirs)["lambda.concurrency"] == ACCOUNT_CONCURRENCY
    assert theirs.queues == own.queues == {"orders": QUEUE}
    assert theirs.log_groups["reserved"] == own.log_groups["reserved"]
    assert "s3cr3t-of-the-function" not in repr(theirs)


async def test_what_ministack_does_not_have_is_said_and_the_rest_goes_on(ministack: MinistackAccount) -> None:
    theirs = await read(ministack.url)
    unread = {one.source for one in theirs.readings if not one.known}
    assert unread == {"service-quotas GetServiceQuota"}


class Runs:
    """`burstline run` in a folder of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "KEY": API_KEY}

    def report(self, plan: str) -> dict[str, Any]:
        """Run a plan; again, at most twice, where this machine was too busy to send as planned."""
        found = self._once(plan)
        for _ in range(2):
            if found["verdict"] == "generator_limited":
                found = self._once(plan)
        assert found["verdict"] == "quota_bound", (found["summary"], found["notes"])
        return found

    def _once(self, plan: str) -> dict[str, Any]:
        (self.folder / "plan.yaml").write_text(plan)
        command = [sys.executable, "-m", "burstline.client", "run", "plan.yaml", "--quiet", "--json", "report.json"]
        done = subprocess.run(
            [*command, "--endpoint-url", self.url, "--wait-aws", "2s"], cwd=self.folder, env=self.env, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150,
        )  # fmt: skip
        path = self.folder / "report.json"
        assert path.exists(), done.stderr
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture
def runs(tmp_path: Path, ministack: MinistackAccount) -> Runs:
    return Runs(tmp_path, ministack.url)


def layers(report: dict[str, Any]) -> set[str | None]:
    """Layers of bindings that matter: a handful of requests in passing says little."""
    throttled = report["ledger"]["outcomes"]["throttled"]
    return {one["layer"] for one in report["bindings"] if one["throttled_count"] > throttled / 10}


INVOKE = """\
name: invoke
target: {{url: "{url}", front: lambda, function: {function}}}
auth: {{sigv4: {{region: eu-west-1}}}}
requests: [{{name: work, json: {{sku: 1}}}}]
writes: allowed
load: [{{for: 5s, rate: {rate}}}]
"""


@pytest.mark.parametrize(
    ("function", "rate", "layer", "signature"),
    [
        ("reserved", 25, "reserved_concurrency", "lambda.429.reserved"),
        ("shared", 80, "account_concurrency", "lambda.429.account"),
    ],
)
def test_its_lambda_throttles_are_named_by_their_reason(
    runs: Runs, function: str, rate: int, layer: str, signature: str
) -> None:
    report = runs.report(INVOKE.format(url=runs.url, function=function, rate=rate))
    assert report["ledger"]["signatures"][signature] == report["ledger"]["outcomes"]["throttled"] > 20
    assert layers(report) == {layer}, report["bindings"]


REST = """\
name: rest
target: {{url: "{url}", front: rest, function: quick, stage: prod{plan}}}
{auth}
requests: [{{name: quote, get: {path}}}]
load: [{{for: 8s, rate: {rate}}}]
"""


def test_its_stage_throttle_is_named_from_what_aws_said(runs: Runs, ministack: MinistackAccount) -> None:
    report = runs.report(REST.format(url=ministack.stage_url, path="/quote", rate=25, plan="", auth=""))
    assert layers(report) == {"stage"}
    (stage,) = [one for one in report["findings"] if one["quota"] == "apigateway:stage:prod:rate"]
    assert (stage["limit"], stage["limit_source"]) == (STAGE_RATE, "aws")


def test_its_usage_plan_throttle_is_named_too(runs: Runs, ministack: MinistackAccount) -> None:
    auth = 'auth: {api_key: "${env:KEY}"}'
    report = runs.report(
        REST.format(url=ministack.stage_url, path="/keyed", rate=9, plan=", usage_plan: gold", auth=auth)
    )
    assert layers(report) == {"usage_plan"}
    assert API_KEY not in json.dumps(report)
