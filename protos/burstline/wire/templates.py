"""Templates in plans: `{{ name }}` in the strings of a request, in a small part of Jinja, in its sandbox.

Plans come over the network. What they may say is a closed list: no calls, no assignments, no loops, nothing that could
reach Python, a file, or a gigabyte of text.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Jinja is imported for the first template: most plans have none, and each process would pay for it
    from jinja2.sandbox import SandboxedEnvironment

_SAID = {"For": "loops", "Include": "includes", "Call": "calls", "Assign": "assignments", "Pow": "powers"}

BUILT_IN_NAMES = frozenset({"run", "n", "uuid"})
"""Names that every plan has: `run.id`, the arrival's number, and a fresh UUID per request."""


FILTERS = frozenset(
    "abs capitalize d default first float int last length lower round string title tojson trim upper urlencode".split()
)
"""Filters of Jinja's that a template may use: their results are no longer than what they are given, by much."""

ALLOWED = frozenset(
    "Template Output TemplateData Name Const If CondExpr Compare Operand And Or Not Neg Pos Add Sub Mul Div FloorDiv "
    "Mod Concat Filter Test Getattr Getitem Slice Keyword List Tuple".split()
)
"""Kinds of nodes of Jinja's syntax tree."""


@cache
def environment() -> "SandboxedEnvironment":
    """Return what compiles templates. Attributes that reach Python are shut, and texts are not multiplied."""
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Numbers(ImmutableSandboxedEnvironment):
        """Multiplies and divides numbers only: a text times a number, or a text as a format, may be of any length."""

        intercepted_binops = frozenset({"*", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if not (isinstance(left, int | float) and isinstance(right, int | float)):
                raise SecurityError(f"{operator} is for numbers")
            return super().call_binop(context, operator, left, right)

    return Numbers(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


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
    for node in (tree, *tree.find_all(nodes.Node)):
        kind = type(node).__name__
        if kind not in ALLOWED:
            raise ValueError(f"{_SAID.get(kind, kind.lower())} are not allowed in a plan's templates")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise ValueError(f"there is no filter {node.name!r} here; allowed are {', '.join(sorted(FILTERS))}")
    return frozenset(meta.find_undeclared_variables(tree))
