"""A plan file with everything it names, read, checked and ready to be sent to a server."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from burstline.client.errors import InvalidPlan
from burstline.client.problems import Problem, allowed
from burstline.client.spelling.accounts import read_account
from burstline.client.spelling.documents import Document, read_document
from burstline.client.spelling.fields import yaml_path
from burstline.client.spelling.files import PlanFile
from burstline.client.spelling.overrides import apply_setting, mark, put
from burstline.client.spelling.sections import PlanReader
from burstline.core.load.hosts import HostKind, host_kind
from burstline.core.load.plan import Ceilings, Plan
from burstline.core.quota.quotas import Account
from burstline.v1 import resources_pb2 as v1
from burstline.wire.account import account_from_proto
from burstline.wire.errors import InvalidMessage
from burstline.wire.plan import plan_from_proto

ACCOUNT_FILE = (
    "this describes an account, not a plan: a plan has name, target, requests and load, and names such a file as "
    "`account:` (or give it beside the plan: --account FILE)"
)

_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A plan without mistakes.

    Attributes:
        message: the plan as it goes to the server.
        account: declared quotas; an empty message where none are declared.
        files: data and body files to upload.
        record: the plan as core reads it.
        notes: remarks that stop nothing, each a sentence.
    """

    message: v1.Plan
    account: v1.Account
    files: tuple[PlanFile, ...]
    record: Plan
    notes: tuple[str, ...]


def load_plan(
    path: Path, *, settings: Sequence[str] = (), target: str | None = None, account: Path | None = None
) -> LoadedPlan:
    """Read and check a plan.

    Args:
        path: the YAML file; files it names are relative to its folder.
        settings: `FIELD=VALUE` each, put in before reading.
        target: URL that replaces the plan's.
        account: account file that replaces the plan's.

    Raises:
        InvalidPlan: with every mistake in the plan and the files it names.
    """
    document = read_document(path)
    if isinstance(document.data, dict):
        problems = [*document.problems, *_override(document, settings, target)]
    elif document.problems:
        raise InvalidPlan(document.problems)
    else:
        raise InvalidPlan([document.problem((), allowed(document.data, "a mapping with name, target, requests, load"))])
    if _is_account(document.data):
        raise InvalidPlan([document.problem((), ACCOUNT_FILE)])
    declared, mistakes = _read_account(document, path.parent, account)
    reader = PlanReader(document, path.parent)
    message = reader.read(_default_name(path))
    _derive_stage(message, declared)
    record, violations = _check(message, document, reader)
    problems += [*reader.problems, *violations, *mistakes]
    if record is not None and not problems:
        problems += _refused_at_once(record, account_from_proto(declared), document)
    if record is None or problems:
        raise InvalidPlan(_in_order(problems, str(path)))
    return LoadedPlan(message, declared, tuple(reader.files), record, tuple(_notes(document.data, message)))


def _is_account(data: dict[Any, Any]) -> bool:
    return not {"target", "requests", "load"} & data.keys() and bool({"lambda", "apigateway"} & data.keys())


def _default_name(path: Path) -> str:
    return path.stem[:200] or "plan"


def _override(document: Document, settings: Sequence[str], target: str | None) -> list[Problem]:
    problems = [problem for setting in settings for problem in apply_setting(document, setting)]
    if target is not None:
        if isinstance(document.data.get("target"), dict):
            put(document, ("target", "url"), target, f"--target {target}")
        else:
            document.data["target"] = {"url": target}
            mark(document, ("target",), f"--target {target}")
    return problems


def _read_account(plan: Document, folder: Path, option: Path | None) -> tuple[v1.Account, list[Problem]]:
    stated: Any = plan.data.get("account")
    if option is None and isinstance(stated, dict):
        return read_account(plan, ("account",), stated)
    if option is None and stated is None:
        return v1.Account(), []
    if option is None and not isinstance(stated, str):
        return v1.Account(), [plan.problem(("account",), allowed(stated, "an account file, or a mapping"))]
    path = option if option is not None else folder / str(stated)
    document = read_document(path)
    if document.data is None:
        if option is None and not path.exists():
            return v1.Account(), [plan.problem(("account",), f'"{path}" cannot be read: there is no such file')]
        return v1.Account(), document.problems
    account, problems = read_account(document, (), document.data)
    return account, [*document.problems, *problems]


def _derive_stage(message: v1.Plan, account: v1.Account) -> None:
    """Fill in the stage where the URL shows it: REST and HTTP APIs serve a stage below its name."""
    if message.target.stage or message.target.front not in (v1.REST, v1.HTTP):
        return
    try:
        parts = urlsplit(message.target.url)
    except ValueError:
        return  # said by the checks on the whole message
    first = parts.path.lstrip("/").split("/")[0]
    if first and (first in account.stages or ".execute-api." in (parts.hostname or "")):
        message.target.stage = first
    elif message.target.front == v1.HTTP and "$default" in account.stages:
        message.target.stage = "$default"


def _check(message: v1.Plan, document: Document, reader: PlanReader) -> tuple[Plan | None, list[Problem]]:
    try:
        return plan_from_proto(message), []
    except InvalidMessage as error:
        problems = []
        for violation in error.violations:
            where = yaml_path(violation.field, document.data)
            if not any(where[: len(bad)] == bad for bad in reader.bad):
                problems.append(document.problem(where, violation.description))
        return None, problems


def _refused_at_once(plan: Plan, account: Account, document: Document) -> list[Problem]:
    """What every server refuses: a load over the plan's own ceilings, and hosts that are never loaded."""
    problems = []
    if plan.ceilings != Ceilings():
        from burstline.core.quota.ahead import ahead_of, exceeded  # the schedule, and NumPy with it

        problems = [
            document.problem(yaml_path(one.field, document.data), one.text)
            for one in exceeded(plan, ahead_of(plan, account))
        ]
    host = (urlsplit(plan.target.url).hostname or "").rstrip(".")
    if host_kind(host) is HostKind.NEVER:
        what = f'found "{host}", a link-local or metadata address; allowed: an API of yours, or this machine'
        problems.append(document.problem(yaml_path("target.url", document.data), what))
    return problems


def _in_order(problems: list[Problem], plan_file: str) -> list[Problem]:
    once = {(p.file, p.line, p.field, p.message): p for p in problems}.values()
    return sorted(once, key=lambda p: (p.file != plan_file, p.file, p.line, p.column))


def _notes(data: object, message: v1.Plan) -> list[str]:
    missing = sorted({name for name in _ENV.findall(repr(data)) if name not in os.environ})
    notes = [f"${{env:{name}}} is not set here; it must be set where the workers run" for name in missing]
    host = urlsplit(message.target.url).hostname or ""
    if message.target.front == v1.FRONT_UNSPECIFIED and ".execute-api." in host:
        notes.append("target.front is not stated: say rest or http, or throttles by API Gateway cannot be told apart")
    return notes
