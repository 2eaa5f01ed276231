"""An AWS of moto's, in this process, for fleets; no call leaves it, and time does not pass."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
import pytest
from botocore.loaders import Loader
from burstline.client.fleet.ecs import Ecs
from burstline.client.fleet.fargate import Waiting
from burstline.client.fleet.tasks import FleetSpec
from burstline.server.aws.calling import Answer, Aws
from burstline.server.aws.limits import CallLimits
from burstline.server.aws.settings import AwsSettings
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.moto_api import state_manager

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"
SHARED_LOADER = Loader()
FOR_EVER = 10**9


@dataclass
class World:
    """What is in the practice account, and what was asked of it.

    Attributes:
        ecs: as the code under test asks.
        aws: boto3's own client, to look from outside.
        calls: operations in the order of the calls.
        answers: operation -> what the next calls get in place of moto's answer, first to last; None is moto's own.
        said: lines of progress.
        slept: seconds, one per look.
    """

    aws: Any
    subnet: str
    group: str
    calls: list[str] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    ecs: Ecs = field(init=False)

    def spec(self, fleet: str = "f1", count: int = 2, **given: Any) -> FleetSpec:
        network = {"subnets": (self.subnet,), "security_groups": (self.group,)}
        asked = {"cluster": "load", "image": "burstline:0.1.0", "server": "10.0.1.5:7460", **network, **given}
        return FleetSpec(fleet=fleet, count=count, region=REGION, **asked)

    @property
    def waiting(self) -> Waiting:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return Waiting(most_s=60.0, sleep=sleep)

    def say(self, text: str) -> None:
        self.said.append(text)

    def running(self) -> list[dict[str, Any]]:
        """Return the account's tasks that are not stopped, of all clusters."""
        tasks: list[dict[str, Any]] = []
        for cluster in self.aws.list_clusters()["clusterArns"]:
            arns = self.aws.list_tasks(cluster=cluster)["taskArns"]
            if arns:
                tasks += self.aws.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"]
        return [task for task in tasks if task["lastStatus"] != "STOPPED"]

    def definitions(self) -> list[str]:
        listed = [self.aws.list_task_definitions(status=status) for status in ("ACTIVE", "INACTIVE")]
        return [arn.rsplit("/", 1)[-1] for page in listed for arn in page["taskDefinitionArns"]]


class WatchedAws(Aws):
    """Notes each call, and gives the answers that a test has set."""

    world: World

    async def call(self, service: str, operation: str, **given: Any) -> Answer:
        assert service == "ecs"
        self.world.calls.append(operation)
        queue = self.world.answers.get(operation, [])
        answer: Any = queue.pop(0) if queue else None
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return cast("Answer", answer(await super().call(service, operation, **given)))
        return answer if answer is not None else await super().call(service, operation, **given)


class NoLimits(CallLimits):
    """Nobody waits for an API's rate."""

    def of(self, service: str, operation: str) -> AbstractAsyncContextManager[None]:  # type: ignore[override]  # enough for `async with`
        return nullcontext()


@pytest.fixture(autouse=True)
def quick_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore reads its models anew for each session, which takes most of a second."""
    monkeypatch.setattr("botocore.loaders.create_loader", lambda *_: SHARED_LOADER)


@pytest.fixture
def tasks_run_on() -> Iterator[None]:
    """moto's tasks go through their states, to the last, a state per look; AWS's run until they are stopped."""
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": FOR_EVER})
    yield
    state_manager.unset_transition("ecs::task")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tasks_run_on: None) -> Iterator[World]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "practice")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "practice")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with mock_aws():
        ecs = boto3.client("ecs", region_name=REGION)
        ecs.create_cluster(clusterName="load")
        network = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]  # asked directly: EC2's model takes half a second to read
        made = World(ecs, network.describe_subnets()[0].id, network.describe_security_groups()[0].id)
        aws = WatchedAws(AwsSettings(region=REGION), limits=NoLimits())
        aws.world, made.ecs = made, Ecs(aws)
        yield made
        aws.close()
