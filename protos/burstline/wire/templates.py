"""Templates in plans: `{{ name }}` in the strings of a request, in Jinja's sandbox."""

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
"""Compiles templates. Plans come over the network, so attributes and calls that reach Python are closed off."""

BUILT_IN_NAMES = frozenset({"run", "n", "uuid"})
"""Names that every plan has: `run.id`, the arrival's number, and a fresh UUID per request."""


def is_template(text: str) -> bool:
    """Return whether a string holds anything to fill in."""
    return "{{" in text or "{%" in text or "{#" in text


def names_in(text: str) -> frozenset[str]:
    """Return the names that a template needs.

    Raises:
        ValueError: it is no template; the message is a sentence with the mistake.
    """
    if not is_template(text):
        return frozenset()
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateError as error:
        raise ValueError(f"this is not a template: {error.message}") from error
    if any(tree.find_all((nodes.For, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
        raise ValueError("loops and includes are not allowed in a plan's templates")
    return frozenset(meta.find_undeclared_variables(tree))
