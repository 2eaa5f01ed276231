"""The command `burstline`, which is also `python -m burstline.client`."""

import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstline.client.running.children import Children

YOUNG_COUNT = 200_000
"""Objects between two passes of the garbage collector: importing makes a hundred thousand, and drops none of them."""


def main() -> None:
    """Run the command line and exit."""
    gc.set_threshold(YOUNG_COUNT)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some takes longer than reading a plan
    with _engine_for(sys.argv[1:]) as children:
        from burstline.client.cli import cli

        cli(prog_name="burstline", obj=children)


@contextmanager
def _engine_for(arguments: Sequence[str]) -> Iterator["Children | None"]:
    """Begin the engine of an embedded run, before even the command line is read in earnest; ends it with the block.

    It has more to import than this process: each hundredth of a second that it begins earlier is won.
    """
    if not is_embedded_run(arguments, os.environ):
        yield None
        return
    from burstline.client.running.children import Children

    with Children() as children:
        children.begin_engine(fork=True)
        yield children


def is_embedded_run(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether a command line is a `run` without a server of its own; only a guess, that costs a process."""
    elsewhere = ("--server", "--help", "-h")
    if "BURSTLINE_SERVER" in environment or any(one.startswith(elsewhere) for one in arguments):
        return False
    return arguments[:1] == ["run"] and len(arguments) > 1


if __name__ == "__main__":
    main()
