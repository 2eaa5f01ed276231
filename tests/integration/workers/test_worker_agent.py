"""The agent against a real gRPC server: prepare, start, send, report, stop, reconnect, lease, takeover."""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from burstline.core.load.plan import (
    Auth,
    AuthKind,
    Ceilings,
    Constant,
    DataFile,
    DataFormat,
    DataOrder,
    Pause,
    Phase,
    Plan,
    Request,
    Target,
    Users,
)
from burstline.core.load.totals import Totals
from burstline.core.load.window import Drop, Window
from burstline.v1 import resources_pb2, run_service_pb2, run_service_pb2_grpc, windows_pb2, worker_service_pb2_grpc
from burstline.v1 import worker_service_pb2 as v1
from burstline.wire.window import window_from_proto
from burstline.workers.agent import run_agent
from burstline.workers.errors import Refused
from burstline.workers.settings import AgentSettings
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

CONTENT = b"sku\nA1\nB2\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def server_ns() -> int:
    """A server's clock far from the worker's."""
    return 1_790_000_000_000_000_000 + time.monotonic_ns()


def window_of(report: v1.WindowReport) -> Window:
    return window_from_proto(windows_pb2.Window.FromString(report.window))


class Server(worker_service_pb2_grpc.WorkerServiceServicer, run_service_pb2_grpc.DataServiceServicer):
    """Plays the control plane, message by message, as a test says."""

    def __init__(self, lease_s: float) -> None:
        self.lease_s, self.closed_lease_s = lease_s, 1.0
        self.hellos: list[v1.Hello] = []
        self.readies: dict[tuple[int, int], v1.Ready] = {}
        self.windows: dict[tuple[int, int, int], v1.WindowReport] = {}
        self.pending: list[v1.WindowAck] = []
        self.repeated = 0
        self.ends: dict[tuple[int, int], v1.SegmentEnd] = {}
        self.preflights: list[v1.PreflightReport] = []
        self.acknowledges = self.answers_heartbeats = True
        self.keeps: bool = True
        self.refusal: status_pb2.Status | None = None
        self.open_count = 0
        self.open_at_hello: list[int] = []
        self._out: asyncio.Queue[v1.AttachResponse | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    async def Attach(self, request_iterator: AsyncIterator[v1.AttachRequest], context: Any) -> AsyncIterator[Any]:
        if self.refusal is not None:
            await context.abort_with_status(rpc_status.to_status(self.refusal))
        out = self._out = asyncio.Queue()
        reader = asyncio.create_task(self._read(request_iterator, out))
        self.open_count += 1
        try:
            while (message := await out.get()) is not None:
                yield message
        finally:
            self.open_count -= 1
            self._changed.set()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[v1.AttachRequest], out: "asyncio.Queue[Any]") -> None:
        async for message in requests:
            match message.WhichOneof("message"):
                case "hello":
                    self.hellos.append(message.hello)
                    self.open_at_hello.append(self.open_count)
                    lease = Duration()
                    lease.FromNanoseconds(int(self.lease_s * 1e9))
                    kept = message.hello.segments if self.keeps else []
                    welcome = v1.Welcome(name="workers/w", lease_duration=lease, segments=kept)
                    welcome.closed_lease_duration.FromNanoseconds(int(self.closed_lease_s * 1e9))
                    out.put_nowait(v1.AttachResponse(welcome=welcome))
                case "heartbeat":
                    self.pending += [self._window(report) for report in message.heartbeat.windows]
                    if self.answers_heartbeats:
                        now, sent = server_ns(), message.heartbeat.sent_nanos
                        reply = v1.HeartbeatReply(sent_nanos=sent, server_received_nanos=now, server_sent_nanos=now)
                        if self.acknowledges:
                            reply.acks.extend(self.pending)
                            self.pending.clear()
                        out.put_nowait(v1.AttachResponse(heartbeat=reply))
                case "ready":
                    self.readies[message.ready.key.segment, message.ready.key.epoch] = message.ready
                case "end":
                    self.ends[message.end.key.segment, message.end.key.epoch] = message.end
                case "preflight":
                    self.preflights.append(message.preflight)
            self._changed.set()

    def _window(self, report: v1.WindowReport) -> v1.WindowAck:
        key = (report.key.segment, report.key.epoch, report.sequence)
        if key in self.windows:
            self.repeated += 1
            assert self.windows[key] == report, "the same window under the same key"
        self.windows[key] = report
        return v1.WindowAck(key=report.key, sequence=report.sequence)

    async def Download(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if request.sha256 != SHA256:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such file")
        yield run_service_pb2.DownloadResponse(content=CONTENT[:4])
        yield run_service_pb2.DownloadResponse(content=CONTENT[4:])

    async def ListWorkers(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    async def Upload(self, request_iterator: Any, context: Any) -> Any:
        raise NotImplementedError

    def say(self, **message: Any) -> None:
        self._out.put_nowait(v1.AttachResponse(**message))

    def hang_up(self) -> None:
        self._out.put_nowait(None)

    async def until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)

    def assign(self, plan: Plan, segment: int = 0, count: int = 1, epoch: int = 1, **more: Any) -> v1.SegmentKey:
        key = v1.SegmentKey(run="runs/r1", segment=segment, epoch=epoch)
        self.say(assign=v1.Assign(key=key, segment_count=count, plan=plan_to_proto(plan), **more))
        return key

    async def start(self, key: v1.SegmentKey, in_s: float = 0.3) -> None:
        await self.until(lambda: (key.segment, key.epoch) in self.readies)
        assert self.readies[key.segment, key.epoch].problem == ""
        self.say(start=v1.Start(key=key, start_nanos=server_ns() + int(in_s * 1e9)))

    async def end(self, key: v1.SegmentKey, timeout_s: float = 15.0) -> v1.SegmentEnd:
        await self.until(lambda: (key.segment, key.epoch) in self.ends, timeout_s)
        return self.ends[key.segment, key.epoch]

    def totals(self) -> Totals:
        totals = Totals()
        for (segment, _, _), report in sorted(self.windows.items()):
            totals.add(segment, window_of(report))
        return totals


class House:
    """A server and an agent attached to it."""

    def __init__(self, server: Server, address: str, grpc_server: grpc.aio.Server) -> None:
        self.server, self.address, self.grpc_server = server, address, grpc_server
        self.stop = asyncio.Event()
        self.agent: asyncio.Task[None] | None = None

    async def attach(self) -> None:
        self.agent = asyncio.create_task(run_agent(AgentSettings(self.address, version="1.2.3"), self.stop))
        await self.server.until(lambda: self.server.hellos)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    servicer = Server(lease_s=10.0)
    server = grpc.aio.server()
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(servicer, server)
    run_service_pb2_grpc.add_DataServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = House(servicer, f"127.0.0.1:{port}", server)
    yield made
    if made.agent is not None:
        made.agent.cancel()
        await asyncio.gather(made.agent, return_exceptions=True)
    await server.stop(0)


def plan_for(target: Any, *load: Phase, **more: Any) -> Plan:
    requests = more.pop("requests", (Request("a", path="/a"),))
    return Plan("p", Target(more.pop("url", target.url)), requests, load or (Phase("c", 2.0, Constant(200)),), **more)


def plan_to_proto(plan: Plan) -> resources_pb2.Plan:
    """Return the message of a plan, as far as these tests use plans."""
    shapes = {Constant: "constant", Pause: "pause", Users: "users"}
    fields: dict[type, Callable[[Any], dict[str, Any]]] = {
        Constant: lambda shape: {"requestCountPerSecond": shape.rate_per_s},
        Pause: lambda _: {},
        Users: lambda shape: {"userCount": shape.users, "thinkDuration": f"{shape.think_s}s"},
    }
    document: dict[str, Any] = {
        "name": plan.name,
        "target": {"url": plan.target.url},
        "requests": [
            {"name": one.name, "method": one.method, "path": one.path, **({"json": one.json} if one.json else {})}
            for one in plan.requests
        ],
        "writesAllowed": plan.writes,
        "load": [
            {
                "name": phase.name,
                "duration": f"{phase.duration_s}s",
                shapes[type(phase.shape)]: fields[type(phase.shape)](phase.shape),
            }
            for phase in plan.load
        ],
    }
    if plan.auth.kind is not AuthKind.NONE:
        document["auth"] = {{AuthKind.API_KEY: "apiKey", AuthKind.BEARER: "bearer"}[plan.auth.kind]: plan.auth.value}
    if plan.data:
        document["data"] = {"sha256": plan.data.sha256, "format": "CSV", "columns": list(plan.data.columns)}
    if plan.ceilings.rate_per_s:
        document["ceilings"] = {"requestCountPerSecond": plan.ceilings.rate_per_s}
    if plan.ceilings.in_flight:
        document["ceilings"] = {"inFlightCount": plan.ceilings.in_flight}
    return ParseDict(document, resources_pb2.Plan())


def position(line: str) -> int:
    match = re.search(r"x-burstline-n: (\d+)", line)
    assert match is not None
    return int(match[1])


async def test_a_segment_goes_the_whole_way_and_its_ledger_is_the_target_s_count(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target))
    await server.start(key)
    end = await server.end(key)
    totals = server.totals()
    load = totals.load()
    assert end.reason == "done"
    assert end.window_count == len(server.windows)
    assert sorted(sequence for _, _, sequence in server.windows) == list(range(end.window_count)), "without gaps"
    assert load.due == 400 == load.sent + sum(load.dropped.values())
    assert load.sent_on_wire == load.sent == len(target.requests) == totals.signatures()["plain.ok"]
    assert max(window_of(report).watermark for report in server.windows.values()) == 400
    assert all("x-burstline-run: r1" in head and "User-Agent: burstline/1.2.3" in head for head in target.requests)
    assert server.readies[0, 1].open_connection_count >= 1


