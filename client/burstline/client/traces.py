"""Traces of a command, if the environment asks for them."""

import contextlib
from collections.abc import Iterator

import click

from burstline.core import tracing
from burstline.wire.traces import missing, traced


def say_if_missing() -> None:
    """Say in a sentence that traces are asked for and cannot be had."""
    if sentence := missing():
        click.echo(f"note: {sentence}", err=True)


@contextlib.contextmanager
def traced_command(name: str) -> Iterator[None]:
    """Trace a command that ends by itself, as one span above all others."""
    say_if_missing()
    with traced(f"burstline-{name}"), tracing.span(f"burstline {name}"):
        yield
