"""Consent, estimates, exit codes, JUnit, errors of gRPC, tokens, and the command line without a server."""

from pathlib import Path
from xml.etree import ElementTree

import grpc
import grpc.aio
import pytest
from burstline.client.cli import COMMANDS, cli
from burstline.client.errors import ClientError, NotFound, RefusedByServer, ServerFailed, UsageError, from_rpc
from burstline.client.exits import exit_code
from burstline.client.reports.junit import junit_xml
from burstline.client.running.consent import is_loopback, obtain_consent
from burstline.client.running.practice import load_practice
from burstline.client.running.serving import tokens_from
from burstline.core.load.plan import Bursts, Constant, Front, Phase, Plan, Request, Target, Users
from burstline.core.quota.ahead import Ahead, ahead_of
from burstline.core.quota.quotas import Account, Function, ServiceTime
from burstline.server.settings import Role
from click.testing import CliRunner
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

AHEAD = Ahead(1000, False, 60, 200, 0.5)


def refuse(question: str) -> bool:
    return False


def agree(question: str) -> bool:
    return True


def never(question: str) -> bool:
    raise AssertionError("asked")


def test_a_host_is_asked_about_once_and_remembered(tmp_path: Path) -> None:
    known = tmp_path / "hosts"
    obtain_consent("https://api.example.com/x", lambda: AHEAD, yes=False, known=known, ask=agree, terminal=True)
    obtain_consent("https://API.example.com/y", lambda: AHEAD, yes=False, known=known, ask=never, terminal=True)
    assert known.read_text() == "api.example.com\n"


def test_a_user_who_declines_is_believed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="declined; nothing was sent"):
        obtain_consent("https://a.b", lambda: AHEAD, yes=False, known=tmp_path / "hosts", ask=refuse, terminal=True)
    assert not (tmp_path / "hosts").exists()


def test_without_a_terminal_the_refusal_names_host_requests_cost_and_flag(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1,000 requests to a\.b .*\$0\.50.*--yes"):
        obtain_consent("https://a.b", lambda: AHEAD, yes=False, known=tmp_path / "hosts", ask=never, terminal=False)
    obtain_consent("https://a.b", lambda: AHEAD, yes=True, known=tmp_path / "hosts", ask=never, terminal=False)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("localhost.evil.com", False), ("10.0.0.1", False)],
)
def test_only_this_machine_is_never_asked_about(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_preview_counts_bounds_and_prices() -> None:
    plan = Plan(
        "p",
        Target("https://x/prod", Front.REST, function="f"),
        (Request("a"),),
        (Phase("a", 10, Constant(100)), Phase("b", 10, Bursts(500, 5, 0.1, 20)), Phase("c", 5, Users(3, 1))),
    )
    account = Account(functions={"f": Function("f", duration=ServiceTime(0.1, 0.1), memory_mb=1024)})
    ahead = ahead_of(plan, account)
    assert (ahead.request_count, ahead.closed, ahead.duration_s, ahead.peak_per_s) == (2200, True, 25, 520)
    assert ahead.cost_usd == pytest.approx(2200 * (3.5e-6 + 0.2e-6 + 0.1 * 0.0000166667))


def test_a_target_that_is_not_aws_has_no_price() -> None:
    plan = Plan("p", Target("http://x"), (Request("a"),), (Phase("a", 10, Constant(1)),))
    assert ahead_of(plan, Account()).cost_usd is None


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("passed", 0), ("could_not_run", 1), ("quota_bound", 3), ("generator_limited", 4), ("incomplete", 5),
        ("aborted", 6), ("threshold_failed", 99), ("of a later version", 1),
    ],
)  # fmt: skip
def test_each_verdict_has_its_exit_code(verdict: str, code: int) -> None:
    assert exit_code(verdict) == code


def test_junit_has_the_verdict_and_each_threshold() -> None:
    report = {
        "verdict": "threshold_failed",
        "summary": "No quota binds, but 1 of 2 thresholds failed.",
        "run": {"name": "a & b", "duration_s": 3, "started_at": None},
        "thresholds": [
            {"expression": "ok > 99%", "observed": 1, "passed": True},
            {"expression": "latency p99 < 1s", "observed": 2, "passed": False},
        ],
    }
    suite = ElementTree.fromstring(junit_xml(report))
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("burstline a & b", "3", "2")
    assert failed == ["verdict", "latency p99 < 1s"]


def rpc_error(code: grpc.StatusCode, text: str, *details: object) -> grpc.aio.AioRpcError:
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)  # type: ignore[arg-type]  # a message
        status.details.append(packed)
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details=text)


