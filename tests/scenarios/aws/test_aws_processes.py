"""AWS in the life of a run, with real processes: a server that is killed, and other functions that a run hurts."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from burstline.v1 import resources_pb2 as v1
from faults.processes import until
from faults.world import BURSTLINE, World

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAPRACTICE", "AWS_SECRET_ACCESS_KEY": "practice", "AWS_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}  # fmt: skip

ACCOUNT = """\
region: eu-west-1
lambda:
  concurrency: 8
  functions:
    checkout: {duration: 100ms}
    search: {duration: 100ms, other_traffic: {rate: 20}}
emulator: {front: rest, stage: prod, routes: {/: checkout}}
"""


class Practice:
    """A practice AWS, a server and a worker, each a process."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        (folder / "account.yaml").write_text(ACCOUNT)
        listen = ("--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0", "--aws-lag", "0")
        emulator = self.world.start((*BURSTLINE, "emulate", "--account", str(folder / "account.yaml"), *listen), "aws")
        until(lambda: "AWS side on" in emulator.said(), 30.0, "the practice AWS listens")
        lines = [line.rpartition(" ")[2] for line in emulator.said().splitlines()]
        self.target, self.aws = lines[0], lines[1]
        self.serve()
        self.world.work()

    def serve(self) -> Any:
        """Start the server, or start it again."""
        return self.world.serve("--endpoint-url", self.aws, "--wait-aws", "20s", **CREDENTIALS)

    def run(self, rate_per_s: float, duration_s: float, **fields: Any) -> str:
        plan = self.world.plan(duration_s, rate_per_s, **fields)
        plan.target.CopyFrom(v1.Target(url=self.target, front=v1.REST, function="checkout", stage="prod"))
        return self.world.submit(plan, 1)


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    made = Practice(tmp_path)
    yield made
    made.world.close()


def test_a_run_whose_server_was_killed_is_judged_with_aws_all_the_same(practice: Practice) -> None:
    """Nothing is declared: only what AWS says tells that the 500s were throttles, and whose."""
    run = practice.run(120.0, 7.0)
    until(lambda: practice.world.get(run).state == v1.Run.RUNNING, 40.0, "the run sends")
    time.sleep(2.5)
    server = practice.world.server
    assert server is not None
    server.kill()
    practice.serve()
    report = practice.world.report(run, 90.0)
    assert "the server was restarted during this run" in report["notes"]
    assert any(note.startswith("AWS was read again: ") for note in report["notes"])
    assert report["aws"]["cloudwatch"]["complete"]
    assert report["ledger"]["outcomes"]["failed"] == 0
    assert report["ledger"]["outcomes"]["throttled"] == report["ledger"]["signatures"]["rest.500.internal"] > 100
    (concurrency,) = [one for one in report["findings"] if one["quota"] == "lambda:L-B99A9384"]
    assert (concurrency["limit"], concurrency["limit_source"], concurrency["use_source"]) == (8, "aws", "cloudwatch")
    # Neighbours are those of before the run, though they were read in the middle of it.
    assert "search" in report["aws"]["neighbours"]["peaks"]
    assert "search" not in report["aws"]["neighbours"]["throttles"]


@pytest.mark.slow
def test_a_run_stops_when_other_functions_start_to_be_throttled(practice: Practice) -> None:
    """20/s x 100 ms of others and 120/s x 100 ms of ours share 8 environments."""
    time.sleep(3.0)  # so that CloudWatch knows that there is another function
    run = practice.run(120.0, 90.0, abort=["neighbours > 0"])
    report = practice.world.report(run, 120.0)
    assert report["verdict"] == "aborted"
    assert report["run"]["abort_rule"] == "neighbours > 0"
    assert report["run"]["duration_s"] < 60
    assert any("other functions are throttled while this run is under way: search" in note for note in report["notes"])
    assert report["ledger"]["not_due"] > 0
