"""Brings fleets up on Fargate, takes them away, and looks for what is there. Nothing is kept on this machine.

`up` finishes what an earlier one began, and takes away what it started when it fails; `down` takes away whatever is
there, also after an `up` or `down` that died. Both may be called any number of times.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from burstline.client.fleet.ecs import Definition, Ecs, Fleet, FleetError, Task
from burstline.client.fleet.tasks import FleetSpec, run_task, settings_digest, task_definition

MOST_STARTED = 10
"""Tasks in one RunTask. Source: Amazon ECS API Reference, read 2026-11-23."""

MOST_DELETED = 10
"""Task definitions in one DeleteTaskDefinitions; same source."""

REASON = "burstline fleet fargate down"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How changes are waited for.

    Attributes:
        most_s: seconds in all, > 0.
        poll_s: seconds between two looks, > 0.
        sleep: waits; tests give one that does not.
    """

    most_s: float = 300.0
    poll_s: float = 3.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def looks(self) -> int:
        """How often to look, >= 2."""
        return max(2, round(self.most_s / self.poll_s))


async def up(ecs: Ecs, spec: FleetSpec, waiting: Waiting, say: Say) -> Fleet:
    """Start what is missing of a fleet and wait until all of it runs; return it.

    Raises:
        FleetError: it cannot be; what this call began from nothing was taken away again, as when it is cancelled.
    """
    before = await ecs.find(spec.fleet, (spec.cluster,))
    _check_same(before, spec)
    try:
        definition = await _definition(ecs, spec, before, say)
        arns = [task.arn for task in before.tasks]
        arns += await _start(ecs, spec, definition, spec.count - len(arns), say)
        await _all_run(ecs, spec, arns, waiting, say)
    except (FleetError, asyncio.CancelledError) as error:
        after = await _take_back(ecs, before, spec, waiting, say)
        if isinstance(error, FleetError):
            raise FleetError(f"{str(error).rstrip('.')}; {after}", error.code) from error
        say(after)
        raise
    return await ecs.find(spec.fleet)


async def down(ecs: Ecs, fleet: str, waiting: Waiting, say: Say, clusters: Iterable[str] = ()) -> Fleet:
    """Stop and deregister all that carries a fleet's id, wait until it is gone, and return what there was.

    Args:
        clusters: looked into beside those that the fleet's task definitions name.

    Raises:
        FleetError: AWS refuses, or tasks are still stopping after the time to wait; calling again goes on.
    """
    found = await ecs.find(fleet, clusters)
    if not found.exists:
        return found
    # order matters here: no task can be started of a definition that is gone, so none is missed by the listing below
    for definition in found.definitions:
        if definition.active:
            await ecs.ask("DeregisterTaskDefinition", taskDefinition=definition.arn)
    stopped = await _stop_all(ecs, found, waiting, say)
    arns = [definition.arn for definition in found.definitions]
    for first in range(0, len(arns), MOST_DELETED):
        await ecs.ask("DeleteTaskDefinitions", taskDefinitions=arns[first : first + MOST_DELETED])
    return Fleet(fleet, found.definitions, stopped)


async def status(ecs: Ecs, fleet: str | None) -> list[Fleet]:
    """Return a fleet, or all of them, as far as there is anything of them."""
    ids = [fleet] if fleet else await ecs.fleets()
    return [found for one in ids if (found := await ecs.find(one)).exists]


async def _take_back(ecs: Ecs, before: Fleet, spec: FleetSpec, waiting: Waiting, say: Say) -> str:
    """Take away what a failed `up` started, unless there was something before; return what to say of it."""
    by_hand = f"`{REASON} {spec.fleet}` takes it away"
    if before.exists:
        return f"what runs stays: {by_hand}"
    say("taking away what was started")
    try:
        await down(ecs, spec.fleet, waiting, say, (spec.cluster,))
    except FleetError as error:
        return f"what was started could not be taken away ({error}): {by_hand} when AWS answers again"
    return "what was started is taken away again"


def _check_same(before: Fleet, spec: FleetSpec) -> None:
    if any(one.active and one.settings != settings_digest(spec) for one in before.definitions):
        raise FleetError(
            f"fleet {spec.fleet} is there with other settings than these: give the same, choose another --id, or "
            f"`{REASON} {spec.fleet}` first"
        )


