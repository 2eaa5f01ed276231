"""A YAML file as plain values, with the line and column of every field.

Scalars are read as YAML 1.2 reads them, not as PyYAML's 1.1 does: `no`, `on` and `yes` are text, `012` is text and not
octal 10, `12:30` is text and not 750, dates are text. A key is always text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from burstline.client.problems import FieldPath, Problem, field_text

MAX_FILE_BYTES = 1 << 20
"""A plan is no longer than this; data belongs into data files."""

MAX_VALUES = 100_000
"""Values in one file with its aliases written out."""

MAX_DEPTH = 60
"""Levels of nesting in one file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: file or option, line and column counted from 1 (0: none)."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Document:
    """A file's values and where each stands.

    Attributes:
        file: as the user named it.
        data: the values: dict, list, str, int, float, bool or None; None also when it could not be read.
        places: field path -> where it is written: the value, or its key where that stands on a line of its own.
        keys: field path -> where its key is written.
        problems: mistakes found in reading: syntax, duplicate keys, tags, size.
    """

    file: str
    data: Any = None  # YAML is dynamic by nature: the spelling models give it a type
    places: dict[FieldPath, Place] = field(default_factory=dict)
    keys: dict[FieldPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: FieldPath) -> Place:
        """Return where a field is written, or the nearest thing around it that is."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path[:-1]
        return self.places.get((), Place(self.file, 1, 1))

    def problem(self, path: FieldPath, message: str, *, at_key: bool = False) -> Problem:
        """Return a mistake at a field, or at its key."""
        place = self.keys.get(path, self.place(path)) if at_key else self.place(path)
        return Problem(place.file, place.line, place.column, field_text(path), message)


class _Loader(yaml.SafeLoader):
    """Composes nodes with YAML 1.2's rules for plain scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own protocol)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), [*"-+0123456789"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
    [*"-+0123456789."],
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "map", "seq")}


def read_document(path: Path, shown: str | None = None) -> Document:
    """Read a YAML file; every mistake ends up in `problems`, none is raised."""
    file = shown or str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = {2: "no such file", 13: "it may not be read", 21: "it is a folder"}.get(
            error.errno or 0, str(error.strerror)
        )
        return Document(file, problems=[Problem(file, 0, 0, "", f"cannot be read: {reason}")])
    if len(content) > MAX_FILE_BYTES:
        text = f"found {len(content)} bytes; allowed: at most {MAX_FILE_BYTES} (rows belong into a data file)"
        return Document(file, problems=[Problem(file, 0, 0, "", text)])
    try:
        return parse_document(content.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Document(file, problems=[Problem(file, line, 1, "", "found bytes that are not UTF-8 text")])


def parse_document(text: str, file: str) -> Document:
    """Read YAML text; `file` is its name in messages. Mistakes end up in `problems`."""
    document = Document(file)
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        document.problems.append(_syntax(error, file))
        return document
    except yaml.YAMLError as error:
        document.problems.append(Problem(file, 1, 1, "", f"is not YAML: {str(error).splitlines()[0]}"))
        return document
    except RecursionError:
        document.problems.append(Problem(file, 1, 1, "", "is nested too deeply"))
        return document
    finally:
        if loader is not None:
            loader.dispose()
    if node is None:
        document.problems.append(Problem(file, 1, 1, "", "the file is empty"))
        return document
    document.data = _Builder(document).build(node, ())
    return document


def _syntax(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    text = str(error.problem or error)
    if "'\\t'" in text:
        text = "found a tab; YAML allows blanks only for indentation"
    elif "mapping values are not allowed" in text:
        text = 'found a second ":" in one line; put a value that holds ": " in quotes'
    elif "cannot start any token" in text:
        text += "; put a value that begins with it in quotes"
    elif "expected a single document" in str(error):
        text = 'found a second document ("---"); allowed: one per file'
    elif "<stream end>" in text:
        text = "the file ends inside brackets or quotes; close what was opened"
    elif error.context:
        text = f"{text} {error.context}"
    return Problem(file, line, column, "", f"is not YAML: {text}")


class _Builder:
    """Turns nodes into values and writes down where each stands."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def build(self, node: Node, path: FieldPath) -> Any:
        """Return a node's value."""
        self._note(node, path)
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH:
            if self._count < 2 * MAX_VALUES:
                self._count = 2 * MAX_VALUES
                self._problem(path[:3], f"holds too many values; allowed: {MAX_VALUES}, {MAX_DEPTH} levels deep")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _note(self, node: Node, path: FieldPath) -> None:
        mark = node.start_mark
        place = Place(self._document.file, mark.line + 1, mark.column + 1)
        before = self._document.places.get(path)
        if before is None or before.line == place.line:  # a block's own key says more than its first line
            self._document.places[path] = place

    def _mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._note(key_node, (*path, "?"))
                self._problem((*path, "?"), 'a key must be text; write templates in quotes: "{{ name }}"')
                continue
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.update(self._merged(value_node, path))
                continue
            key = str(key_node.value)
            if key in lines:
                text = f"is given twice; it stands in line {lines[key]} already"
                field_name = field_text((*path, key))
                column = key_node.start_mark.column + 1
                self._document.problems.append(Problem(self._document.file, line, column, field_name, text))
                continue
            lines[key] = line
            self._document.keys[*path, key] = Place(self._document.file, line, key_node.start_mark.column + 1)
            self._document.places.pop((*path, key), None)
            self._note(key_node, (*path, key))
            values[key] = self.build(value_node, (*path, key))
        return {**merged, **values}

    def _merged(self, node: Node, path: FieldPath) -> dict[str, Any]:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in reversed(parts):
            value = self.build(part, path)
            if isinstance(value, Mapping):
                merged.update(value)
            else:
                self._problem(path, 'what "<<" brings in must be a mapping')
        return merged

    def _scalar(self, node: Node, path: FieldPath) -> Any:
        text = str(node.value)
        if node.tag not in _TAGS:
            self._problem(path, f'found the tag "{node.tag}"; allowed: none')
            return text
        kind = node.tag.rsplit(":", 1)[1]
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            return {"int": int, "float": float}.get(kind, str)(text)
        except ValueError:
            return text

    def _problem(self, path: FieldPath, message: str) -> None:
        self._document.problems.append(self._document.problem(path, message))
