"""Reads a plan's document section by section into a message.

A section that cannot be read is replaced by a harmless one and its path noted in `bad`, so that the checks on the
whole message still find every mistake elsewhere; what they say about a bad section is left out.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from burstline.client.problems import FieldPath, Problem, allowed, field_text
from burstline.client.spelling import load, messages, plan, requests
from burstline.client.spelling.documents import Document
from burstline.client.spelling.files import BadFile, PlanFile, read_body, read_rows
from burstline.client.spelling.reading import read_section, unknown_keys
from burstline.core.quota.aws.iam import on_aws
from burstline.v1 import resources_pb2 as v1
from burstline.wire.templates import names_in

_FORMATS = {"csv": v1.DataFile.CSV, "jsonl": v1.DataFile.JSONL}


@dataclass(slots=True)
class PlanReader:
    """What is read so far.

    Attributes:
        document: the plan's YAML, a mapping at the top.
        folder: files are relative to it.
        problems: mistakes.
        bad: paths whose values were replaced.
        files: data and body files to upload.
    """

    document: Document
    folder: Path
    problems: list[Problem] = field(default_factory=list)
    bad: list[FieldPath] = field(default_factory=list)
    files: list[PlanFile] = field(default_factory=list)

    def read(self, default_name: str) -> v1.Plan:
        """Return the plan; only to be used for a run if `problems` stays empty."""
        data = self.document.data
        self.problems += unknown_keys(self.document, (), data, plan.PLAN_KEYS)
        writes = self._section("writes", "allowed" if "writes" in data else "refused")
        message = v1.Plan(name=self._section("name", default_name), writes_allowed=writes == "allowed")
        self._add_requests(message)
        self._add_load(message)
        self._add_data(message)
        self._add_policies(message)
        return message

    def _section(self, key: str, default: Any) -> Any:
        """Return a section's value, or the default if it is missing or bad."""
        value = self.document.data.get(key)
        if value is None:
            return default
        result, problems = read_section(self.document, (key,), plan.SECTIONS[key], value)
        if problems:
            self.problems += problems
            self.bad.append((key,))
            return default
        return result

    def _refuse(self, path: FieldPath, message: str) -> None:
        self.problems.append(self.document.problem(path, message))
        self.bad.append(path)

    def _items(self, key: str, what: str) -> list[tuple[int, Any, Any]]:
        """Return position, raw and read value (None: bad) of each item of a list."""
        items = self.document.data.get(key)
        if items is None or items == []:
            self._refuse((key,), f"is missing; allowed: {what}")
            return []
        if not isinstance(items, list):
            self._refuse((key,), allowed(items, what))
            return []
        results = []
        for index, item in enumerate(items):
            value, problems = read_section(self.document, (key, index), plan.SECTIONS[key], item)
            if problems:
                self.problems += problems
                value = self._salvaged((key, index), item, problems)
            results.append((index, item, value))
        return results

    def _salvaged(self, path: FieldPath, item: Any, problems: list[Problem]) -> Any:
        """Return an item read without its bad keys, which must hide no mistake in the others; None if it cannot be."""
        start = field_text(path) + "."
        wrong = {re.split(r"[.\[]", problem.field.removeprefix(start), maxsplit=1)[0] for problem in problems}
        if isinstance(item, dict) and all(problem.field.startswith(start) for problem in problems):
            rest = {name: value for name, value in item.items() if name not in wrong}
            value, more = read_section(self.document, path, plan.SECTIONS[str(path[0])], rest)
            if not more:
                self.bad += [(*path, name) for name in sorted(wrong)]
                return value
        self.bad.append(path)
        return None

    def _add_requests(self, message: v1.Plan) -> None:
        kinds: list[requests.Request] = []
        names: list[str] = []
        bare: list[int] = []
        for index, item, kind in self._items("requests", "a list of at least one request"):
            stated = item.get("name") if isinstance(item, dict) else None
            name = stated if isinstance(stated, str) and stated else f"request {index + 1}"
            if kind is None:
                message.requests.append(v1.Request(name=name, method="GET", path="/"))
                continue
            kinds.append(kind)
            bare += [index] if kind.bare else []
            names.append(kind.name or f"request {index + 1}")
            message.requests.append(messages.request_message(kind, names[-1], self._body(kind, index)))
        target = self.document.data.get("target")
        if target is None:
            self._refuse(("target",), "is missing; allowed: url with front, function, stage")
        elif isinstance(target, str):
            message.target.CopyFrom(messages.target_message(plan.Target(url=target), kinds, names))
        elif (read := self._section("target", None)) is not None:
            message.target.CopyFrom(messages.target_message(read, kinds, names))
        if not message.requests:
            message.requests.append(v1.Request(name="request 1", method="GET", path="/"))
        if ("target",) in self.bad:
            self._check_url_alone(message, target)
        else:
            self._check_bare(message, bare)

    def _check_bare(self, message: v1.Plan, bare: list[int]) -> None:
        """Refuse requests without method and path where the front does not say both."""
        for index in bare if message.target.front not in messages.CALLED else ():
            text = "has a body, but no method; allowed: a method with its path, such as post: /orders"
            self._refuse(("requests", index), text)

    def _check_url_alone(self, message: v1.Plan, target: object) -> None:
        """Have the URL of a target that is bad elsewhere checked; without one, put in a harmless one."""
        url = target.get("url") if isinstance(target, dict) else None
        if isinstance(url, str) and not any(p.field == "target.url" for p in self.problems):
            self.bad.remove(("target",))
            message.target.url = url
        else:
            message.target.url = "http://localhost"

    def _body(self, kind: requests.Request, index: int) -> str:
        if kind.body_file is None:
            return ""
        try:
            file = read_body(self.folder / kind.body_file)
        except BadFile as error:
            for mistake in error.mistakes:
                self._refuse(("requests", index, "body_file"), mistake)
            return ""
        self.files.append(file)
        return file.sha256

    def _add_load(self, message: v1.Plan) -> None:
        phases: list[tuple[int, Any, load.AnyPhase | None]] = self._items("load", "a list of at least one phase")
        for index, item, phase in phases:
            if phase is None:
                stated = item.get("name") if isinstance(item, dict) else None
                phase = load.Constant.model_validate({"for": "1s", "rate": 1, "name": str(stated or "")})
            message.load.append(messages.phase_message(phase, index + 1))
        if not message.load:
            message.load.append(messages.phase_message(load.Pause.model_validate({"pause": "1s"}), 1))

    def _add_data(self, message: v1.Plan) -> None:
        data: plan.Data | None = self._section("data", None)
        if data is not None:
            kind, file_name = ("csv", data.csv) if data.csv is not None else ("jsonl", data.jsonl or "")
            try:
                file, columns = read_rows(self.folder / file_name, kind)
            except BadFile as error:
                for mistake in error.mistakes:
                    self._refuse(("data", kind), mistake)
                self.bad.append(("data",))
            else:
                self.files.append(file)
                order = v1.DataFile.SEQUENTIAL if data.order == "sequential" else v1.DataFile.RANDOM
                message.data.CopyFrom(
                    v1.DataFile(sha256=file.sha256, format=_FORMATS[kind], order=order, columns=columns)
                )
        if ("data",) in self.bad:  # which names the templates may use is unknown: allow all they use
            message.data.CopyFrom(v1.DataFile(sha256="0" * 64, format=v1.DataFile.CSV, columns=_names(message)))

    def _add_policies(self, message: v1.Plan) -> None:
        auth = self._section("auth", None)
        if auth is not None:
            message.auth.CopyFrom(messages.auth_message(auth))
        elif message.target.front in messages.CALLED and on_aws(urlsplit(message.target.url).hostname or ""):
            message.auth.CopyFrom(messages.auth_message(plan.Auth(sigv4=plan.SigV4())))
        goal = self.document.data.get("goal")
        if isinstance(goal, int | float) and not isinstance(goal, bool):
            self.document.data["goal"] = {"rate": goal}
        goal = self._section("goal", None)
        if goal is not None:
            message.goal.CopyFrom(v1.Goal(request_count_per_second=goal.rate, by_date=goal.by))
        message.tolerated_throttled_ratio = self._section("tolerance", plan.Tolerance()).throttled
        message.thresholds.extend(self._section("thresholds", ()))
        message.abort.extend(self._section("abort", ()))
        message.ceilings.CopyFrom(messages.ceilings_message(self._section("ceilings", plan.Ceilings())))
        message.connections.CopyFrom(messages.connections_message(self._section("connections", plan.Connections())))
        max_late = self._section("max_late", None)
        if max_late is not None:
            message.max_late_duration.CopyFrom(messages.duration(max_late))
        message.seed = self._section("seed", 0)
        message.marks_disabled = not self._section("marks", True)


def _names(message: v1.Plan) -> list[str]:
    names: set[str] = {"unknown"}
    for request in message.requests:
        texts = [request.path, request.body, request.json, *(pair.value for pair in [*request.query, *request.headers])]
        for text in texts:
            try:
                names |= names_in(text)
            except ValueError:
                continue  # said by the checks on the whole message
    return sorted(names)
