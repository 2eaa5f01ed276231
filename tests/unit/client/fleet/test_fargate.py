"""Fleets on moto's ECS: what `up` starts, `down` takes away, whatever happened between."""

import asyncio
from typing import Any

import pytest
from burstline.client.fleet.ecs import FleetError
from burstline.client.fleet.fargate import down, status, up
from burstline.client.fleet.naming import tag_values
from burstline.server.aws.errors import Denied, Refused, Unreachable

from .conftest import World


async def bring_up(world: World, fleet: str = "f1", count: int = 2, **given: Any) -> None:
    await up(world.ecs, world.spec(fleet, count, **given), world.waiting, world.say)


async def take_down(world: World, fleet: str = "f1") -> tuple[int, int]:
    gone = await down(world.ecs, fleet, world.waiting, world.say)
    return len(gone.tasks), len(gone.definitions)


def provisioning(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "tasks": [{**task, "lastStatus": "PROVISIONING"} for task in answer["tasks"]]}


def stopped(answer: dict[str, Any]) -> dict[str, Any]:
    why = {"lastStatus": "STOPPED", "stoppedReason": "Task failed to start"}
    container = {"reason": "CannotPullContainerError: pull access denied", "exitCode": 1}
    first, *rest = answer["tasks"]
    return {**answer, "tasks": [{**first, **why, "containers": [container]}, *rest]}


async def test_up_starts_the_tasks_with_the_fleets_id_on_all_it_made(world: World) -> None:
    found = await up(world.ecs, world.spec(count=3), world.waiting, world.say)
    assert len(found.tasks) == 3
    tasks = world.running()
    assert [tag_values(task["tags"])["burstline:fleet"] for task in tasks] == ["f1"] * 3
    assert {task["startedBy"] for task in tasks} == {"burstline-fleet-f1"}
    assert {task["launchType"] for task in tasks} == {"FARGATE"}
    definition = world.aws.describe_task_definition(taskDefinition="burstline-fleet-f1", include=["TAGS"])
    assert tag_values(definition["tags"])["burstline:fleet"] == "f1"


async def test_more_than_ten_tasks_are_started_in_several_calls(world: World) -> None:
    await bring_up(world, count=23)
    assert world.calls.count("RunTask") == 3
    assert len(world.running()) == 23


async def test_up_waits_until_all_run_and_says_how_far_it_is_once_per_change(world: World) -> None:
    world.answers["DescribeTasks"] = [provisioning, provisioning, provisioning]
    await bring_up(world)
    assert world.said[-1] == "0 of 2 run, 2 provisioning"
    assert world.said.count(world.said[-1]) == 1
    assert world.slept == [3.0] * 3


async def test_the_same_up_again_starts_nothing_and_a_larger_one_the_difference(world: World) -> None:
    await bring_up(world)
    await bring_up(world)
    assert len(world.running()) == 2
    await bring_up(world, count=5)
    assert len(world.running()) == 5
    assert len(world.definitions()) == 1


async def test_an_id_that_is_there_with_other_settings_is_refused(world: World) -> None:
    await bring_up(world)
    with pytest.raises(FleetError, match=r"fleet f1 is there with other settings.*fleet fargate down f1"):
        await bring_up(world, image="burstline:0.2.0")
    assert len(world.running()) == 2


async def test_down_leaves_nothing_and_touches_no_other_fleet_or_task(world: World) -> None:
    await bring_up(world)
    await bring_up(world, "f2", 1)
    network = {"awsvpcConfiguration": {"subnets": [world.subnet], "securityGroups": [world.group]}}
    world.aws.run_task(
        cluster="load", taskDefinition="burstline-fleet-f2", launchType="FARGATE", networkConfiguration=network,
        startedBy="burstline-fleet-f1",
    )  # fmt: skip
    assert await take_down(world) == (2, 1)
    assert [name.split(":")[0] for name in world.definitions()] == ["burstline-fleet-f2"]
    assert len(world.running()) == 2  # the other fleet's, and one that only looks like ours: it lacks the tag


async def test_down_twice_says_that_nothing_is_there(world: World) -> None:
    await bring_up(world)
    await take_down(world)
    world.calls.clear()
    assert await take_down(world) == (0, 0)
    assert set(world.calls) == {"ListTaskDefinitions"}


