"""Fleets in words."""

import json

from burstline.client.fleet.ecs import Fleet
from burstline.client.fleet.tasks import FleetSpec, run_task, task_definition


def up_text(fleet: Fleet, spec: FleetSpec) -> str:
    """Return what to say when a fleet is up."""
    size = f"{spec.vcpu} vCPU and {spec.vcpu} worker process{'es' if spec.vcpu > 1 else ''}"
    return (
        f"fleet {fleet.id}: {len(fleet.tasks)} tasks run, each with {size}\n"
        f"  burstline workers --server {spec.server}    shows them as they join\n"
        f"  burstline fleet fargate down {fleet.id}    takes them away; until then they cost"
    )


def down_text(there_was: Fleet) -> str:
    """Return what to say when a fleet is gone."""
    if not there_was.exists:
        return f"nothing is there of fleet {there_was.id}"
    definitions = len(there_was.definitions)
    return (
        f"fleet {there_was.id} is gone: {len(there_was.tasks)} tasks stopped, "
        f"{definitions} task definition{'' if definitions == 1 else 's'} deregistered and deleted"
    )


def status_text(fleets: list[Fleet]) -> str:
    """Return a line per fleet, and a line per task under it."""
    if not fleets:
        return "no fleet is up in this region"
    return "\n".join(line for fleet in fleets for line in _lines(fleet))


def asked_text(spec: FleetSpec) -> str:
    """Return what AWS would be asked for, as JSON."""
    asked = {"RegisterTaskDefinition": task_definition(spec)}
    return json.dumps(
        {**asked, "RunTask": run_task(spec, asked["RegisterTaskDefinition"]["family"], spec.count)}, indent=2
    )


def _lines(fleet: Fleet) -> list[str]:
    image = fleet.definitions[-1].image if fleet.definitions else "?"
    states = [task.status for task in fleet.tasks]
    counts = ", ".join(f"{states.count(state)} {state.lower()}" for state in dict.fromkeys(states)) or "no tasks"
    head = f"fleet {fleet.id}  {counts}  cluster {', '.join(fleet.clusters)}  image {image}"
    return [head, *(f"  {task.id}  {task.status.lower()}" for task in fleet.tasks)]