async def test_two_segments_on_one_worker_send_each_arrival_exactly_once(
    house: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSTLINE_MARK_N", "1")
    server = house.server
    await house.attach()
    keys = [server.assign(plan_for(target, Phase("c", 1.0, Constant(150))), segment, 2) for segment in range(2)]
    for key in keys:
        await server.start(key)
    for key in keys:
        assert (await server.end(key)).reason == "done"
    dropped = sum(server.totals().load().dropped.values())
    numbers = sorted(position(head) for head in target.requests)
    assert len(numbers) == len(set(numbers)) == 150 - dropped


async def test_after_a_stop_is_read_nothing_is_sent(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(300))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 150)
    server.say(stop=v1.Stop(key=key))
    end = await server.end(key)
    count = len(target.requests)
    await asyncio.sleep(0.3)
    assert end.reason == "stopped"
    assert len(target.requests) == count == server.totals().load().sent_on_wire
    assert count < 600, "within a second"


async def test_a_stop_before_the_start_ends_the_segment_unsent(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target))
    await server.until(lambda: server.readies)
    server.say(stop=v1.Stop(key=key))
    end = await server.end(key)
    assert (end.reason, end.window_count, target.requests) == ("stopped", 0, [])


async def test_over_a_lost_stream_it_sends_on_and_says_again_what_was_not_acknowledged(
    house: House, target: Any
) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 4.0, Constant(100))))
    server.acknowledges = False
    await server.start(key)
    await server.until(lambda: len(server.windows) >= 2)
    server.hang_up()
    await server.until(lambda: len(server.hellos) == 2)
    server.acknowledges = True
    assert [one.segment for one in server.hellos[1].segments] == [0]
    assert server.hellos[0].worker_id == server.hellos[1].worker_id
    end = await server.end(key)
    assert end.reason == "done"
    assert server.repeated >= 2
    load = server.totals().load()
    assert load.due == 400
    assert load.sent == len(target.requests)