async def test_down_finds_all_after_the_process_that_ran_up_died_anywhere(world: World) -> None:
    for died_in in ("RunTask", "DescribeTasks"):
        world.answers[died_in] = [SystemError("killed")]
        with pytest.raises(SystemError):
            await bring_up(world)
        assert world.definitions()
        await take_down(world)
        assert (world.running(), world.definitions()) == ([], [])


async def test_down_goes_on_after_a_down_that_died_when_it_had_deregistered(world: World) -> None:
    await bring_up(world)
    world.answers["StopTask"] = [None, SystemError("killed")]
    with pytest.raises(SystemError):
        await take_down(world)
    assert len(world.running()) == 1
    await take_down(world)
    assert (world.running(), world.definitions()) == ([], [])


async def test_down_sees_a_task_that_was_not_listed_yet(world: World) -> None:
    await bring_up(world, count=1)
    world.answers["ListTasks"] = [{"taskArns": []}, {"taskArns": []}]
    assert await take_down(world) == (1, 1)


async def test_down_waits_for_tasks_that_are_stopping_and_no_longer_listed(world: World) -> None:
    await bring_up(world)

    def deprovisioning(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "tasks": [{**task, "lastStatus": "DEPROVISIONING"} for task in answer["tasks"]]}

    world.answers["ListTasks"] = [None, None, {"taskArns": []}, {"taskArns": []}]
    world.answers["DescribeTasks"] = [None, None, deprovisioning, deprovisioning]
    assert await take_down(world) == (2, 1)
    assert world.said[-1] == "2 still to stop"
    assert len(world.slept) == 4


@pytest.mark.parametrize("stays_s", [60.0])
async def test_down_says_what_still_stops_after_the_time_to_wait(world: World, stays_s: float) -> None:
    await bring_up(world)
    world.answers["StopTask"] = [{}, {}]
    with pytest.raises(FleetError, match=r"after 60 s, 2 still to stop: `burstline fleet fargate down f1` goes on"):
        await take_down(world)
    assert sum(world.slept) == stays_s


async def test_an_up_of_which_not_all_start_is_taken_away_and_says_why(world: World) -> None:
    def some(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "failures": [{"arn": "x", "reason": "Capacity is unavailable at this time."}]}

    world.answers["RunTask"] = [None, some]
    with pytest.raises(FleetError) as raised:
        await bring_up(world, count=15)
    assert str(raised.value) == (
        "Fargate started 15 of 15 tasks: Capacity is unavailable at this time; what was started is taken away again"
    )
    assert (world.running(), world.definitions()) == ([], [])


async def test_a_task_that_stops_while_it_starts_ends_the_up_with_its_reason(world: World) -> None:
    world.answers["DescribeTasks"] = [provisioning, stopped]
    with pytest.raises(FleetError) as raised:
        await bring_up(world)
    assert (
        "stopped: Task failed to start; CannotPullContainerError: pull access denied; exit code 1. The tasks must"
        in (str(raised.value))
    )
    assert (world.running(), world.definitions()) == ([], [])


async def test_tasks_that_do_not_come_up_in_time_are_taken_away(world: World) -> None:
    world.answers["DescribeTasks"] = [provisioning] * 20
    with pytest.raises(
        FleetError, match="after 60 s only 0 of 2 run, 2 provisioning; --wait is how long to wait; what"
    ):
        await bring_up(world)
    assert (world.running(), world.definitions()) == ([], [])


async def test_what_was_there_before_an_up_that_fails_stays(world: World) -> None:
    await bring_up(world)
    world.answers["RunTask"] = [Refused("ServerException", "ecs RunTask answered ServerException")]
    with pytest.raises(FleetError, match="what runs stays: `burstline fleet fargate down f1` takes it away"):
        await bring_up(world, count=3)
    assert len(world.running()) == 2


async def test_an_up_that_is_cancelled_takes_away_what_it_started(world: World) -> None:
    reached = asyncio.Event()

    async def sleep(_: float) -> None:
        reached.set()
        await asyncio.sleep(0)

    world.answers["DescribeTasks"] = [provisioning] * 1000
    waiting = type(world.waiting)(most_s=30000.0, sleep=sleep)
    doing = asyncio.ensure_future(up(world.ecs, world.spec(), waiting, world.say))
    await reached.wait()
    world.answers.clear()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert (world.running(), world.definitions()) == ([], [])


