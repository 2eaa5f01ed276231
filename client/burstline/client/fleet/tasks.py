"""What is asked of ECS: a task definition, and tasks of it on Fargate. Pure."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from burstline.client.fleet.naming import family, tags

MEMORY_MIB_PER_VCPU = 2048
"""The least that Fargate gives a vCPU at every size from 1 to 16. Source: Amazon ECS Developer Guide, "Task CPU and
memory", read 2026-11-23."""

VCPUS = (1, 2, 4, 8, 16)
"""Sizes of Fargate's tasks, from one vCPU up; a worker process wants a whole one."""

OPEN_FILES = 65535
"""Fargate's hard limit of open files. Source: Amazon ECS API Reference, "ContainerDefinition", read 2026-11-23."""

STOP_TIMEOUT_S = 30
"""A worker that is asked to stop hands its segment on well within this."""

METRICS_PORT = 7463


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """What a fleet is to be.

    Attributes:
        fleet: its id (`naming.is_id`).
        cluster: ECS cluster, name or ARN.
        image: of the container, as Fargate pulls it.
        server: "host:port" of the control plane, as the tasks reach it.
        count: tasks, >= 1.
        vcpu: of each task, one of `VCPUS`; so many worker processes it runs.
        subnets: ids, >= 1.
        security_groups: ids; empty is the VPC's default one.
        public_ip: whether tasks get public addresses; needed in subnets without NAT to pull the image.
        execution_role: ARN of what ECS itself does with (pulls the image, reads the token, writes logs); "" is none.
        task_role: ARN of what workers do with (signs requests with SigV4); "" is none.
        token_secret: ARN of the secret or parameter that holds the bearer token; "" is none.
        ca, cert, key: paths of PEM files in the image; "" is none.
        log_group: CloudWatch log group that exists; "" keeps no logs.
        region: AWS region, for the logs.
        arm: whether tasks run on arm64.
    """

    fleet: str
    cluster: str
    image: str
    server: str
    count: int
    subnets: tuple[str, ...]
    vcpu: int = 1
    security_groups: tuple[str, ...] = ()
    public_ip: bool = False
    execution_role: str = ""
    task_role: str = ""
    token_secret: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    log_group: str = ""
    region: str = ""
    arm: bool = False


def task_definition(spec: FleetSpec) -> dict[str, Any]:
    """Return RegisterTaskDefinition's parameters, tagged with the fleet's id, its cluster and a digest of the rest."""
    asked: dict[str, Any] = {
        "family": family(spec.fleet),
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(spec.vcpu * 1024),
        "memory": str(spec.vcpu * MEMORY_MIB_PER_VCPU),
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64" if spec.arm else "X86_64"},
        "containerDefinitions": [_container(spec)],
    }
    roles = {"executionRoleArn": spec.execution_role, "taskRoleArn": spec.task_role}
    asked.update({name: role for name, role in roles.items() if role})
    return {**asked, "tags": tags(id=spec.fleet, cluster=spec.cluster, settings=settings_digest(spec))}


def run_task(spec: FleetSpec, definition: str, count: int) -> dict[str, Any]:
    """Return RunTask's parameters for `count` tasks, 1 to 10, of a definition's ARN."""
    network = {
        "subnets": list(spec.subnets),
        "securityGroups": list(spec.security_groups),
        "assignPublicIp": "ENABLED" if spec.public_ip else "DISABLED",
    }
    return {
        "cluster": spec.cluster,
        "taskDefinition": definition,
        "count": count,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {name: value for name, value in network.items() if value}},
        "startedBy": family(spec.fleet),
        "tags": tags(id=spec.fleet),
    }


def settings_digest(spec: FleetSpec) -> str:
    """Return a digest of all but the count: tasks of two specs with the same one are alike."""
    alike = json.dumps({**asdict(spec), "count": None}, sort_keys=True)
    return hashlib.sha256(alike.encode()).hexdigest()[:16]


def command(spec: FleetSpec) -> list[str]:
    """Return the arguments of `burstline` in the container."""
    given = {"--ca": spec.ca, "--cert": spec.cert, "--key": spec.key}
    files = [word for option, path in given.items() if path for word in (option, path)]
    metrics = f"0.0.0.0:{METRICS_PORT}"
    return ["work", "--server", spec.server, "--processes", str(spec.vcpu), "--metrics", metrics, *files]


def _container(spec: FleetSpec) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "worker",
        "image": spec.image,
        "essential": True,
        "command": command(spec),
        "memoryReservation": spec.vcpu * MEMORY_MIB_PER_VCPU // 2,  # ECS wants less reserved than the task has
        "portMappings": [{"containerPort": METRICS_PORT + index, "protocol": "tcp"} for index in range(spec.vcpu)],
        "stopTimeout": STOP_TIMEOUT_S,
        "ulimits": [{"name": "nofile", "softLimit": OPEN_FILES, "hardLimit": OPEN_FILES}],
    }
    if spec.token_secret:
        container["secrets"] = [{"name": "BURSTLINE_TOKEN", "valueFrom": spec.token_secret}]
    if spec.log_group:
        options = {"awslogs-group": spec.log_group, "awslogs-region": spec.region, "awslogs-stream-prefix": spec.fleet}
        container["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    return container
