"""The fast path of reading: an answer of which only the status matters, and which came whole in one piece.

aiohttp's parser builds a header map and a stream for every answer; for one that meets `expect` nobody looks at them,
and they cost a third of a request. So an answer that is plainly framed is measured here, and everything else (chunks,
encodings, a closing connection, a piece of an answer, another HTTP version, anything unusual) goes through aiohttp.
Both ways come to the same outcome: a property test holds them together.
"""

import re

_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|content-encoding|upgrade|trailer)([^\r\n]*)", re.IGNORECASE
)
_LENGTH = re.compile(rb":[ \t]*([0-9]{1,12})[ \t]*", re.ASCII)
_KEPT = re.compile(rb":[ \t]*keep-alive[ \t]*", re.IGNORECASE)
_WITHOUT_BODY = frozenset({204, 304})


def plain_status(data: bytes) -> int:
    """Return the status of a response, 200..599, or 0 if `data` is not exactly one whole, plainly framed response."""
    if data[:9] != b"HTTP/1.1 " or data[12:13] != b" ":
        return 0
    digits = data[9:12]
    end = data.find(b"\r\n\r\n")
    if end < 0 or not digits.isdigit():
        return 0
    status = int(digits)
    if not 200 <= status < 600 or status in _WITHOUT_BODY:
        return 0
    if data.count(b"\n", 0, end) != data.count(b"\r\n", 0, end) or b"\0" in data[:end]:
        return 0
    length = -1
    for name, rest in _FRAMING.findall(data, 12, end):
        kind = name.lower()
        if kind == b"content-length":
            found = _LENGTH.fullmatch(rest)
            if found is None or length >= 0:
                return 0
            length = int(found[1])
        elif kind != b"connection" or _KEPT.fullmatch(rest) is None:
            return 0
    return status if length >= 0 and len(data) == end + 4 + length else 0
