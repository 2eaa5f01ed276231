"""What a fleet is called in AWS, so that nothing has to be remembered on the machine that started it.

A fleet's id names the family of its task definitions and the `startedBy` of its tasks, and is a tag of both. The
definitions' tags also say in which cluster the tasks are: `down` finds all of it from the id alone.
"""

import re
import secrets

PREFIX = "burstline-fleet-"
ID_TAG = "burstline:fleet"
CLUSTER_TAG = "burstline:cluster"
SETTINGS_TAG = "burstline:settings"
"""A digest of what the tasks run, by which a second `up` knows whether it means the same."""

MOST_ID_LENGTH = 20
"""With the prefix 36 characters; `startedBy` takes 128 (Amazon ECS API Reference, RunTask, read 2026-11-23)."""

_ID = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MOST_ID_LENGTH - 1}}}")


def is_id(text: str) -> bool:
    """Whether a text can be a fleet's id: 1 to 20 of a-z, 0-9 and "-", not "-" first."""
    return _ID.fullmatch(text) is not None


def new_id() -> str:
    """Return a fresh id of 8 hexadecimal digits."""
    return secrets.token_hex(4)


def family(fleet: str) -> str:
    """Return the family of a fleet's task definitions; it is its tasks' `startedBy`, too."""
    return PREFIX + fleet


def fleet_of(family_name: str) -> str:
    """Return the id of a family's fleet; "" if it is none of ours."""
    name = family_name.removeprefix(PREFIX)
    return name if family_name.startswith(PREFIX) and is_id(name) else ""


def tags(**named: str) -> list[dict[str, str]]:
    """Return tags as ECS takes them; names are those of this module's constants, without their `_TAG`."""
    keys = {"id": ID_TAG, "cluster": CLUSTER_TAG, "settings": SETTINGS_TAG}
    return [{"key": keys[name], "value": value} for name, value in named.items()]


def tag_values(listed: list[dict[str, str]]) -> dict[str, str]:
    """Return tags, as ECS lists them, by key."""
    return {tag["key"]: tag.get("value", "") for tag in listed}
