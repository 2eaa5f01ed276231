"""What is asked of ECS fits its model, means what the options say, and is what the policy allows."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import click
import pytest
from botocore.session import Session
from botocore.validate import validate_parameters
from burstline.client.cli import cli
from burstline.client.errors import UsageError
from burstline.client.fleet.checking import check
from burstline.client.fleet.fargate import Waiting, down, status, up
from burstline.client.fleet.naming import fleet_of, is_id, new_id
from burstline.client.fleet.policy import fleet_policy
from burstline.client.fleet.tasks import VCPUS, FleetSpec, command, run_task, settings_digest, task_definition
from click.testing import CliRunner

from .conftest import ROLE, World

ROOT = Path(__file__).resolve().parents[4]
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:burstline-token-AbCdEf"
PLAIN = FleetSpec("f1", "load", "burstline:0.1.0", "10.0.1.5:7460", 2, ("subnet-0a1b2c3d",))
FULL = FleetSpec(
    "f1", "load", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/burstline:0.1.0", "control.example.com:7460", 8,
    ("subnet-0a1b2c3d", "subnet-4e5f6a7b"), vcpu=2, security_groups=("sg-0a1b2c3d",), public_ip=True,
    execution_role=ROLE, task_role="arn:aws:iam::123456789012:role/worker", token_secret=SECRET, ca="/etc/ca.pem",
    cert="/etc/worker.pem", key="/etc/worker.key", log_group="/burstline", region="eu-west-1", arm=True,
)  # fmt: skip


def replaced(**given: Any) -> FleetSpec:
    from dataclasses import replace

    return replace(PLAIN, **given)


@pytest.fixture(scope="module")
def model() -> Any:
    return Session().get_service_model("ecs")


@pytest.mark.parametrize("spec", [PLAIN, FULL], ids=["plain", "full"])
def test_requests_fit_the_model_of_ecs(model: Any, spec: FleetSpec) -> None:
    asked = {"RegisterTaskDefinition": task_definition(spec), "RunTask": run_task(spec, "burstline-fleet-f1:1", 8)}
    for operation, parameters in asked.items():
        validate_parameters(parameters, model.operation_model(operation).input_shape)
        with pytest.raises(Exception, match="Unknown parameter"):
            validate_parameters({**parameters, "nosuch": 1}, model.operation_model(operation).input_shape)


def test_the_task_runs_the_worker_command_with_options_that_it_has() -> None:
    name, *rest = command(FULL)
    worker = cli.get_command(click.Context(cli), name)
    assert worker is not None
    assert {option for param in worker.params for option in param.opts} >= {word for word in rest if word[:2] == "--"}
    assert rest[rest.index("--processes") + 1] == "2"
    without_files = command(PLAIN)[1:]
    assert (
        worker.make_context("work", without_files, parent=click.Context(cli, **cli.context_settings)).params["server"]
        == "10.0.1.5:7460"
    )


@pytest.mark.parametrize("vcpu", VCPUS)
def test_each_process_has_a_core_and_memory_is_a_size_that_fargate_has(vcpu: int) -> None:
    asked = task_definition(replaced(vcpu=vcpu))
    cpu, memory_gib = int(asked["cpu"]) // 1024, int(asked["memory"]) // 1024
    steps = {1: range(2, 9), 2: range(4, 17), 4: range(8, 31), 8: range(16, 61, 4), 16: range(32, 121, 8)}
    assert memory_gib in steps[cpu]  # ECS Developer Guide, "Task CPU and memory"


def test_the_token_is_only_named_and_no_secret_is_written_into_the_definition() -> None:
    (container,) = task_definition(FULL)["containerDefinitions"]
    assert container["secrets"] == [{"name": "BURSTLINE_TOKEN", "valueFrom": SECRET}]
    assert "environment" not in container


def test_the_digest_of_the_settings_leaves_out_the_count_alone() -> None:
    assert settings_digest(replaced(count=9)) == settings_digest(PLAIN)
    assert settings_digest(replaced(image="other")) != settings_digest(PLAIN)


def test_the_file_for_those_who_start_tasks_themselves_is_what_the_command_asks_for(model: Any) -> None:
    written = json.loads((ROOT / "deploy/fargate/task-definition.json").read_text(encoding="utf-8"))
    spec = replaced(
        fleet="by-hand", image=FULL.image, server=FULL.server, execution_role=ROLE, token_secret=SECRET,
        log_group="/burstline", region="eu-west-1",
    )  # fmt: skip
    asked = task_definition(spec)
    asked["tags"] = [tag for tag in asked["tags"] if tag["key"] != "burstline:settings"]
    assert written == asked
    validate_parameters(written, model.operation_model("RegisterTaskDefinition").input_shape)


async def test_the_policy_has_exactly_the_actions_that_are_called(world: World) -> None:
    await up(world.ecs, world.spec(), world.waiting, world.say)
    await status(world.ecs, None)
    await down(world.ecs, "f1", world.waiting, world.say)
    allowed = {action for statement in fleet_policy()["Statement"] for action in statement["Action"]}
    tagging = {"ecs:TagResource"}  # of what RegisterTaskDefinition and RunTask make, with their own tags
    assert allowed == {f"ecs:{operation}" for operation in world.calls} | tagging


def test_the_policy_names_resources_and_passes_only_the_given_roles() -> None:
    policy = fleet_policy(region="eu-west-1", account="123456789012", cluster="load", roles=(ROLE,))
    by_name = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert by_name["Start"]["Resource"] == ["arn:aws:ecs:eu-west-1:123456789012:task-definition/burstline-fleet-*:*"]
    assert by_name["StopWhatIsOfAFleet"]["Condition"] == {"Null": {"aws:ResourceTag/burstline:fleet": "false"}}
    assert by_name["Pass"]["Resource"] == [ROLE]
    assert "Pass" not in {statement["Sid"] for statement in fleet_policy()["Statement"]}


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("*", "aws")],
)
def test_the_policy_is_of_the_regions_partition(region: str, partition: str) -> None:
    texts = json.dumps(fleet_policy(region=region))
    assert set(re.findall(r"arn:([a-z-]+):", texts)) == {partition}


@pytest.mark.parametrize("text", ["", "-a", "A", "a_b", "a" * 21, "a b"])
def test_ids_are_short_and_plain(text: str) -> None:
    assert not is_id(text)
    assert fleet_of(f"burstline-fleet-{text}") == ""


def test_new_ids_are_ids_and_differ() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_id(one) for one in ids)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"server": "localhost:7460"}, '--server: found "localhost:7460", which in a task is the task itself'),
        ({"server": "10.0.1.5"}, "--server"),
        ({"subnets": ("vpc-1",)}, '--subnet: found "vpc-1"; allowed: an id such as subnet-0a1b2c3d'),
        ({"security_groups": ("web",)}, '--security-group: found "web"'),
        ({"task_role": "worker"}, '--task-role: found "worker"; allowed: an ARN'),
        ({"token_secret": SECRET}, "--token-secret needs --execution-role"),
        ({"image": FULL.image}, "--image needs --execution-role: ECS uses it for pulling from ECR"),
        ({"log_group": "/x"}, "--log-group needs --execution-role"),
        ({"cert": "/c.pem"}, "--cert and --key go together"),
        ({"fleet": "My Fleet"}, 'found "My Fleet" for a fleet\'s id'),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_a_wrong_option_is_said_before_aws_is_asked(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        check(replaced(**changed))


def test_right_options_are_taken() -> None:
    assert check(PLAIN) == PLAIN
    assert check(FULL) == FULL


UP = "--count 2 --server 10.0.1.5:7460 --cluster load --image burstline:0.1.0"


def invoke(line: str, **env: str | None) -> Any:
    return CliRunner(env=env).invoke(cli, line.split())


def test_the_command_brings_up_shows_and_takes_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("burstline.client.commands.fleet._waiting", lambda _: world.waiting)
    options = f"{UP} --subnet {world.subnet} --security-group {world.group} --id f1"
    ended = invoke(f"fleet fargate up {options}")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.startswith("fleet f1: 2 tasks run, each with 1 vCPU and 1 worker process\n")
    assert ended.stderr.startswith("fleet f1: 2 tasks in eu-west-1\n")
    assert invoke("fleet fargate status").stdout.startswith(
        "fleet f1  2 running  cluster load  image burstline:0.1.0\n"
    )
    assert invoke("fleet fargate down f1").stdout == (
        "fleet f1 is gone: 2 tasks stopped, 1 task definition deregistered and deleted\n"
    )
    assert invoke("fleet fargate down f1").stdout == "nothing is there of fleet f1\n"
    assert invoke("fleet fargate status").stdout == "no fleet is up in this region\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_takes_away_what_was_started(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    async def sleep(_: float) -> None:
        signals = [number] if not world.slept else []
        world.slept.append(0.0)
        for one in signals:
            os.kill(os.getpid(), one)
            await asyncio.Event().wait()

    def provisioning(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "tasks": [{**task, "lastStatus": "PROVISIONING"} for task in answer["tasks"]]}

    world.answers["DescribeTasks"] = [provisioning]
    monkeypatch.setattr("burstline.client.commands.fleet._waiting", lambda _: Waiting(sleep=sleep))
    monkeypatch.setattr("burstline.server.aws.calling.Aws", lambda _: world.ecs._aws)
    ended = invoke(f"fleet fargate up {UP} --subnet {world.subnet} --security-group {world.group} --id f1")
    assert ended.exit_code == code
    assert ended.stderr.endswith(
        "taking away what was started\n2 still to stop\nwhat was started is taken away again\n"
    )
    assert (world.running(), world.definitions()) == ([], [])


def test_a_dry_run_prints_what_would_be_asked_for_and_asks_nothing(world: World) -> None:
    ended = invoke(f"fleet fargate up {UP} --subnet {world.subnet} --id f1 --dry-run")
    asked = json.loads(ended.stdout)
    assert asked["RegisterTaskDefinition"]["family"] == asked["RunTask"]["startedBy"] == "burstline-fleet-f1"
    assert world.definitions() == []


def test_without_credentials_or_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}
    for name, value in {**nowhere, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    ended = invoke("fleet fargate status")
    assert (ended.exit_code, ended.stderr) == (
        1, "burstline: no AWS region is set: give --region, AWS_REGION, or one in the profile\n",
    )  # fmt: skip
    ended = invoke("fleet fargate down f1 --region eu-west-1")
    assert (ended.exit_code, ended.stderr) == (
        1, "burstline: no AWS credentials were found: set a profile, or AWS_ACCESS_KEY_ID and its companions\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fleet fargat", 'No such command "fargat"; did you mean "fargate"?'),
        ("fleet fargate donw x", 'No such command "donw"; did you mean "down"?'),
        ("fleet fargate up --cuont 2", "--count"),
        ("fleet fargate up --count 0", "0 is not in the range"),
        ("fleet fargate down", "Missing argument 'ID'"),
        ("fleet fargate iam-policy --account-id 12", '--account-id: found "12"; allowed: 12 digits'),
    ],
)
def test_a_slip_gets_a_hint_and_exit_code_2(line: str, said: str) -> None:
    ended = invoke(line)
    assert ended.exit_code == 2
    assert said in ended.stderr
