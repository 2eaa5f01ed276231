"""What many workers cost one server: CPU share and memory while it merges and commits their windows to SQLite.

    python benchmarks/many_workers.py [--workers 500] [--seconds 60] [--rate 100] [--settle] [--profile FILE]

Simulated workers, each with a connection and a stream of its own, speak the worker's protocol to a real
`burstline serve`: one window a second each, which is their heartbeat too, of a worker that sends `--rate` requests a
second. The server is held to one core and measured by what the kernel charges its process.
"""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from burstline.core.load.window import AnswerKey, Latency, LatencyKey, Load, Window
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc, worker_service_pb2_grpc
from burstline.v1 import worker_service_pb2 as work
from burstline.wire.window import window_to_proto
from burstline.workers.segments.beats import BEAT_S, QUICK_BEAT_S, Beats

LIMIT_CPU, LIMIT_MIB = 0.25, 300.0


def make_window(second: int, rate: int) -> bytes:
    """Return what a worker that sends evenly says of one second."""
    draw = random.Random(second)
    window = Window(second, watermark=(second + 1) * rate)
    window.loads[0] = Load(rate, rate, rate)
    window.answers[AnswerKey(0, 0, "plain.ok")] = rate
    latency = window.latencies[LatencyKey(0, "plain.ok")] = Latency()
    for number in range(rate):
        took_s = draw.lognormvariate(-3.0, 0.5)
        latency.due.add(took_s + 0.0003)
        latency.sent.add(took_s)
        window.lateness.add(draw.uniform(0.0, 0.0006))
        sent = second * 100 + number * 100 // rate
        done = sent + int(took_s * 100)
        for bins, index in ((window.sent_bins, sent), (window.completion_bins.setdefault("plain.ok", {}), done)):
            bins[index] = bins.get(index, 0) + 1
    window.due_bins = window.answer_bins["plain.ok"] = window.sent_bins
    for _ in range(40):
        window.loop_lag.add(draw.uniform(0.0, 0.001))
    window.cpu_ratio, window.in_flight, window.open_sockets, window.clock_error_s = 0.3, 5, 20, 0.0002
    return window_to_proto(window).SerializeToString()


class Windows:
    """The window of each second, made once for all workers."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._newest: dict[int, bytes] = {}

    def of(self, second: int) -> bytes:
        """Return a second's window."""
        if second not in self._newest:
            self._newest = {n: body for n, body in self._newest.items() if n > second - 10}
            self._newest[second] = make_window(second, self._rate)
        return self._newest[second]


@dataclass(slots=True)
class Counts:
    """What came back."""

    attached: int = 0
    acknowledged: int = 0
    slowest_s: float = 0.0
    beats_s: list[float] = field(default_factory=list)