async def _definition(ecs: Ecs, spec: FleetSpec, before: Fleet, say: Say) -> str:
    active: list[Definition] = [one for one in before.definitions if one.active]
    if active:
        return active[-1].arn
    answer = await ecs.ask("RegisterTaskDefinition", **task_definition(spec))
    say(f"registered {answer['taskDefinition']['family']}")
    return str(answer["taskDefinition"]["taskDefinitionArn"])


async def _start(ecs: Ecs, spec: FleetSpec, definition: str, missing: int, say: Say) -> list[str]:
    """Start tasks and return their ARNs."""
    if missing < spec.count:
        say(f"{spec.count - missing} tasks are there already")
    started: list[str] = []
    while len(started) < missing:
        asked = min(MOST_STARTED, missing - len(started))
        answer = await ecs.ask("RunTask", **run_task(spec, definition, asked))
        started += [task["taskArn"] for task in answer["tasks"]]
        if answer.get("failures") or not answer["tasks"]:
            raise FleetError(f"Fargate started {len(started)} of {missing} tasks: {_failures(answer)}")
        say(f"asked for {len(started)} of {missing} tasks")
    return started


def _failures(answer: dict[str, list[dict[str, str]]]) -> str:
    said = (
        " ".join(filter(None, (failure.get("reason"), failure.get("detail")))) for failure in answer.get("failures", [])
    )
    return "; ".join(dict.fromkeys(said)) or "no reason given"


async def _all_run(ecs: Ecs, spec: FleetSpec, arns: Sequence[str], waiting: Waiting, say: Say) -> None:
    told = ""
    for _ in range(waiting.looks):
        tasks = await ecs.described(spec.fleet, spec.cluster, arns)
        for task in tasks:
            if task.status == "STOPPED":
                raise FleetError(f"task {task.id} stopped: {task.why}{_pull_hint(task.why)}")
        running = sum(task.status == "RUNNING" for task in tasks)
        if running == len(arns):
            return
        told = _tell(f"{running} of {len(arns)} run{_others(tasks)}", told, say)
        await waiting.sleep(waiting.poll_s)
    raise FleetError(f"after {waiting.most_s:g} s only {told}; --wait is how long to wait")


def _pull_hint(why: str) -> str:
    if "CannotPull" in why or "ResourceInitializationError" in why:
        return (
            ". The tasks must reach the registry (--public-ip, or a subnet with NAT), and an image of ECR, a token or "
            "logs need --execution-role"
        )
    return ""


def _others(tasks: Sequence[Task]) -> str:
    """Return the states of tasks that do not run yet, counted: ", 3 provisioning"."""
    states = [task.status for task in tasks if task.status != "RUNNING"]
    return "".join(f", {states.count(state)} {state.lower()}" for state in dict.fromkeys(states))


def _tell(text: str, told: str, say: Say) -> str:
    if text != told:
        say(text)
    return text


async def _stop_all(ecs: Ecs, found: Fleet, waiting: Waiting, say: Say) -> tuple[Task, ...]:
    """Stop a fleet's tasks until two looks find none; return all that were seen."""
    seen: dict[str, Task] = {}
    told, empty_looks = "", 0
    for _ in range(waiting.looks):
        tasks = await _look(ecs, found, seen.values())
        # A task that was asked for a moment ago may not be listed yet: one look that finds none is not enough.
        empty_looks = 0 if tasks else empty_looks + 1
        if empty_looks == 2:
            return tuple(seen.values())
        for task in tasks:
            if task.arn not in seen:
                await ecs.ask("StopTask", cluster=task.cluster, task=task.arn, reason=REASON)
                seen[task.arn] = task
        if tasks:
            told = _tell(f"{len(tasks)} still to stop", told, say)
        await waiting.sleep(waiting.poll_s)
    raise FleetError(f"after {waiting.most_s:g} s, {told}: `{REASON} {found.id}` goes on")


async def _look(ecs: Ecs, found: Fleet, seen: Iterable[Task]) -> list[Task]:
    """Return the tasks of a fleet that are not stopped: those that are listed, and those seen before."""
    known = list(seen)
    return [
        task
        for cluster in found.clusters
        for task in await ecs.alive(found.id, cluster, [one.arn for one in known if one.cluster == cluster])
    ]
