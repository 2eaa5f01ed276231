"""Traces of what a process does, for whoever debugs the control plane: off, and nearly free, until `use` is called.

A span is a stretch of work with a name; the spans under it are its parts. What reads and sends them is not known here:
see `burstline.wire.otlp`. Attributes are ids, names, counts and codes, never what a plan, a request or an error says.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol

Value = str | int | float | bool
PREFIX = "burstline."
"""Before the names of attributes that are ours; those with a dot are OpenTelemetry's own."""


class Kind(StrEnum):
    """Which end of a call a span is."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"


class Span(Protocol):
    """A stretch of work under way."""

    @property
    def context(self) -> str:
        """As W3C's `traceparent`, for a call or message that carries it on; "" while traces are off."""
        ...

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes."""

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Note that something happened now."""

    def fail(self, what: str) -> None:
        """Mark it as failed, once; `what` is a class or code of errors, never their text."""

    def end(self, end_nanos: int | None = None) -> None:
        """End it, now or at a moment of the wall clock."""


class Tracer(Protocol):
    """Begins spans."""

    def begin(
        self, name: str, parent: "Span | str", kind: Kind, attributes: Mapping[str, Value], start_nanos: int | None
    ) -> Span:
        """Begin a span now, or at a moment of the wall clock; `parent` may be another process's `traceparent`."""
        ...


class _Off:
    """Stands for a span while traces are off, and for the parent of a first one."""

    context = ""

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Do nothing."""

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Do nothing."""

    def fail(self, what: str) -> None:
        """Do nothing."""

    def end(self, end_nanos: int | None = None) -> None:
        """Do nothing."""


OFF: Span = _Off()
_current: ContextVar[Span] = ContextVar("burstline span", default=OFF)
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Trace this process, as logging is set up: once, at its start. None ends it."""
    global _tracer
    _tracer = tracer


def is_on() -> bool:
    """Return whether this process is traced."""
    return _tracer is not None


def current() -> Span:
    """Return the innermost span of this task or thread, to add to, or to carry on."""
    return _current.get()


def event(name: str, **attributes: Value) -> None:
    """Note on the innermost span that something happened now."""
    if _tracer is not None:
        _current.get().event(name, _named(attributes))


def begin(name: str, *, kind: Kind = Kind.INTERNAL, parent: "Span | str | None" = None, **attributes: Value) -> Span:
    """Begin a span that somebody ends; see `span` for a block's.

    Args:
        name: of few: ids are attributes.
        kind: which end of a call it is.
        parent: None is the innermost span, a text another process's `context`; "" begins a trace.
        attributes: see `PREFIX`.
    """
    if _tracer is None:
        return OFF
    return _tracer.begin(name, _current.get() if parent is None else parent, kind, _named(attributes), None)


@contextlib.contextmanager
def span(
    name: str, *, kind: Kind = Kind.INTERNAL, parent: "Span | str | None" = None, **attributes: Value
) -> Iterator[Span]:
    """Trace a block, as `begin`. An exception that leaves it marks the span with its class, and goes on."""
    if _tracer is None:
        yield OFF
        return
    before, found = _current.get(), begin(name, kind=kind, parent=parent, **attributes)
    _current.set(found)
    try:
        yield found
    except Exception as error:  # a cancelled task or an interrupted process is no error
        found.fail(type(error).__name__)
        raise
    finally:
        _current.set(before)  # no reset: a generator may be closed in another context than it was opened in
        found.end()


def record(name: str, parent: Span, start_nanos: int, end_nanos: int, **attributes: Value) -> None:
    """Trace what is over; wall clock."""
    if _tracer is not None:
        _tracer.begin(name, parent, Kind.INTERNAL, _named(attributes), start_nanos).end(end_nanos)


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name if "." in name else f"{PREFIX}{name}": value for name, value in attributes.items()}
