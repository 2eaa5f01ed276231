"""Tests of AWS code run against the emulator's AWS side on loopback, with credentials that are worth nothing."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, Bucket, Function, UsagePlan
from burstline.emulator.aws.running import RunningAwsSide, start_aws_side
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.emulator.running import RunningEmulator, start_emulator
from burstline.emulator.settings import EmulatorSettings
from burstline.server.aws.calling import Aws
from burstline.server.aws.settings import AwsSettings

ACCOUNT = Account(
    region="eu-west-1",
    gateway=Bucket(8_000, 4_000),
    stages={"prod": Bucket(2_000, 1_000)},
    usage_plans={"gold": UsagePlan("gold", Bucket(100, 200), 1_000_000, "month")},
    concurrency=900,
    functions={
        "checkout": Function("checkout", reserved=200, provisioned=50, memory_mb=512, timeout_s=10),
        "search": Function("search"),
    },
    declared=frozenset({"lambda.concurrency", "apigateway.rate", "apigateway.burst"}),
)
FRONT = EmulatorSettings(front=Front.REST, stage="prod")


@dataclass(frozen=True, slots=True)
class Practice:
    """An emulator with its AWS side, and who asks it."""

    aws: Aws
    side: RunningAwsSide
    emulator: RunningEmulator
    account: Account


StartPractice = Callable[..., AbstractAsyncContextManager[Practice]]


SHARED_LOADER = Loader()


@pytest.fixture(autouse=True)
def quick_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore reads its models anew for each session, which takes most of a second."""
    monkeypatch.setattr("botocore.loaders.create_loader", lambda *_: SHARED_LOADER)


@pytest.fixture(autouse=True)
def no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a real account or a metadata service."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPRACTICE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "practice")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@asynccontextmanager
async def _practice(
    side: AwsSideSettings | None = None, account: Account = ACCOUNT, front: EmulatorSettings = FRONT, **aws: Any
) -> AsyncIterator[Practice]:
    emulator = await start_emulator(account, front)
    running = await start_aws_side(emulator, account, front, side)
    asked = Aws(AwsSettings(**{"region": account.region, "endpoint_url": running.url, **aws}))
    try:
        yield Practice(asked, running, emulator, account)
    finally:
        asked.close()
        await running.stop()
        await emulator.stop()


@pytest.fixture
def practice() -> StartPractice:
    """Starts an emulator with its AWS side; keyword arguments are `AwsSettings`' own."""
    return _practice


BURSTLINE = [sys.executable, "-m", "burstline.client"]


class Commands:
    """A practice AWS in a process of its own, and commands beside it."""

    def __init__(self, folder: Path, account: str, plan: str) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "COLUMNS": "160",
        }  # fmt: skip
        (folder / "account.yaml").write_text(account)
        listen = ("--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0", "--aws-lag", "0")
        self.process = subprocess.Popen(
            [*BURSTLINE, "emulate", "--account", "account.yaml", *listen], cwd=folder, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.target = self.process.stdout.readline().rpartition(" ")[2].strip()
        self.aws = self.process.stdout.readline().rpartition(" ")[2].strip()
        (folder / "plan.yaml").write_text(plan.replace("TARGET", self.target).replace("AWS", self.aws))

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
def commands(tmp_path: Path, no_real_aws: None) -> Iterator[Callable[[str, str], Commands]]:
    """Starts a practice AWS of an account file, with a plan; TARGET and AWS in it are its two addresses."""
    made: list[Commands] = []

    def start(account: str, plan: str) -> Commands:
        made.append(Commands(tmp_path, account, plan))
        return made[-1]

    yield start
    for one in made:
        one.close()
