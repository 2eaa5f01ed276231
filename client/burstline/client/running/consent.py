"""Asks once before an embedded run sends to a host that the user never agreed to."""

import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from burstline.client.errors import UsageError
from burstline.client.wording import count_text, rate_text, span_text

if TYPE_CHECKING:
    from burstline.core.quota.ahead import Ahead


def host_of(url: str) -> str:
    """Return the host of a URL in lower case, "" if it has none."""
    return (urlsplit(url).hostname or "").lower()


def is_loopback(host: str) -> bool:
    """Return whether a host name means this machine whatever DNS says."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def question(host: str, ahead: "Ahead") -> str:
    """Return what the user is asked: host, requests and estimated cost."""
    from burstline.core.quota.ahead import usd_text

    users = " plus what its users send" if ahead.closed else ""
    cost = "not known" if ahead.cost_usd is None else f"about {usd_text(ahead.cost_usd)} at list prices"
    return (
        f"This plan sends {count_text(ahead.request_count)} requests{users} to {host} "
        f"in {span_text(ahead.duration_s)}, up to {rate_text(ahead.peak_per_s)}; estimated cost: {cost}. Go on?"
    )


def obtain_consent(
    url: str,
    ahead: "Callable[[], Ahead]",
    *,
    yes: bool,
    known: Path,
    ask: Callable[[str], bool],
    terminal: bool | None = None,
) -> None:
    """Return if the user agrees to send to a URL's host, now, earlier or by `--yes`; remember it.

    Args:
        url: the target's.
        ahead: returns what the plan will do; called only if there is a question.
        yes: the `--yes` flag.
        known: file of hosts agreed to earlier.
        ask: puts a question and returns the answer.
        terminal: whether there is someone to ask; by default, whether standard input is a terminal.

    Raises:
        UsageError: the user declined, or there is no terminal to ask on.
    """
    host = host_of(url)
    if is_loopback(host) or host in _known(known):
        return
    if not yes:
        there = sys.stdin.isatty() if terminal is None else terminal
        asked = question(host, ahead())
        if not there:
            raise UsageError(f"{asked} There is no terminal to ask on: add --yes to agree. Nothing was sent")
        if not ask(asked):
            raise UsageError("declined; nothing was sent")
    with known.open("a", encoding="utf-8") as file:
        file.write(f"{host}\n")


def _known(file: Path) -> set[str]:
    try:
        return set(file.read_text(encoding="utf-8").split())
    except FileNotFoundError:
        return set()
