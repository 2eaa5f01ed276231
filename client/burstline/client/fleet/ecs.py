"""The calls to ECS that a fleet needs, and what they find."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from burstline.client.errors import ClientError
from burstline.client.fleet.naming import CLUSTER_TAG, ID_TAG, PREFIX, SETTINGS_TAG, family, fleet_of, tag_values
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError, Denied, Refused

MOST_DESCRIBED = 100
"""Tasks in one DescribeTasks. Source: Amazon ECS API Reference, read 2026-11-23."""

HINTS = {
    "ClusterNotFoundException": "--cluster names one of this region: `aws ecs list-clusters` shows them",
    "InvalidParameterException": "look at --subnet, --security-group and the roles: of this account and region",
    "LimitExceededException": "a quota of ECS is used up: `aws service-quotas list-service-quotas --service-code ecs`",
    "BlockedException": "AWS has blocked this account's use of Fargate: ask AWS Support",
}  # fmt: skip
"""What to do about AWS's own error codes."""

SERVICE_ROLE_HINT = (
    "this account never used ECS; what makes the role: "
    "`aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`"
)

_LACKING = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")


class FleetError(ClientError):
    """AWS did not do what a fleet needs; `code` is AWS's own, or ""."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Definition:
    """A fleet's task definition; `active` until it is deregistered. `image` is its container's."""

    arn: str
    active: bool
    cluster: str
    settings: str
    image: str


@dataclass(frozen=True, slots=True)
class Task:
    """A task. `status` is ECS's, in its words; `why` is why it stopped, "" while it did not."""

    arn: str
    cluster: str
    status: str
    why: str = ""

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is there of a fleet: its definitions, and its tasks that are not stopped."""

    id: str
    definitions: tuple[Definition, ...]
    tasks: tuple[Task, ...]

    @property
    def exists(self) -> bool:
        """Whether there is anything of it."""
        return bool(self.definitions or self.tasks)

    @property
    def clusters(self) -> tuple[str, ...]:
        """Where its tasks are, each once."""
        named = [definition.cluster for definition in self.definitions] + [task.cluster for task in self.tasks]
        return tuple(dict.fromkeys(named))


class Ecs:
    """ECS in one account and region. Raises FleetError, with what to do."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def ask(self, operation: str, **given: Any) -> dict[str, Any]:
        """Call an operation by AWS's name for it. Who is cancelled meanwhile waits for the answer first: what was
        started is known then, and can be taken away.
        """
        call = asyncio.ensure_future(self._aws.call("ecs", operation, **given))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.gather(call, return_exceptions=True)
            raise
        except AwsError as error:
            self._aws.forget()  # it would not try again where AWS could not be reached
            raise _ours(error) from error

    async def listed(self, operation: str, member: str, **given: Any) -> list[Any]:
        """Return a listing's `member` over all of its pages."""
        found: list[Any] = []
        token: dict[str, str] = {}
        while True:
            page = await self.ask(operation, **given, **token)
            found += page.get(member, [])
            if not page.get("nextToken"):
                return found
            token = {"nextToken": page["nextToken"]}

    async def fleets(self) -> list[str]:
        """Return the ids of fleets that left a trace, also of some that are gone, ascending."""
        families = await self.listed("ListTaskDefinitionFamilies", "families", familyPrefix=PREFIX)
        return sorted(fleet for name in families if (fleet := fleet_of(name)))

    async def find(self, fleet: str, clusters: Iterable[str] = ()) -> Fleet:
        """Return what is there of a fleet, in the clusters that its definitions name and in the given ones."""
        definitions = [
            definition
            for status in ("ACTIVE", "INACTIVE")
            for arn in await self.listed(
                "ListTaskDefinitions", "taskDefinitionArns", familyPrefix=family(fleet), status=status
            )
            if (definition := await self._definition(fleet, arn)) is not None
        ]
        where = dict.fromkeys((*clusters, *(definition.cluster for definition in definitions)))
        tasks = [task for cluster in where for task in await self.alive(fleet, cluster, must_exist=cluster in clusters)]
        return Fleet(fleet, tuple(definitions), tuple(tasks))

    async def alive(
        self, fleet: str, cluster: str, known: Sequence[str] = (), *, must_exist: bool = False
    ) -> list[Task]:
        """Return a fleet's tasks in a cluster that are not stopped; none of a cluster that is gone.

        ECS does not list tasks that are stopping: `known` are ARNs to look at beside those that it lists.
        """
        try:
            arns = await self.listed("ListTasks", "taskArns", cluster=cluster, startedBy=family(fleet))
        except FleetError as error:
            if error.code == "ClusterNotFoundException" and not must_exist:
                return []
            raise
        arns = list(dict.fromkeys((*arns, *known)))
        return [task for task in await self.described(fleet, cluster, arns) if task.status != "STOPPED"]

    async def described(self, fleet: str, cluster: str, arns: Sequence[str]) -> list[Task]:
        """Return those of the tasks that ECS knows by now and that carry the fleet's tag."""
        found: list[dict[str, Any]] = []
        for first in range(0, len(arns), MOST_DESCRIBED):
            part = list(arns[first : first + MOST_DESCRIBED])
            found += (await self.ask("DescribeTasks", cluster=cluster, tasks=part, include=["TAGS"]))["tasks"]
        return [
            Task(task["taskArn"], cluster, task["lastStatus"], _why(task))
            for task in found
            if tag_values(task.get("tags", [])).get(ID_TAG) == fleet
        ]

    async def _definition(self, fleet: str, arn: str) -> Definition | None:
        answer = await self.ask("DescribeTaskDefinition", taskDefinition=arn, include=["TAGS"])
        marks = tag_values(answer.get("tags", []))
        if marks.get(ID_TAG) != fleet:
            return None  # of the same name, but not ours: it is left alone
        described = answer["taskDefinition"]
        image = described["containerDefinitions"][0]["image"]
        active = described["status"] == "ACTIVE"
        return Definition(arn, active, marks.get(CLUSTER_TAG, "default"), marks.get(SETTINGS_TAG, ""), image)


def _why(task: dict[str, Any]) -> str:
    """Return why a task stopped, in ECS's words: of the task, then of its containers."""
    if task["lastStatus"] != "STOPPED":
        return ""
    said = [task.get("stoppedReason", "")]
    for container in task.get("containers", []):
        code = container.get("exitCode")
        said += [container.get("reason", ""), f"exit code {code}" if code is not None else ""]
    return "; ".join(dict.fromkeys(filter(None, said))) or "no reason given"


def _ours(error: AwsError) -> FleetError:
    if isinstance(error, Denied):
        # AWS names the action, which need not be the operation's own: it may be iam:PassRole or ecs:TagResource
        named = _LACKING.search(str(error.__cause__))
        message = f"not allowed: the policy lacks {named[1]}" if named else error.message
        return FleetError(
            f"{message}; `burstline fleet fargate iam-policy` prints one that suffices (--role for PassRole)"
        )
    code = error.code if isinstance(error, Refused) else ""
    hint = SERVICE_ROLE_HINT if "service linked role" in error.message else HINTS.get(code)
    return FleetError(f"{error.message.rstrip('.')}; {hint}" if hint else error.message, code)
