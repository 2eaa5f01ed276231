"""References to secrets, `${env:NAME}`: resolved on the worker, when a segment is prepared, and never shown.

A target may answer with what it was sent. What of an answer is shown to people goes through `hidden` first.
"""

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from burstline.wire.templates import is_template
from burstline.workers.errors import CannotPrepare

NOT_FOR_PLANS = frozenset(
    "BURSTLINE_TOKEN BURSTLINE_TOKENS BURSTLINE_STORE AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN PGPASSWORD "
    "AWS_CONTAINER_AUTHORIZATION_TOKEN OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_TRACES_HEADERS".split()
)
"""Secrets of the worker's own: whoever may run plans would send them where the plan says."""

HIDDEN = "(hidden)"
SHORTEST = 4
"""Values with fewer characters are no secrets, and would be found in the middle of other words."""

_WORD = re.compile(r"[^\s,;=\"']+")
_TELLING = re.compile(rb"(?i)^[^:\r\n]*(?:auth|key|token|secret|cookie|session|signature|credential)[^:\r\n]*:(.*)$")
"""A header whose value may be a secret."""

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def resolve(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return `text` with every `${env:NAME}` replaced by that environment variable's value.

    In a template the value goes in as a literal, so that braces in a secret are not taken for a template.

    Args:
        text: of a plan.
        environment: where to look; None is the process's own.

    Raises:
        CannotPrepare: a variable is not set, or one of `NOT_FOR_PLANS`; the text names the variable, never a value.
    """
    variables = os.environ if environment is None else environment
    template = is_template(text)

    def value_of(match: re.Match[str]) -> str:
        if match[1] in NOT_FOR_PLANS:
            raise CannotPrepare(f"{match[1]} is the worker's own secret: give what the plan needs another name")
        value = variables.get(match[1])
        if value is None:
            raise CannotPrepare(f"the environment variable {match[1]} is not set on the worker")
        return "{{ " + json.dumps(value, ensure_ascii=False) + " }}" if template else value

    return _REFERENCE.sub(value_of, text)


def secrets_of(plan: object, request: bytes, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what a target that was sent a request may give away: values of references, and what authorizes.

    Args:
        plan: where the references are.
        request: as it was sent, of that plan.
        environment: as in `resolve`.
    """
    variables = os.environ if environment is None else environment
    names = set(_REFERENCE.findall(repr(plan)))
    head = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    values = [match[1].decode("latin-1").strip() for line in head if (match := _TELLING.match(line))]
    words = [word for value in values for word in _WORD.findall(value) if word.lower() not in ("bearer", "basic")]
    return [*(variables[name] for name in names if name in variables), *values, *words]


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, however they are written: as they are, or escaped for a URL, JSON or HTML."""
    forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), HIDDEN, text)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
