"""Answers as bytes: what is constant is joined once, the rest (ids, date) is put in per request."""

from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from random import Random

from burstline.core.load.plan import Front
from burstline.emulator.answers import Answer

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What a request gets that is no HTTP/1.1."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client that sent `Expect: 100-continue` waits for before it sends the body."""

_ID_HEADERS = {
    Front.REST: b"x-amzn-RequestId: %08x-0000-4000-8000-%012x\r\nx-amz-apigw-id: %08x%06x=\r\n",
    Front.HTTP: b"Apigw-Requestid: %08x%06x=\r\n",
    Front.FUNCTION_URL: b"x-amzn-RequestId: %08x-0000-4000-8000-%012x\r\n",
    Front.LAMBDA: b"x-amzn-RequestId: %08x-0000-4000-8000-%012x\r\n",
    Front.ALB: b"Server: awselb/2.0\r\n",
    Front.PLAIN: b"",
}


_KNOWN_STATUSES = frozenset(int(status) for status in HTTPStatus)


class Encoder:
    """Writes the answers of one front.

    Args:
        front: which headers with request ids the answers carry.
        seed: of the ids.
    """

    __slots__ = ("_date", "_date_until_s", "_heads", "_id_format", "_id_parts", "_number", "_salt")

    def __init__(self, front: Front, seed: int) -> None:
        self._id_format = _ID_HEADERS[front]
        self._id_parts = self._id_format.count(b"%")
        self._salt = Random(seed).getrandbits(32)
        self._number = count(1)
        self._heads: dict[Answer, bytes] = {}
        self._date = b""
        self._date_until_s = -1.0

    def encode(self, answer: Answer, now_s: float, *, keep_alive: bool, head: bool) -> bytes:
        """Return the whole response.

        Args:
            answer: what to say.
            now_s: seconds on a monotonic clock; decides only when the `Date` is made anew, once a second.
            keep_alive: the connection stays open.
            head: the request was a HEAD: all headers, no body.
        """
        start = self._heads.get(answer)
        if start is None:
            start = self._heads[answer] = _constant_part(answer)
        if now_s >= self._date_until_s:
            self._date = b"Date: " + formatdate(usegmt=True).encode() + b"\r\n"
            self._date_until_s = now_s + 1.0
        ending = b"\r\n" if keep_alive else b"Connection: close\r\n\r\n"
        return start + self._ids() + self._date + ending + (b"" if head else answer.body)

    def _ids(self) -> bytes:
        if self._id_parts == 0:
            return self._id_format
        salt, number = self._salt, next(self._number)
        return self._id_format % ((salt, number) * (self._id_parts // 2))


def _constant_part(answer: Answer) -> bytes:
    reason = HTTPStatus(answer.status).phrase if answer.status in _KNOWN_STATUSES else "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {reason}"]
    # 204 has neither a body nor a length: RFC 9110, 8.6.
    if answer.status != HTTPStatus.NO_CONTENT:
        lines += [f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return ("\r\n".join(lines) + "\r\n").encode()