class SimulatedWorker:
    """Speaks the protocol; sends nothing but windows."""

    def __init__(self, address: str, windows: Windows, counts: Counts, phase_s: float) -> None:
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))
        self._channel = grpc.aio.insecure_channel(address, options=options)
        self._windows, self._counts, self._phase_s = windows, counts, phase_s
        self._outbox: asyncio.Queue[work.AttachRequest] = asyncio.Queue()
        self._given_s: dict[int, float] = {}
        self._beats = Beats(lambda: BEAT_S)
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Serve until cancelled."""
        hello = work.Hello(worker_id=str(uuid.uuid4()), version="0.1.0", hostname="simulated", pid=1)
        self._outbox.put_nowait(work.AttachRequest(hello=hello))
        call: Any = worker_service_pb2_grpc.WorkerServiceStub(self._channel).Attach(self._requests())
        self._tasks.append(asyncio.create_task(self._beat()))
        while (message := await call.read()) is not grpc.aio.EOF:
            self._handle(message)

    async def _requests(self) -> AsyncIterator[work.AttachRequest]:
        while True:
            yield await self._outbox.get()

    async def _beat(self) -> None:
        await asyncio.sleep(self._phase_s)
        self._beats.begin()
        while True:
            if time.monotonic() >= self._beats.due_s():
                self._say()
            await asyncio.sleep(max(0.01, min(QUICK_BEAT_S, self._beats.due_s() - time.monotonic())))

    def _say(self, *windows: work.WindowReport) -> None:
        self._beats.sent(time.monotonic(), with_windows=bool(windows))
        beat = work.Heartbeat(sent_nanos=time.monotonic_ns(), windows=windows)
        self._outbox.put_nowait(work.AttachRequest(heartbeat=beat))

    def _handle(self, message: work.AttachResponse) -> None:
        match message.WhichOneof("message"):
            case "welcome":
                self._counts.attached += 1
            case "heartbeat":
                self._heard(message.heartbeat)
            case "preflight":
                answer = work.PreflightReport.Answer(request="r", status=200)
                report = work.PreflightReport(run=message.preflight.run, answers=[answer], sent_count=1)
                self._outbox.put_nowait(work.AttachRequest(preflight=report))
            case "assign":
                self._outbox.put_nowait(work.AttachRequest(ready=work.Ready(key=message.assign.key)))
            case "start":
                self._tasks.append(asyncio.create_task(self._send(message.start)))
            case "stop":
                self._stopped = True
            case _:
                pass

    def _heard(self, reply: work.HeartbeatReply) -> None:
        counts = self._counts
        counts.beats_s.append((time.monotonic_ns() - reply.sent_nanos) * 1e-9)
        for ack in reply.acks:
            counts.acknowledged += 1
            counts.slowest_s = max(counts.slowest_s, time.monotonic() - self._given_s.pop(ack.sequence))

    async def _send(self, start: work.Start) -> None:
        """Close a window a second; workers' seconds end together, give or take their event loops' ticks."""
        second = 0
        while not self._stopped:
            at_s = start.start_nanos * 1e-9 + second + 1.0 + self._phase_s * 0.4
            await asyncio.sleep(max(0.0, at_s - time.time()))
            report = work.WindowReport(key=start.key, sequence=second, window=self._windows.of(second))
            self._given_s[second] = time.monotonic()
            self._say(report)
            second += 1
        while self._given_s:  # noqa: ASYNC110  # once, at the end
            await asyncio.sleep(0.1)
        end = work.SegmentEnd(key=start.key, window_count=second, reason="stopped")
        self._outbox.put_nowait(work.AttachRequest(end=end))


def make_plan(seconds: float, rate: float) -> v1.Plan:
    """Return a plan that lasts longer than the measurement."""
    target = v1.Target(url="http://127.0.0.1:9")
    plan = v1.Plan(name="many workers", target=target, requests=[v1.Request(name="r")])
    phase = plan.load.add(name="steady")
    phase.duration.FromNanoseconds(round(seconds * 1e9))
    phase.constant.request_count_per_second = rate
    return plan


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Return what a process holds in memory, MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def measure(options: argparse.Namespace, address: str, pid: int) -> None:
    """Attach the workers, start a run, and print what the server uses, second by second in tens."""
    draw = random.Random(1)
    windows = Windows(options.rate)
    print(f"a window: {len(windows.of(0))} bytes")
    counts = Counts()
    workers = [SimulatedWorker(address, windows, counts, draw.random()) for _ in range(options.workers)]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    while counts.attached < options.workers:  # noqa: ASYNC110  # a count of many workers has no event
        await asyncio.sleep(0.1)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = run_service_pb2_grpc.RunServiceStub(channel)
        plan = make_plan(options.seconds + 600.0, options.rate * options.workers)
        run = v1.Run(plan=plan, worker_count=options.workers)
        name = (await stub.CreateRun(wire.CreateRunRequest(run=run))).name
        while counts.acknowledged < options.workers:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        print(
            f"{'second':>6} {'CPU':>7} {'memory':>10} {'windows/s':>10} {'heartbeat p50, p99':>20} {'slowest ack':>12}"
        )
        began_s, first_cpu_s, first = time.monotonic(), cpu_s(pid), counts.acknowledged
        for second in range(10, options.seconds + 1, 10):
            before, before_s, at_s = cpu_s(pid), time.monotonic(), counts.acknowledged
            counts.beats_s.clear()
            counts.slowest_s = 0.0
            await asyncio.sleep(max(0.0, began_s + second - time.monotonic()))
            took_s, beats = time.monotonic() - before_s, sorted(counts.beats_s)
            print(
                f"{second:>6} {(cpu_s(pid) - before) / took_s:>7.1%} {memory_mib(pid):>6.1f} MiB "
                f"{(counts.acknowledged - at_s) / took_s:>10.0f} {beats[len(beats) // 2] * 1e3:>8.1f}, "
                f"{beats[len(beats) * 99 // 100] * 1e3:>7.1f} ms {counts.slowest_s * 1e3:>9.0f} ms",
                flush=True,
            )
        took_s = time.monotonic() - began_s
        share, rate = (cpu_s(pid) - first_cpu_s) / took_s, (counts.acknowledged - first) / took_s
        print(f"all: {share:.1%} of a core, {memory_mib(pid):.1f} MiB, {rate:.0f} windows/s")
        print("within the limits" if share < LIMIT_CPU and memory_mib(pid) < LIMIT_MIB else "OVER THE LIMITS")
        if options.settle:
            await settle(stub, name, pid)
    for task in tasks:
        task.cancel()


async def settle(stub: Any, name: str, pid: int) -> None:
    """Stop the run and print what judging takes."""
    await stub.StopRun(wire.StopRunRequest(name=name))
    before, peak = cpu_s(pid), 0.0
    while (run := await stub.GetRun(wire.GetRunRequest(name=name))).state < v1.Run.SUCCEEDED:
        await asyncio.sleep(0.2)
        peak = max(peak, memory_mib(pid))
    print(f"settled as {run.verdict}: {cpu_s(pid) - before:.1f} s of CPU, at most {peak:.1f} MiB")


def main() -> None:
    """Start a server, measure, end it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--profile", help="write a cProfile of the server's main thread to this file")
    parser.add_argument("--settle", action="store_true", help="also stop the run and measure its judging")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        profile = ("-m", "cProfile", "-o", options.profile) if options.profile else ()
        arguments = ["serve", "--listen", "127.0.0.1:0", "--http", "", "--store", f"sqlite:///{folder}/store.db"]
        server = subprocess.Popen(
            [sys.executable, *profile, "-m", "burstline.client", *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            os.sched_setaffinity(server.pid, {0})
            assert server.stdout is not None
            address = server.stdout.readline().split()[2].rstrip(",;")
            asyncio.run(measure(options, address, server.pid))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main()