async def test_the_end_comes_only_after_every_window_is_acknowledged(house: House, target: Any) -> None:
    server = house.server
    server.acknowledges = False
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 0.5, Constant(50))))
    await server.start(key)
    await server.until(lambda: server.totals().load().due == 25)
    await asyncio.sleep(0.5)
    assert not server.ends
    server.acknowledges = True
    assert (await server.end(key)).reason == "done"


async def test_without_a_lease_sending_stops_by_itself(house: House, target: Any) -> None:
    server = house.server
    server.lease_s = 1.0
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(200))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 50)
    server.answers_heartbeats = False
    await asyncio.sleep(2.0)
    count = len(target.requests)
    server.answers_heartbeats = True  # else nothing is acknowledged, and the end comes after that
    end = await server.end(key)
    assert end.reason == "lease"
    assert len(target.requests) == count == server.totals().load().sent


async def test_kept_out_by_a_living_server_it_stops_before_another_takes_over(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    server.refusal = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="later")
    server.hang_up()
    await asyncio.sleep(server.closed_lease_s + 0.3)
    count = len(target.requests)
    await asyncio.sleep(0.3)
    assert len(target.requests) == count
    server.refusal = None
    assert (await server.end(key)).reason == "lease"
    assert server.totals().load().sent == count


async def test_when_the_server_is_gone_it_goes_on_under_its_whole_lease(house: House, target: Any) -> None:
    """Nobody listens any more: nobody gives its segment to another."""
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    await house.grpc_server.stop(0)
    await asyncio.sleep(server.closed_lease_s + 0.5)
    count = len(target.requests)
    await asyncio.sleep(0.3)
    assert len(target.requests) >= count + 20


