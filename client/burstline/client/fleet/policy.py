"""The least IAM policy for whoever brings fleets up and takes them away."""

from collections.abc import Sequence
from typing import Any

from burstline.client.fleet.naming import ID_TAG, PREFIX
from burstline.core.quota.aws.iam import partition_of


def fleet_policy(
    *, region: str = "*", account: str = "*", cluster: str = "*", roles: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the policy, ready for JSON.

    Four actions know no resource smaller than all: what they read is names, and what they can end is a definition.
    Source of the resources and conditions: Service Authorization Reference, "Amazon Elastic Container Service"; of
    passing roles: IAM User Guide, "Pass a role to an AWS service"; read 2026-11-23.

    Args:
        region: AWS region; "*" is all.
        account: 12 digits; "*" is any.
        cluster: its name; "*" is all.
        roles: ARNs of the tasks' roles, which may be passed on; empty passes none.
    """
    where = f"arn:{partition_of(region)}:ecs:{region}:{account}"
    definitions, tasks = f"{where}:task-definition/{PREFIX}*:*", f"{where}:task/{cluster}/*"
    in_cluster = {"ArnLike": {"ecs:cluster": f"{where}:cluster/{cluster}"}}
    creating = {"StringEquals": {"ecs:CreateAction": ["RegisterTaskDefinition", "RunTask"]}}
    statements = [
        _allow("Look", ["DescribeTaskDefinition", "ListTaskDefinitionFamilies", "ListTaskDefinitions"], "*"),
        _allow("LookAtTasks", ["ListTasks"], "*", in_cluster),
        _allow("DescribeTasks", ["DescribeTasks"], tasks),
        _allow("Define", ["RegisterTaskDefinition", "DeleteTaskDefinitions"], definitions),
        _allow("Undefine", ["DeregisterTaskDefinition"], "*"),
        _allow("Start", ["RunTask"], definitions, in_cluster),
        _allow("Tag", ["TagResource"], [definitions, tasks], creating),
        _allow("StopWhatIsOfAFleet", ["StopTask"], tasks, {"Null": {f"aws:ResourceTag/{ID_TAG}": "false"}}),
    ]
    if roles:
        to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        statements.append(
            {
                "Sid": "Pass",
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": list(roles),
                "Condition": to_tasks,
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(
    sid: str, actions: Sequence[str], resource: str | Sequence[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    listed = [resource] if isinstance(resource, str) else list(resource)
    statement = {"Sid": sid, "Effect": "Allow", "Action": [f"ecs:{action}" for action in actions], "Resource": listed}
    return {**statement, "Condition": condition} if condition else statement