def test_errors_of_grpc_become_sentences() -> None:
    dead = from_rpc(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()), "h:1")
    assert str(dead) == "nothing answers at h:1: start it with `burstline serve --listen h:1`"
    info = error_details_pb2.ErrorInfo(reason="STORE_UNAVAILABLE", domain="burstline")
    full = from_rpc(rpc_error(grpc.StatusCode.UNAVAILABLE, "the store cannot be written: disk full", info), "h:1")
    assert isinstance(full, ServerFailed)
    assert "disk full" in str(full)
    assert isinstance(from_rpc(rpc_error(grpc.StatusCode.NOT_FOUND, "no run a"), "h:1"), NotFound)
    assert "another version" in str(from_rpc(rpc_error(grpc.StatusCode.UNIMPLEMENTED, ""), "h:1"))


def test_a_refused_plan_lists_every_violation() -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="load", description="is missing")
    bad.field_violations.add(field="seed", description="is odd")
    error = from_rpc(rpc_error(grpc.StatusCode.INVALID_ARGUMENT, "load: is missing (and 1 more)", bad), "h:1")
    assert isinstance(error, RefusedByServer)
    assert error.problems == ("load: is missing", "seed: is odd")
    assert error.exit_code == 2


def test_tokens_have_a_role_and_a_wrong_one_does_not_show_its_secret() -> None:
    assert [(t.role, t.secret) for t in tokens_from("viewer=a, admin=b=c")] == [(Role.VIEWER, "a"), (Role.ADMIN, "b=c")]
    assert tokens_from("") == ()
    with pytest.raises(ClientError, match="item 2") as caught:
        tokens_from("viewer=a,root=hidden")
    assert "hidden" not in str(caught.value)


def test_an_account_file_becomes_the_emulators_settings_and_its_mistakes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "account.yaml"
    file.write_text(
        "lambda: {functions: {f: {duration: 5ms}}}\n"
        "emulator: {front: http, stage: prod, routes: {/: f}, round_trip: 4ms, noise: 1%,\n"
        "  slow_modes: {f: {share: 2%, duration: {p50: 1s}}}}\n"
    )
    account, settings = load_practice(file, host="127.0.0.1", port=0, front=None)
    assert account.functions["f"].duration.p99_s == 0.005
    assert (settings.front, settings.stage, settings.routes) == (Front.HTTP, "prod", {"/": "f"})
    assert (settings.round_trip_s, settings.noise_ratio) == (0.004, 0.01)
    assert settings.slow_modes["f"].duration.p99_s == 1.0
    assert load_practice(file, host="127.0.0.1", port=0, front="alb")[1].front is Front.ALB
    file.write_text("apigateway: {stages: {only: {rate: 1, burst: 1}}}\n")
    assert load_practice(file, host="127.0.0.1", port=0, front=None)[1].stage == "only"
    file.write_text("lambda: {concurency: 1}\nemulator: {frnt: x, seed: -1}\n")
    with pytest.raises(UsageError) as caught:
        load_practice(file, host="127.0.0.1", port=0, front=None)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "lambda.concurency", "emulator.frnt", "emulator.seed",
    ]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "-h"])
    assert result.exit_code == 0, result.output
    assert f"{name} [OPTIONS]" in result.output


@pytest.mark.parametrize("example", ["steady", "bursts", "weighted"])
def test_every_example_is_a_good_plan(example: str) -> None:
    folder = Path(__file__).parents[3] / "examples"
    result = CliRunner().invoke(cli, ["check", str(folder / f"{example}.yaml")])
    assert result.exit_code == 0, result.output
    assert "no mistakes" in result.output


def test_check_lists_every_mistake_and_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("target: nowhere\nrequests: []\nload: 5\n")
    result = CliRunner().invoke(cli, ["check", str(tmp_path / "p.yaml")])
    assert result.exit_code == 2
    for words in (
        "p.yaml:1:9: target.url",
        "p.yaml:2:11: requests",
        "p.yaml:3:7: load",
        "3 mistakes; nothing was sent",
    ):
        assert words in result.output


def test_a_mistyped_command_and_flag_get_a_hint_and_2() -> None:
    result = CliRunner().invoke(cli, ["chekc"])
    assert (result.exit_code, 'did you mean "check"?' in result.output) == (2, True)
    result = CliRunner().invoke(cli, ["run", "p.yaml", "--jsno", "x"])
    assert (result.exit_code, "--json" in result.output) == (2, True)