async def test_a_silent_stream_is_given_up_only_after_the_welcome_on_a_new_one(house: House, target: Any) -> None:
    """A stream that closes says that the process is gone: others would send what this worker goes on sending."""
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 7.0, Constant(50))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 10)
    server.answers_heartbeats = False
    await server.until(lambda: len(server.hellos) == 2)
    server.answers_heartbeats = True
    assert server.open_at_hello == [1, 2]
    await server.until(lambda: server.open_count == 1)
    end = await server.end(key)
    assert end.reason == "done"
    assert len(target.requests) == server.totals().load().sent
    assert len(server.hellos) == 2


async def test_a_takeover_starts_in_the_middle_at_its_position(
    house: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSTLINE_MARK_N", "1")
    server = house.server
    await house.attach()
    await asyncio.sleep(0.6)  # a heartbeat is answered
    started = server_ns() - int(1.0e9)
    key = server.assign(
        plan_for(target, Phase("c", 3.0, Constant(100))), 1, 2, epoch=2, from_count=75, start_nanos=started
    )
    end = await server.end(key)
    assert end.reason == "done"
    totals = server.totals()
    assert totals.load().due == 75
    numbers = sorted(position(head) for head in target.requests)
    assert numbers == list(range(301 - 2 * len(numbers), 301, 2))[: len(numbers)]
    assert numbers[0] >= 151
    assert max(window_of(report).watermark for report in server.windows.values()) == 150


async def test_a_higher_epoch_ends_the_lower_one(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    plan = plan_for(target, Phase("c", 60.0, Constant(50)))
    first = server.assign(plan)
    await server.start(first)
    await server.until(lambda: target.requests)
    second = server.assign(plan, epoch=2, from_count=100)
    assert (await server.end(first)).reason == "superseded"
    await server.until(lambda: (0, 2) in server.readies)
    server.say(stop=v1.Stop(key=second))
    await server.end(second)


async def test_segments_that_the_server_does_not_leave_it_are_dropped_but_their_windows_still_come(
    house: House, target: Any
) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    server.keeps = False
    server.hang_up()
    end = await server.end(key)
    assert end.reason == "superseded"
    assert server.totals().load().sent == len(target.requests)


async def test_data_secrets_and_json_reach_the_target(
    house: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "s3cret")
    server = house.server
    await house.attach()
    plan = plan_for(
        target,
        Phase("c", 0.5, Constant(100)),
        requests=(Request("o", method="POST", path="/o/{{ sku }}", json='{"sku": "{{ sku }}", "id": "{{ uuid }}"}'),),
        writes=True,
        auth=Auth(AuthKind.API_KEY, "${env:SHOP_KEY}"),
        data=DataFile(SHA256, DataFormat.CSV, DataOrder.RANDOM, ("sku",)),
    )
    key = server.assign(plan)
    await server.start(key)
    await server.end(key)
    assert set(target.lines) == {"POST /o/A1 HTTP/1.1", "POST /o/B2 HTTP/1.1"}
    assert len(set(target.bodies)) == len(target.requests) > 40
    assert all("x-api-key: s3cret" in head for head in target.requests)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"url": "http://shop.example.com"}, "--allow shop.example.com", id="a host not allowed"),
        pytest.param({"url": "http://127.0.0.1:1"}, "no connection to http://127.0.0.1:1", id="nobody there"),
        pytest.param({"auth": Auth(AuthKind.BEARER, "${env:NOT_SET_ANYWHERE}")}, "NOT_SET_ANYWHERE", id="no secret"),
        pytest.param(
            {"data": DataFile("0" * 64, DataFormat.CSV, DataOrder.RANDOM, ("sku",))},
            "could not be fetched",
            id="no file",
        ),
    ],
)
async def test_a_segment_that_cannot_start_says_why_and_sends_nothing(
    house: House, target: Any, change: dict[str, Any], problem: str
) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, **change))
    await server.until(lambda: server.readies)
    assert problem in server.readies[0, 1].problem
    assert (await server.end(key)).window_count == 0
    assert target.requests == []


