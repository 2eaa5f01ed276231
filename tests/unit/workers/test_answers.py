"""The fast path of reading an answer, held against aiohttp's parser: the same outcomes from both."""

import asyncio
import zlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from burstline.workers.requests.reading import Reading
from burstline.workers.sending.answers import plain_status
from burstline.workers.sending.connections import Link
from hypothesis import given, settings
from hypothesis import strategies as st

BODY = b'{"stock": 1234}'


def answer(status: str = "200 OK", headers: tuple[str, ...] = ("Content-Length: 15",), body: bytes = BODY) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1") + body


WHOLE = {
    "a length": answer(),
    "a length in lower case": answer(headers=("content-length:15",)),
    "kept alive, and said so": answer(headers=("Connection: keep-alive", "Content-Length: 15")),
    "other headers around it": answer(headers=("Date: x", "Content-Length: 15", "x-amzn-RequestId: y")),
    "no body": answer(headers=("Content-Length: 0",), body=b""),
    "an error": answer("503 Service Unavailable"),
    "no reason phrase": answer("200 "),
}
NOT_PLAIN = {
    "nothing": b"",
    "half a head": answer()[:30],
    "half a body": answer()[:-1],
    "one byte too many": answer() + b"x",
    "two answers": answer() * 2,
    "chunks": answer(headers=("Transfer-Encoding: chunked",), body=b"0\r\n\r\n"),
    "chunks and a length": answer(headers=("Content-Length: 15", "Transfer-Encoding: chunked")),
    "a closing connection": answer(headers=("Connection: close", "Content-Length: 15")),
    "an encoding": answer(headers=("Content-Encoding: gzip", "Content-Length: 15")),
    "an upgrade": answer(headers=("Upgrade: h2c", "Content-Length: 15")),
    "two lengths": answer(headers=("Content-Length: 15", "Content-Length: 15")),
    "a list of lengths": answer(headers=("Content-Length: 15, 15",)),
    "a negative length": answer(headers=("Content-Length: -15",)),
    "a length with a blank before its colon": answer(headers=("Content-Length : 15",)),
    "a length on a folded line": answer(headers=("Content-Length:\r\n 15",)),
    "a line that ends in LF only": answer(headers=("Content-Length: 15\nX: y",)),
    "no length": answer(headers=("Date: x",), body=b""),
    "an interim answer": answer("100 Continue", (), b""),
    "204": answer("204 No Content", ("Content-Length: 0",), b""),
    "304": answer("304 Not Modified", ("Content-Length: 0",), b""),
    "HTTP/1.0": answer().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a status of four digits": answer("2000 OK"),
    "a status that is no number": answer("2x0 OK"),
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_plain_answer_is_read_here(name: str) -> None:
    assert plain_status(WHOLE[name]) == int(WHOLE[name][9:12])


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_anything_else_is_left_to_aiohttp(name: str) -> None:
    assert plain_status(NOT_PLAIN[name]) == 0


class Wire(asyncio.Transport):
    """A transport that only remembers whether it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Told:
    """What a link said, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def answered(self, token: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.events.append(("answered", token, status))

    def freed(self, link: Link) -> None:
        self.events.append(("freed", link.usable))

    def lost(self, link: Link, token: Any) -> None:
        self.events.append(("lost", token))


async def play(exchanges: list[list[bytes]], bare: bool) -> list[tuple[Any, ...]]:
    """What a link says when each exchange's answer arrives in these pieces, and then the connection closes."""
    told, wire = Told(), Wire()
    link = Link(asyncio.get_running_loop())
    link.connection_made(wire)
    link.adopt(told, None)
    reading = Reading(4096, (True,) * 1000, (bare,) * 1000)
    for token, pieces in enumerate(exchanges):
        if not link.usable:
            break
        link.begin(token, b"GET / HTTP/1.1\r\n\r\n", False, reading)
        for piece in pieces:
            if not wire.closing:
                link.data_received(piece)
                for _ in range(5):  # the collector of a longer body is a task
                    await asyncio.sleep(0)
        if not told.events or told.events[-1][0] != "freed":
            break
    link.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    return told.events


def both(exchanges: list[list[bytes]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    async def run() -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        return await play(exchanges, bare=True), await play(exchanges, bare=False)

    return asyncio.run(run())


@pytest.mark.parametrize("name", [*WHOLE, *(name for name in NOT_PLAIN if name not in ("nothing", "two answers"))])
def test_each_kind_of_answer_has_the_same_outcome_on_both_paths(name: str) -> None:
    fast, slow = both([[{**WHOLE, **NOT_PLAIN}[name]], [answer()]])
    assert fast == slow


compressed = zlib.compress(BODY)
kinds = st.sampled_from(
    [
        answer(),
        answer("500 Internal Server Error"),
        answer("204 No Content", (), b""),
        answer(headers=("Transfer-Encoding: chunked",), body=b"f\r\n" + BODY + b"\r\n0\r\n\r\n"),
        answer(headers=("Connection: close", "Content-Length: 15")),
        answer(headers=("Content-Encoding: deflate", f"Content-Length: {len(compressed)}"), body=compressed),
        answer(headers=("Content-Length: 70000",), body=b"x" * 70_000),
        answer(headers=("Connection: Keep-Alive", "Content-Length: 0"), body=b""),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
        b"HTTP/1.1 2",
        b"nonsense\r\n\r\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(kinds, st.lists(st.integers(1, 200), max_size=3)), min_size=1, max_size=6))
def test_any_row_of_answers_however_cut_has_the_same_outcomes_on_both_paths(
    exchanges: list[tuple[bytes, list[int]]],
) -> None:
    rows = []
    for data, cuts in exchanges:
        edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
        rows.append([data[low:high] for low, high in pairwise(edges)])
    fast, slow = both(rows)
    assert fast == slow
