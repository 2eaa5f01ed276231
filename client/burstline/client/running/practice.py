"""An account file as the emulator's account and settings."""

from dataclasses import replace
from pathlib import Path

from burstline.client.errors import InvalidPlan
from burstline.client.spelling.accounts import read_account
from burstline.client.spelling.documents import read_document
from burstline.client.spelling.emulator import Emulator, emulator_settings
from burstline.client.spelling.reading import read_section
from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account
from burstline.emulator.settings import EmulatorSettings
from burstline.wire.account import account_from_proto


def load_practice(path: Path, *, host: str, port: int, front: str | None) -> tuple[Account, EmulatorSettings]:
    """Read an account file with its `emulator:` section; an account's only stage is played unless it says otherwise.

    Args:
        path: the file.
        host: where to listen.
        port: 0 to 65535.
        front: wins over the section's; None leaves it.

    Raises:
        InvalidPlan: with every mistake in the file.
    """
    document = read_document(path)
    if document.data is None:
        raise InvalidPlan(document.problems or [document.problem((), "the file is empty")])
    message, problems = read_account(document, (), document.data)
    stated = document.data.get("emulator") if isinstance(document.data, dict) else None
    section, mistakes = read_section(document, ("emulator",), Emulator, stated or {})
    problems = [*document.problems, *problems, *mistakes]
    if problems:
        raise InvalidPlan(sorted(problems, key=lambda p: (p.line, p.column)))
    account = account_from_proto(message)
    settings = emulator_settings(section, host=host, port=port, front=front)
    if not settings.stage and len(account.stages) == 1 and settings.front in (Front.REST, Front.HTTP):
        settings = replace(settings, stage=next(iter(account.stages)))
    return account, settings
