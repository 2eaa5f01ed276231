"""Expressions of Logs Insights: the part of the language that reports need, read from text and worked out for real.

`term := number | 'text' | field | function(...) | (expression)`, with `* /`, `+ -`, `= != < <= > >=`, `and`, `or`.
A field that a line lacks is None, and so is arithmetic with it. Source: CloudWatch Logs User Guide, "CloudWatch Logs
Insights language query syntax"; read 2026-11-23.
"""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

Line = dict[str, Any]
Expression = Callable[[Line], Any]

_TOKEN = re.compile(r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>"[^"]*"|'[^']*')|(?P<name>[@A-Za-z_][\w.@]*)"""
                    r"""|(?P<sign><=|>=|!=|[-+*/()=<>,]))""")  # fmt: skip


class NotUnderstood(ValueError):
    """The query is not one that this emulator understands."""


def tokens(text: str) -> list[str]:
    """Return the words and signs of an expression; raises NotUnderstood."""
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotUnderstood(f"unexpected: {text[at : at + 20]!r}")
        found.append(match[0].strip())
        at = match.end()
    return found


def number(value: Any) -> float | None:
    """Return a value as a number; None if it is none."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _arithmetic(work: Callable[[float, float], float]) -> Callable[[Any, Any], float | None]:
    def apply(left: Any, right: Any) -> float | None:
        a, b = number(left), number(right)
        return None if a is None or b is None else work(a, b)

    return apply


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _compare(work: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        a, b = number(left), number(right)
        if a is None or b is None:
            return left is not None and right is not None and work(str(left), str(right))
        return work(a, b)

    return apply


_LEVELS: tuple[dict[str, Callable[[Any, Any], Any]], ...] = (
    {"or": lambda a, b: bool(a) or bool(b)},
    {"and": lambda a, b: bool(a) and bool(b)},
    {
        "=": _compare(operator.eq), "!=": _compare(operator.ne), "<": _compare(operator.lt),
        "<=": _compare(operator.le), ">": _compare(operator.gt), ">=": _compare(operator.ge),
    },
    {"+": _arithmetic(operator.add), "-": _arithmetic(operator.sub)},
    {"*": _arithmetic(operator.mul), "/": _arithmetic(_divide)},
)  # fmt: skip


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "coalesce": _coalesce,
    "ispresent": lambda value: int(value is not None),
    "abs": lambda value: None if number(value) is None else abs(float(value)),
}


class Parser:
    """Reads expressions from tokens.

    Args:
        words: of the text.
    """

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    @property
    def next(self) -> str:
        """The next token; "" at the end."""
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self, expected: str = "") -> str:
        """Take the next token, which must be `expected` if that is given; raises NotUnderstood."""
        word = self.next
        if not word or (expected and word.lower() != expected):
            raise NotUnderstood(f"expected {expected or 'more'}, found {word or 'the end'}")
        self._at += 1
        return word

    def expression(self, level: int = 0) -> Expression:
        """Read an expression; raises NotUnderstood."""
        if level == len(_LEVELS):
            return self._term()
        left = self.expression(level + 1)
        while self.next.lower() in _LEVELS[level]:
            left = _binary(_LEVELS[level][self.take().lower()], left, self.expression(level + 1))
        return left

    def _term(self) -> Expression:
        word = self.take()
        if word == "(":
            inner = self.expression()
            self.take(")")
            return inner
        if word[0].isdigit():
            return _constant(float(word))
        if word[0] in "\"'":
            return _constant(word[1:-1])
        if self.next == "(":
            return self._call(word)
        if not (word[0].isalpha() or word[0] in "@_"):
            raise NotUnderstood(f"unexpected {word!r}")
        return lambda line: line.get(word)

    def _call(self, name: str) -> Expression:
        function = _FUNCTIONS.get(name.lower())
        if function is None:
            raise NotUnderstood(f"function {name} is not known here")
        arguments = self.arguments()
        return lambda line: function(*(argument(line) for argument in arguments))

    def arguments(self) -> list[Expression]:
        """Read `(a, b, ...)`; raises NotUnderstood."""
        self.take("(")
        found = []
        while self.next != ")":
            found.append(self.expression())
            if self.next != ")":
                self.take(",")
        self.take(")")
        return found


def _binary(work: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    return lambda line: work(left(line), right(line))


def _constant(value: Any) -> Expression:
    return lambda line: value
