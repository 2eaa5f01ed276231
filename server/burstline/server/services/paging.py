"""Pages of lists: how many rows one has, and the tokens that say where the next one begins."""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

from burstline.server.errors import InvalidRequest
from burstline.wire.errors import Violation

DEFAULT_PAGE = 50
LARGEST_PAGE = 1_000

T = TypeVar("T")


def page_size(asked: int) -> int:
    """Return a page size, 1 to 1,000; 0 asks for 50. Raises InvalidRequest if negative."""
    if asked < 0:
        raise InvalidRequest([Violation("page_size", f"{asked} is negative; allowed are 1 to {LARGEST_PAGE}")])
    return min(asked or DEFAULT_PAGE, LARGEST_PAGE)


def row_token(create_nanos: int, row_id: str) -> str:
    """Return the token of the page after a row, given when it was created (ns since 1970) and its id."""
    return _hidden(f"{create_nanos}/{row_id}")


def row_of(token: str) -> tuple[int, str] | None:
    """Return creation (ns since 1970) and id of the row before a page; None for the first. Raises InvalidRequest."""

    def parse(text: str) -> tuple[int, str]:
        created, _, last = text.partition("/")
        return int(created), last

    return _parsed(token, parse) if token else None


def offset_token(offset: int) -> str:
    """Return the token of the page that begins at an offset, >= 0."""
    return _hidden(str(offset))


def offset_of(token: str) -> int:
    """Return the offset at which a page begins; 0 for the first. Raises InvalidRequest."""
    return _parsed(token, int) if token else 0


def _hidden(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _parsed(token: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, binascii.Error) as error:
        raise InvalidRequest([Violation("page_token", "it is not one that this server gave")]) from error
