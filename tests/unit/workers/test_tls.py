"""TLS objects as event loops use them, in memory: whatever way records come, the same bytes, in small blocks."""

import contextlib
import ssl
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from burstline.workers.tls import client_context
from certificates import certify
from hypothesis import given, settings
from hypothesis import strategies as st

ASKED_BYTES = 256 * 1024
"""What uvloop and asyncio ask for at every read."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with the key and certificate of localhost, its own authority."""
    folder = certify(tmp_path_factory.mktemp("tls"))
    path = folder / "both.pem"
    path.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return path


class Pair:
    """A client's and a server's end after their handshake, joined by hand."""

    def __init__(self, certificate: Path, version: ssl.TLSVersion) -> None:
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        theirs.load_cert_chain(certificate)
        ours = client_context()
        ours.load_verify_locations(certificate)
        ours.minimum_version = ours.maximum_version = version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._to_server, self._from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client: Any = ours.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.server = theirs.wrap_bio(self._to_server, self._from_server, server_side=True)
        for _ in range(4):
            for end in (self.client, self.server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                self._to_server.write(self.outgoing.read())
                self.incoming.write(self._from_server.read())
        assert self.client.version() == version.name.replace("_", ".", 1)

    def answer(self, data: bytes) -> bytes:
        """Return what the server puts on the wire for `data`, after what it had to say before."""
        if data:
            self.server.write(data)
        return self._from_server.read()

    def read(self, wire: bytes) -> bytes:
        """Let some bytes of the wire come in, and return what a loop then gets, reading as uvloop does."""
        self.incoming.write(wire)
        found = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while self.incoming.pending or self.client.pending():
                found += self.client.read(ASKED_BYTES)
        return found


@pytest.fixture(scope="module", params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def pair(request: pytest.FixtureRequest, certificate: Path) -> Pair:
    return Pair(certificate, request.param)


def test_reading_a_small_answer_takes_no_large_block_of_memory(pair: Pair) -> None:
    wire = pair.answer(b"x" * 100)
    tracemalloc.start()
    try:
        assert pair.read(wire) == b"x" * 100
        assert tracemalloc.get_traced_memory()[1] < 40_000, "glibc asks the kernel for blocks of 128 KiB and more"
    finally:
        tracemalloc.stop()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=4), st.lists(st.integers(1, 40_000), max_size=12))
def test_answers_of_any_size_over_records_split_anywhere_come_whole_and_in_order(
    pair: Pair, sizes: Sequence[int], cuts: Sequence[int]
) -> None:
    sent = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    wire = b"".join(map(pair.answer, sent))
    found = b""
    for cut in cuts:
        found += pair.read(wire[:cut])
        wire = wire[cut:]
    assert found + pair.read(wire) == b"".join(sent)


def test_a_buffer_that_is_given_is_filled_as_far_as_a_record_goes(pair: Pair) -> None:
    pair.incoming.write(pair.answer(b"y" * 20_000))
    into = bytearray(ASKED_BYTES)
    assert pair.client.read(ASKED_BYTES, into) == 16_384
    assert pair.client.read(ASKED_BYTES, into) == 20_000 - 16_384
    assert into[:16_384] == b"y" * 16_384


def test_the_end_that_the_other_side_announces_is_read_as_the_end(certificate: Path) -> None:
    pair = Pair(certificate, ssl.TLSVersion.TLSv1_3)
    last = pair.answer(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.unwrap()
    assert pair.read(last + pair.answer(b"")) == b"last words"
    assert pair.client.read(ASKED_BYTES) == b""
