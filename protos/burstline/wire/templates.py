"""Templates in plans: `{{ name }}` in the strings of a request, in Jinja's sandbox."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Jinja is imported for the first template: most plans have none, and each process would pay for it
    from jinja2.sandbox import SandboxedEnvironment

BUILT_IN_NAMES = frozenset({"run", "n", "uuid"})
"""Names that every plan has: `run.id`, the arrival's number, and a fresh UUID per request."""


@cache
def environment() -> "SandboxedEnvironment":
    """Return what compiles templates. Plans come over the network: attributes and calls that reach Python are shut."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


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
    from jinja2 import TemplateError, meta, nodes

    try:
        tree = environment().parse(text)
    except TemplateError as error:
        raise ValueError(f"this is not a template: {error.message}") from error
    if any(tree.find_all((nodes.For, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
        raise ValueError("loops and includes are not allowed in a plan's templates")
    return frozenset(meta.find_undeclared_variables(tree))
