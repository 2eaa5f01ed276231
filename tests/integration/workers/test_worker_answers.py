"""Answers of every framing over real connections, whole and broken ones."""

import asyncio
from typing import Any

import pytest
from played.trial import Trial

BODIES = {
    "/empty": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "/chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    "/none": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "/interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
    "/redirect": (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", b""),
    "/throttled": (b"HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\nX-Why: rate\r\n\r\nslow", b"slow"),
}


async def test_responses_of_every_framing_are_read_over_one_connection_and_redirects_are_not_followed(
    target: Any, trial: Trial
) -> None:
    async def by_path(line: str, writer: asyncio.StreamWriter) -> None:
        writer.write(BODIES[line.split(" ")[1]][0])

    target.behaviour = by_path
    for path in BODIES:
        flight = trial.send(path=path)
        await trial.settled()
        assert trial.bodies[flight.number] == BODIES[path][1], path
    assert list(trial.outcomes.values()) == ["204", "200", "200", "200", "302", "429"]
    assert trial.headers[5]["x-why"] == "rate"
    assert (target.connections, len(target.requests)) == (1, len(BODIES))


async def test_a_body_in_pieces_is_read_to_its_end_and_the_connection_goes_on(target: Any, trial: Trial) -> None:
    async def pieces(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n")
        for _piece in range(6):
            writer.write(b"x" * 100_000)
            await asyncio.sleep(0.002)

    target.behaviour = pieces
    for _ in range(2):
        trial.send()
        await trial.settled()
    assert list(trial.outcomes.values()) == ["200", "200"]
    assert len(trial.bodies[0]) >= 4096
    assert target.connections == 1


async def test_a_body_without_length_ends_with_its_connection(target: Any, trial: Trial) -> None:
    async def until_closed(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await asyncio.sleep(0.01)
        writer.write(b"def")
        await writer.drain()
        writer.close()

    target.behaviour = until_closed
    trial.send()
    await trial.settled()
    assert (trial.outcomes[0], trial.bodies[0]) == ("200", b"abcdef")
    assert trial.sender.open_count == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", id="a body cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="a chunk cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="a head cut off"),
        pytest.param(b"complete nonsense\r\n\r\n", id="no HTTP at all"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n", id="a broken chunk"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_an_incomplete_or_unreadable_answer_is_no_response(target: Any, trial: Trial, answer: bytes) -> None:
    async def cut(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()

    target.behaviour = cut
    flight = trial.send()
    await trial.settled()
    assert trial.outcomes == {0: "unreachable.no_response"}
    assert flight.on_wire
    assert len(target.requests) == 1
    assert trial.sender.open_count == 0


async def test_head_has_no_body_and_the_next_get_has_one(target: Any, trial: Trial) -> None:
    async def by_method(line: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if line.startswith("HEAD") else b"ok"))

    target.behaviour = by_method
    for method in ("GET", "HEAD", "HEAD", "GET"):
        trial.send(method)
        await trial.settled()
    assert [trial.bodies[n] for n in range(4)] == [b"ok", b"", b"", b"ok"]
    assert target.connections == 1


async def test_an_answer_to_nothing_closes_the_connection(target: Any, trial: Trial) -> None:
    async def twice(_: str, writer: asyncio.StreamWriter) -> None:
        await target.answer(_, writer)
        await target.answer(_, writer)

    target.behaviour = twice
    trial.send()
    await trial.settled()
    await trial.until(lambda: not trial.sender.open_count)
    target.behaviour = target.answer
    trial.send()
    await trial.settled()
    assert list(trial.outcomes.values()) == ["200", "200"]
    assert target.connections == 2
