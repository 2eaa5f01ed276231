"""Reads an account document (a file of its own, or the plan's `account:` mapping) into a message."""

from collections.abc import Mapping
from typing import Any

from burstline.client.problems import FieldPath, Problem, allowed
from burstline.client.spelling.account import ACCOUNT_KEYS, ACCOUNT_SECTIONS
from burstline.client.spelling.account_messages import account_message
from burstline.client.spelling.documents import Document
from burstline.client.spelling.fields import yaml_path
from burstline.client.spelling.reading import read_section, unknown_keys
from burstline.v1 import resources_pb2 as v1
from burstline.wire.account import account_from_proto
from burstline.wire.errors import InvalidMessage


def read_account(document: Document, path: FieldPath, data: object) -> tuple[v1.Account, list[Problem]]:
    """Return the declared quotas and every mistake.

    Args:
        document: where the account stands.
        path: () for an account file, ("account",) inside a plan.
        data: the account's YAML.
    """
    if not isinstance(data, Mapping):
        return v1.Account(), [document.problem(path, allowed(data, f"a mapping with {', '.join(ACCOUNT_KEYS)}"))]
    problems = unknown_keys(document, path, data, ACCOUNT_KEYS)
    values: dict[str, Any] = {}
    bad: list[FieldPath] = []
    for key, annotation in ACCOUNT_SECTIONS.items():
        if data.get(key) is None:
            continue
        values[key], mistakes = read_section(document, (*path, key), annotation, data[key])
        if mistakes:
            problems += mistakes
            bad.append((key,))
    message = account_message(values.get("region"), values.get("apigateway"), values.get("lambda"), values.get("sqs"))
    try:
        account_from_proto(message)
    except InvalidMessage as error:
        for violation in error.violations:
            below = yaml_path(violation.field, {})[1:]
            if below[:1] not in bad:
                problems.append(document.problem((*path, *below), violation.description))
    return message, problems
