"""What is wrong with a fleet's options, said before AWS is asked."""

import re

from burstline.client.errors import UsageError
from burstline.client.fleet.naming import MOST_ID_LENGTH, is_id
from burstline.client.fleet.tasks import FleetSpec
from burstline.client.options import listen_address

_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1|0\.0\.0\.0")
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:\d{12}:.+")
_ECR = re.compile(r"^\d{12}\.dkr\.ecr[.-]")


def check_id(fleet: str) -> str:
    """Return a fleet's id; raises UsageError with what is allowed."""
    if not is_id(fleet):
        raise UsageError(
            f'found "{fleet}" for a fleet\'s id; allowed: 1 to {MOST_ID_LENGTH} of a-z, 0-9 and -, not - first'
        )
    return fleet


def check(spec: FleetSpec) -> FleetSpec:
    """Return the spec.

    Raises:
        UsageError: with every mistake, a line each.
    """
    check_id(spec.fleet)
    host, _ = listen_address("--server", spec.server)
    wrong: list[str] = []
    if _LOOPBACK.fullmatch(host):
        wrong.append(
            f'--server: found "{spec.server}", which in a task is the task itself; give the address it reaches'
        )
    wrong += [
        f'{option}: found "{name}"; allowed: an id such as {prefix}0a1b2c3d'
        for option, prefix, names in (
            ("--subnet", "subnet-", spec.subnets),
            ("--security-group", "sg-", spec.security_groups),
        )
        for name in names
        if not name.startswith(prefix)
    ]
    arns = {
        "--execution-role": spec.execution_role,
        "--task-role": spec.task_role,
        "--token-secret": spec.token_secret,
    }
    wrong += [
        f'{option}: found "{arn}"; allowed: an ARN' for option, arn in arns.items() if arn and not _ARN.match(arn)
    ]
    if not spec.execution_role:
        wants = {"--token-secret": spec.token_secret, "--log-group": spec.log_group, "--image": _of_ecr(spec.image)}
        wrong += [
            f"{option} needs --execution-role: ECS uses it for {_uses(option)}" for option, on in wants.items() if on
        ]
    if bool(spec.cert) != bool(spec.key):
        wrong.append("--cert and --key go together")
    if wrong:
        raise UsageError("\n".join(wrong))
    return spec


def _of_ecr(image: str) -> bool:
    return _ECR.match(image) is not None


def _uses(option: str) -> str:
    return {"--token-secret": "reading the token", "--log-group": "writing logs", "--image": "pulling from ECR"}[option]