async def test_an_up_that_is_cancelled_while_tasks_are_asked_for_takes_them_away(world: World) -> None:
    async def bring() -> None:
        await bring_up(world)

    def cancelled(answer: dict[str, Any]) -> dict[str, Any]:
        doing.cancel()
        return answer

    doing = asyncio.ensure_future(bring())
    world.answers["RunTask"] = [cancelled]
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert world.said[-1] == "what was started is taken away again"
    assert (world.running(), world.definitions()) == ([], [])


async def test_an_up_that_cannot_take_back_what_it_started_says_what_will(world: World) -> None:
    away = Unreachable("ecs: AWS cannot be reached (ConnectTimeoutError)")
    world.answers["DescribeTasks"] = [away]
    world.answers["DeregisterTaskDefinition"] = [away]
    with pytest.raises(FleetError) as raised:
        await bring_up(world)
    assert str(raised.value) == (
        f"{away.message}; what was started could not be taken away ({away.message}): "
        "`burstline fleet fargate down f1` takes it away when AWS answers again"
    )
    await take_down(world)
    assert (world.running(), world.definitions()) == ([], [])


async def test_a_cluster_that_is_not_there_is_said_before_anything_is_made(world: World) -> None:
    with pytest.raises(FleetError, match=r"ClusterNotFoundException.*--cluster names one of this region"):
        await bring_up(world, cluster="laod")
    assert world.definitions() == []


async def test_a_missing_right_is_named_with_the_policy_to_ask_for(world: World) -> None:
    world.answers["RegisterTaskDefinition"] = [Denied("ecs:RegisterTaskDefinition")]
    with pytest.raises(FleetError, match="lacks ecs:RegisterTaskDefinition; `burstline fleet fargate iam-policy`"):
        await bring_up(world)


async def test_the_right_that_is_missing_is_the_one_that_aws_names(world: World) -> None:
    denied = Denied("ecs:RegisterTaskDefinition")
    answer = "User: arn:aws:iam::1:user/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/y"
    denied.__cause__ = RuntimeError(answer)
    world.answers["RegisterTaskDefinition"] = [denied]
    with pytest.raises(FleetError, match=r"lacks iam:PassRole; .*--role for PassRole") as raised:
        await bring_up(world)
    assert "arn:" not in str(raised.value)


async def test_an_account_that_never_used_ecs_is_told_what_makes_its_role(world: World) -> None:
    said = "Unable to assume the service linked role. Please verify that the ECS service linked role exists."
    world.answers["RunTask"] = [Refused("InvalidParameterException", said)]
    with pytest.raises(FleetError, match="aws iam create-service-linked-role --aws-service-name ecs"):
        await bring_up(world)


async def test_status_shows_the_fleets_that_are_there(world: World) -> None:
    await bring_up(world)
    await bring_up(world, "f2", 1)
    await bring_up(world, "gone", 1)
    await take_down(world, "gone")
    world.aws.register_task_definition(
        family="burstline-fleet-x", containerDefinitions=[{"name": "a", "image": "b", "memory": 1}]
    )
    assert [(fleet.id, len(fleet.tasks)) for fleet in await status(world.ecs, None)] == [("f1", 2), ("f2", 1)]
    assert [fleet.id for fleet in await status(world.ecs, "f2")] == ["f2"]
    assert await status(world.ecs, "none") == []


async def test_a_fleet_whose_cluster_was_deleted_can_be_taken_down(world: World) -> None:
    await bring_up(world, count=1)
    await down(world.ecs, "f1", world.waiting, world.say)
    world.aws.create_cluster(clusterName="gone")
    spec = world.spec("f3", 1, cluster="gone")
    await up(world.ecs, spec, world.waiting, world.say)
    for task in world.running():
        world.aws.stop_task(cluster="gone", task=task["taskArn"])
    world.aws.delete_cluster(cluster="gone")
    await take_down(world, "f3")
    assert world.definitions() == []
