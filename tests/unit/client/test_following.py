"""Following a run: to its end, through a server that goes away, and with a user who stops it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from burstline.client.errors import ClientError, ServerFailed, ServerUnreachable
from burstline.client.running import following
from burstline.client.running.following import follow
from burstline.client.running.signals import StopAsked
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as runs

RUNNING = runs.RunProgress(run=v1.Run(name="runs/a", state=v1.Run.RUNNING))
ENDED = runs.RunProgress(run=v1.Run(name="runs/a", state=v1.Run.SUCCEEDED), final=True)


class FakeConnection:
    """Plays one script per call of `watch`: updates, and an error to end with."""

    def __init__(self, *scripts: Sequence[runs.RunProgress | Exception]) -> None:
        self.scripts = list(scripts)
        self.stopped: list[str] = []
        self.stop = asyncio.Event()

    async def watch(self, name: str) -> AsyncIterator[runs.RunProgress]:
        for step in self.scripts.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step
        await self.stop.wait()
        yield ENDED

    async def stop_run(self, name: str) -> runs.StopRunResponse:
        self.stopped.append(name)
        self.stop.set()
        return runs.StopRunResponse(stopped_worker_count=1, unreachable_worker_count=1)


class FakeView:
    def __init__(self) -> None:
        self.shown: list[runs.RunProgress] = []
        self.said: list[str] = []

    def show(self, progress: runs.RunProgress) -> None:
        self.shown.append(progress)

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RECONNECT_EVERY_S", 0.0)


async def watch(connection: FakeConnection, view: FakeView, asked: StopAsked, **options: object) -> object:
    settings = {"stops_run": True, **options}
    return await follow(connection, "runs/a", view, asked, **settings)  # type: ignore[arg-type]  # a fake connection


async def test_every_update_is_shown_and_the_final_one_returned() -> None:
    view = FakeView()
    assert await watch(FakeConnection([RUNNING, ENDED]), view, StopAsked()) is ENDED
    assert view.shown == [RUNNING, ENDED]


async def test_a_server_that_comes_back_is_said_and_followed_on() -> None:
    view = FakeView()
    away = ServerUnreachable("nothing answers")
    assert await watch(FakeConnection([RUNNING, away], [away], [ENDED]), view, StopAsked()) is ENDED
    assert [text.split(";")[0] for text in view.said] == ["the server does not answer", "the server is back"]


async def test_a_server_that_stays_away_ends_the_following_with_what_to_do() -> None:
    clock = iter(float(second) for second in range(0, 1000, 20))
    connection = FakeConnection(*[[ServerUnreachable("nothing answers at x")] for _ in range(10)])
    with pytest.raises(ClientError, match=r"nothing answers at x\. .*burstline show a"):
        await watch(connection, FakeView(), StopAsked(), now_s=lambda: next(clock))


async def test_another_error_of_the_server_ends_the_following_at_once() -> None:
    with pytest.raises(ServerFailed):
        await watch(FakeConnection([ServerFailed("broken")]), FakeView(), StopAsked())


async def test_the_first_signal_stops_the_run_and_waits_for_its_end() -> None:
    asked, view, connection = StopAsked(), FakeView(), FakeConnection([RUNNING])
    asked.event.set()
    last = await watch(connection, view, asked)
    assert last is ENDED
    assert connection.stopped == ["runs/a"]
    assert any("cannot be reached; they stop when their lease ends" in text for text in view.said)


async def test_a_signal_while_only_watching_leaves_the_run_alone() -> None:
    asked, connection = StopAsked(), FakeConnection([RUNNING])
    asked.event.set()
    assert await watch(connection, FakeView(), asked, stops_run=False) is None
    assert connection.stopped == []
