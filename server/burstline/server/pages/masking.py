"""What of a plan is shown: everything but what could be a secret. Plans hold references; this is the second lock."""

import re
from typing import Any

HIDDEN = "(hidden)"
_SECRET = re.compile(r"auth|cookie|token|secret|passw|api.?key|credential|signature|session", re.IGNORECASE)
_REFERENCE = re.compile(r"\A[A-Za-z ]*(\$\{[^}]*\}|\{\{[^}]*\}\})\Z")
_IN_QUERY = re.compile(
    r"(?i)([?&][^=&\s]*(?:auth|token|secret|passw|api.?key|credential|signature|session)[^=&\s]*=)[^&\s]+"
)
_IN_URL = re.compile(r"(://)[^/@\s]+@")


def masked(value: Any, name: str = "") -> Any:
    """Return a JSON value with every string hidden that stands under a secret's name, unless it is a mere reference.

    Lists of [name, value] pairs (headers, query) count as named values; a URL loses its user and its secret queries.
    """
    if isinstance(value, dict):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], str):
            return [value[0], masked(value[1], value[0])]
        return [masked(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if _SECRET.search(name) and value and not _REFERENCE.match(value):
        return HIDDEN
    return _IN_URL.sub(r"\1", _IN_QUERY.sub(rf"\1{HIDDEN}", value))