async def test_preflight_sends_one_marked_request_per_name_and_shows_what_it_saw(house: House, target: Any) -> None:
    async def answer(line: str, writer: asyncio.StreamWriter) -> None:
        status = b"403 Forbidden" if "/b" in line else b"200 OK"
        extra = b"x-amzn-RequestId: 1\r\nx-amz-apigw-id: 2\r\nX-Cache: Miss from cloudfront\r\n"
        writer.write(b"HTTP/1.1 " + status + b"\r\n" + extra + b"Content-Length: 4\r\n\r\nnope")

    target.behaviour = answer
    server = house.server
    await house.attach()
    plan = plan_for(target, requests=(Request("a", path="/a"), Request("b", path="/b")))
    server.say(preflight=v1.Preflight(run="runs/r1", plan=plan_to_proto(plan)))
    await server.until(lambda: server.preflights)
    report = server.preflights[0]
    first, second = report.answers
    assert (report.run, report.sent_count, len(target.requests)) == ("runs/r1", 2, 2)
    assert all("x-burstline-preflight: 1" in head for head in target.requests)
    assert (first.request, first.address, first.status, first.signature) == ("a", "127.0.0.1", 200, "plain.ok")
    assert first.front == 1, "REST, from its headers"
    assert list(first.cache_headers) == ["x-cache: Miss from cloudfront"]
    assert (first.tls, first.problem) == ("", "")
    assert second.status == 403
    assert "refused us with 403: nope" in second.problem


async def test_preflight_of_a_dead_target_says_so(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    server.say(preflight=v1.Preflight(run="runs/r1", plan=plan_to_proto(plan_for(target, url="http://127.0.0.1:1"))))
    await server.until(lambda: server.preflights)
    (answer,) = server.preflights[0].answers
    assert (answer.status, answer.address, server.preflights[0].sent_count) == (0, "", 0)
    assert "unreachable.connect" in answer.problem


async def test_ceilings_drop_and_never_delay(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    plan = plan_for(target, Phase("c", 2.0, Constant(200)), ceilings=Ceilings(rate_per_s=50.0))
    key = server.assign(plan)
    await server.start(key)
    await server.end(key)
    load = server.totals().load()
    assert load.due == 400
    assert 95 <= load.sent <= 101
    assert load.dropped[Drop.CEILING] == pytest.approx(300, abs=10)


async def test_a_slow_target_fills_the_slots_and_does_not_slow_the_schedule(house: House, target: Any) -> None:
    async def slow(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await target.answer(_, writer)

    target.behaviour = slow
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 1.0, Constant(100)), ceilings=Ceilings(in_flight=10)))
    await server.start(key)
    await server.end(key)
    load = server.totals().load()
    assert load.due == 100
    assert load.dropped[Drop.SLOTS] == pytest.approx(80, abs=5)
    assert len(target.requests) == load.sent


async def test_closed_model_users_send_after_a_pause_phase(house: House, target: Any) -> None:
    async def slow(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await target.answer(_, writer)

    target.behaviour = slow
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("p", 0.5, Pause()), Phase("u", 1.0, Users(4, 0.05))))
    await server.start(key)
    await server.end(key)
    totals = server.totals()
    assert totals.load().sent == len(target.requests) == pytest.approx(40, abs=8)
    assert set(totals.loads) == {1}
    assert totals.lateness.count == 0


async def test_another_version_is_a_sentence_and_no_second_try(house: House) -> None:
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason="VERSION_MISMATCH", domain="burstline"))
    house.server.refusal = status_pb2.Status(
        code=code_pb2.FAILED_PRECONDITION, message="server 2.0.0, worker 1.2.3", details=[detail]
    )
    with pytest.raises(Refused, match=r"another version.*1\.2\.3.*Install the same version"):
        await run_agent(AgentSettings(house.address, version="1.2.3"))


async def test_a_wrong_token_is_refused_for_good(house: House) -> None:
    house.server.refusal = status_pb2.Status(code=code_pb2.UNAUTHENTICATED, message="no such token")
    with pytest.raises(Refused, match="no such token"):
        await run_agent(AgentSettings(house.address, token="wrong"))


async def test_a_server_that_comes_later_is_found_within_seconds(house: House) -> None:
    house.server.refusal = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="starting")
    task = asyncio.create_task(run_agent(AgentSettings(house.address), house.stop))
    await asyncio.sleep(0.5)
    house.server.refusal = None
    await house.server.until(lambda: house.server.hellos, 3.0)
    house.stop.set()
    await asyncio.wait_for(task, 3.0)


async def test_told_to_end_it_stops_sending_and_delivers_its_windows(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    house.stop.set()
    assert house.agent is not None
    await asyncio.wait_for(house.agent, 5.0)
    await server.end(key, 1.0)
    assert server.totals().load().sent == len(target.requests)
