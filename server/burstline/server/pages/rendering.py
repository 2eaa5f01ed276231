"""Templates to pages: one environment, one style sheet, and a policy that forbids whatever a page does not bring."""

import base64
import functools
import hashlib
import importlib.metadata
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from burstline.server.pages.palette import css_variables

PACKAGE = "burstline.server.pages"


def render(template: str, *, scripts: Sequence[str] = (), connects: bool = False, **values: Any) -> str:
    """Return a page.

    Args:
        template: its file's name.
        scripts: the text of its scripts; no other may run in it.
        connects: whether its script may ask its own server; else it can ask nobody.
        values: what the template names.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            policy=policy(scripts, connects=connects),
            scripts=[Markup(script) for script in scripts],  # our own files
            style=Markup(text_of("style.css")),
            light=Markup(css_variables(0)),
            dark=Markup(css_variables(1)),
            version=importlib.metadata.version("burstline"),
            **values,
        )
    )


def policy(scripts: Sequence[str], *, connects: bool = False) -> str:
    """Return the Content-Security-Policy of a page: scripts by their hash, no request but (if `connects`) its own."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    source = "'self'" if connects else "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        f"connect-src {source}; form-action {source}; base-uri 'none'"
    )


@functools.cache
def text_of(name: str) -> str:
    """Return the text of a file beside the templates."""
    return (files(PACKAGE) / "templates" / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
