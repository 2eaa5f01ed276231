"""Processes that a command started, as Linux's /proc has them."""

from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they did."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    own = [int(child) for child in text.split()]
    return own + [child for parent in own for child in children_of(parent)]


def command_of(pid: int) -> str:
    """Return the command line of a process that has not ended."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def is_alive(pid: int) -> bool:
    """Whether a process has not ended, be it waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends between opening and reading
        return False
