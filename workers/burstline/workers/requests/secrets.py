"""References to secrets, `${env:NAME}`: resolved on the worker, when a segment is prepared, and never logged."""

import json
import os
import re
from collections.abc import Mapping

from burstline.wire.templates import is_template
from burstline.workers.errors import CannotPrepare

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def resolve(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return `text` with every `${env:NAME}` replaced by that environment variable's value.

    In a template the value goes in as a literal, so that braces in a secret are not taken for a template.

    Args:
        text: of a plan.
        environment: where to look; None is the process's own.

    Raises:
        CannotPrepare: a variable is not set; the text names the variable, never a value.
    """
    variables = os.environ if environment is None else environment
    template = is_template(text)

    def value_of(match: re.Match[str]) -> str:
        value = variables.get(match[1])
        if value is None:
            raise CannotPrepare(f"the environment variable {match[1]} is not set on the worker")
        return "{{ " + json.dumps(value, ensure_ascii=False) + " }}" if template else value

    return _REFERENCE.sub(value_of, text)
