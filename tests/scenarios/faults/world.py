"""One scenario's world: a target, a server, workers, each a real process, and a client's calls."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc
from faults.processes import Child, end_all, until
from ports import free_port

HERE = Path(__file__).parent
BURSTLINE = (sys.executable, "-m", "burstline.client")
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 300), ("grpc.initial_reconnect_backoff_ms", 100))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the target wrote down.

    Attributes:
        numbers: of all requests but the preflight's, in order of arrival.
        times_s: when each was read, seconds of the machine's monotonic clock; same length.
        preflight: how many preflight requests came.
    """

    numbers: list[int]
    times_s: list[float]
    preflight: int


class World:
    """Starts processes in a folder and ends what it started.

    Attributes:
        store: the server's store.
        host: where server and target listen, and where the target is reached.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        self._port, self._second_port, self._target_port = free_port(), free_port(), free_port()
        self._channel: grpc.Channel | None = None
        self._asked = self._port
        self.store = f"sqlite:///{folder}/store.db"
        self.host = "127.0.0.1"
        self.server: Child | None = None
        self.target: Child | None = None
        self.log = folder / "requests.log"

    @property
    def address(self) -> str:
        """Where the services of the server that is asked are for this process."""
        return f"127.0.0.1:{self._asked}"

    @property
    def both(self) -> str:
        """Where workers find the first server, or else the second."""
        return f"127.0.0.1:{self._port},127.0.0.1:{self._second_port}"

    @property
    def target_port(self) -> int:
        """Where the target listens."""
        return self._target_port

    def ask_second(self) -> None:
        """Ask the second server from now on."""
        if self._channel is not None:
            self._channel.close()
        self._channel, self._asked = None, self._second_port

    @property
    def port(self) -> int:
        """The server's port, the same after a restart."""
        return self._port

    # -- processes ------------------------------------------------------------------------------------------------

    def start(self, arguments: Sequence[str], name: str, **environment: str) -> Child:
        """Start a process that ends with the scenario."""
        child = Child(arguments, self._folder / f"{name}.txt", {"HOME": str(self._folder), **environment})
        self._children.append(child)
        return child

    def start_target(self, *options: str, within: Sequence[str] = ()) -> Child:
        """Start the counting target, or start it again on the same port; `within` runs its command."""
        listen = f"{'127.0.0.1' if self.host == '127.0.0.1' else '0.0.0.0'}:{self._target_port}"
        arguments = (sys.executable, str(HERE / "target.py"), "--listen", listen, "--log", str(self.log), *options)
        self.target = child = self.start((*within, *arguments), "target")
        until(lambda: "listening" in child.said(), 20.0, "the target listens")
        return child

    def serve(self, *options: str, **environment: str) -> Child:
        """Start the server, or start it again on the same port and store."""
        self.server = self._serve(self._port, "server", options, environment)
        return self.server

    def serve_second(self) -> Child:
        """Start a second server on the same store."""
        return self._serve(self._second_port, "second", (), {})

    def _serve(self, port: int, name: str, options: Sequence[str], environment: Mapping[str, str]) -> Child:
        host = "127.0.0.1" if self.host == "127.0.0.1" else "0.0.0.0"  # namespaces reach it by veth
        arguments = (*BURSTLINE, "serve", "--listen", f"{host}:{port}", "--http", "", "--store", self.store)
        child = self.start((*arguments, "--allow", self.host, *options), name, **environment)
        until(lambda: "serving on" in child.said() or not child.alive, 30.0, "the server serves")
        assert child.alive, child.said()
        return child

    def work(self, count: int = 1, *, server: str = "", within: Sequence[str] = (), script: Sequence[str] = ()) -> Any:
        """Start workers and return them.

        Args:
            count: how many.
            server: where they find the server; "" is where it listens.
            within: what a command is to be run by, such as `ip netns exec NAME`.
            script: what to run in place of `burstline work`; it gets the same `--server`.
        """
        command = tuple(script) or (*BURSTLINE, "work", "--processes", "1")
        started = []
        for _ in range(count):
            name = f"worker{len(self._children)}"
            arguments = (*within, *command, "--server", server or self.address)
            started.append(self.start(arguments, name, BURSTLINE_MARK_N="1"))
        return started

    def close(self) -> None:
        """End everything that is still there."""
        if self._channel is not None:
            self._channel.close()
        end_all(self._children)

    # -- the client's side ----------------------------------------------------------------------------------------

    def _stub(self) -> Any:
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.address, options=_OPTIONS)
        return run_service_pb2_grpc.RunServiceStub(self._channel)

    def attached(self) -> int:
        """Return how many workers are attached."""
        self._stub()
        stub: Any = worker_service_pb2_grpc.WorkerServiceStub(self._channel)  # type: ignore[arg-type]  # made above
        request = worker_service_pb2.ListWorkersRequest(page_size=1000)
        return len(stub.ListWorkers(request, timeout=10, wait_for_ready=True).workers)

    def patient_plan(self, duration_s: float, rate_per_s: float) -> v1.Plan:
        """Return such a plan that drops nothing for a pause of this machine of up to a second, so that what a fault
        costs is told apart from what a busy machine costs."""
        plan = self.plan(duration_s, rate_per_s)
        plan.max_late_duration.FromSeconds(1)
        return plan

    def plan(self, duration_s: float, rate_per_s: float, **fields: Any) -> v1.Plan:
        """Return a plan of one steady phase at this world's target."""
        url = f"http://{self.host}:{self._target_port}"
        request = v1.Request(name="r")
        request.timeout_duration.FromNanoseconds(2_000_000_000)
        plan = v1.Plan(name="fault", target=v1.Target(url=url), requests=[request], **fields)
        phase = plan.load.add(name="steady")
        phase.duration.FromNanoseconds(round(duration_s * 1e9))
        phase.constant.request_count_per_second = rate_per_s
        return plan

    def submit(self, plan: v1.Plan, worker_count: int) -> str:
        """Create a run once so many workers are attached, and return its name."""
        until(lambda: self.attached() >= worker_count, 60.0, f"{worker_count} workers attach")
        request = wire.CreateRunRequest(run=v1.Run(plan=plan, worker_count=worker_count))
        return str(self._stub().CreateRun(request, timeout=20).name)

    def get(self, run: str) -> v1.Run:
        """Return a run; waits for a server that is away."""
        found: v1.Run = self._stub().GetRun(wire.GetRunRequest(name=run), timeout=30, wait_for_ready=True)
        return found

    def stop(self, run: str) -> None:
        """Stop a run."""
        self._stub().StopRun(wire.StopRunRequest(name=run), timeout=20)

    def until_sending(self, for_s: float = 0.0) -> float:
        """Wait until the target has seen the run's first request, and then `for_s`; return the first one's time."""
        until(lambda: len(self.seen().numbers) > 0, 60.0, "the first request arrives")
        first_s = self.seen().times_s[0]
        self.until(first_s + for_s)
        return first_s

    def until(self, moment_s: float) -> None:
        """Wait until a moment of the machine's monotonic clock, seconds."""
        time.sleep(max(0.0, moment_s - time.monotonic()))

    def report(self, run: str, within_s: float) -> dict[str, Any]:
        """Wait for a run's end and return its report."""
        final = (v1.Run.SUCCEEDED, v1.Run.STOPPED, v1.Run.FAILED)
        until(lambda: self.get(run).state in final, within_s, "the run ends")
        until(lambda: self._pieces(run) is not None, 20.0, "the report is stored")
        report: dict[str, Any] = json.loads(self._pieces(run) or b"")
        return report

    def _pieces(self, run: str) -> bytes | None:
        """Return a report; None while there is none, which a store that was full needs a moment for."""
        try:
            chunks = self._stub().GetReport(wire.GetReportRequest(name=run), timeout=20)
            return b"".join(chunk.json for chunk in chunks)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                return None
            raise

    def seen(self) -> Seen:
        """Return what the target wrote down so far."""
        text = self.log.read_text() if self.log.exists() else ""
        lines = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
        load = [(int(number), int(nanos) * 1e-9) for nanos, number, preflight in lines if preflight == "0"]
        return Seen([n for n, _ in load], [at_s for _, at_s in load], len(lines) - len(load))
