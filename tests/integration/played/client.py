"""A client of the server's services, for tests."""

import json
from typing import Any

import grpc
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc, worker_service_pb2_grpc


class Client:
    """Stubs, and the few calls that every test makes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.runs = run_service_pb2_grpc.RunServiceStub(channel)
        self.data = run_service_pb2_grpc.DataServiceStub(channel)
        self.workers = worker_service_pb2_grpc.WorkerServiceStub(channel)
        self.channel = channel

    async def create(self, plan: v1.Plan, *, worker_count: int = 0, request_id: str = "") -> v1.Run:
        """Create a run."""
        run = v1.Run(plan=plan, worker_count=worker_count)
        created: v1.Run = await self.runs.CreateRun(wire.CreateRunRequest(run=run, request_id=request_id))
        return created

    async def ended(self, name: str) -> v1.Run:
        """Follow a run to its end."""
        run = v1.Run()
        async for progress in self.runs.WatchRun(wire.WatchRunRequest(name=name)):
            run = progress.run
        return run

    async def until(self, name: str, state: Any) -> v1.Run:
        """Follow a run until it is in a state."""
        async for progress in self.runs.WatchRun(wire.WatchRunRequest(name=name)):
            if progress.run.state == state:
                found: v1.Run = progress.run
                return found
        raise AssertionError("it ended before")

    async def report(self, name: str) -> dict[str, Any]:
        """Return a report."""
        pieces = [chunk.json async for chunk in self.runs.GetReport(wire.GetReportRequest(name=name))]
        report: dict[str, Any] = json.loads(b"".join(pieces))
        return report
