"""Writes what in docs/ follows from the code: `python docs/generate.py`. A test keeps the files up to date.

- plan.schema.json: the JSON Schema of plans, for editors.
- plan-reference.md: every field of a plan and an account, with the comments of the .proto file.
- metrics.md, errors.md: between their marks, every metric, every reason of an error, every signature.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from burstline.client.spelling.fields import spelled
from burstline.client.spelling.schema import plan_schema
from google.protobuf import descriptor_pb2 as pb

HERE = Path(__file__).resolve().parent
PROTOS = HERE.parent / "protos"
SERVER = HERE.parent / "server" / "burstline" / "server"
ROOTS = ("Plan", "Account")
HEAD = """\
# Every field of a plan

Made from the comments of `protos/burstline/v1/resources.proto`, the one definition of a plan, by `docs/generate.py`.
[plan.md](plan.md) introduces the YAML that people write; the column "in YAML" says how a field is spelled there.
`burstline check` names every mistake with its line, and [plan.schema.json](plan.schema.json) tells an editor.
"""


def file_descriptor() -> pb.FileDescriptorProto:
    """Return resources.proto with its comments."""
    import grpc_tools
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        well_known = Path(str(grpc_tools.__file__)).parent / "_proto"
        flags = [f"--descriptor_set_out={out}", "--include_source_info", f"-I{PROTOS}", f"-I{well_known}"]
        if protoc.main(["protoc", *flags, "burstline/v1/resources.proto"]):  # type: ignore[no-untyped-call]  # grpc_tools has no types
            sys.exit("resources.proto cannot be read")
        return pb.FileDescriptorSet.FromString(out.read_bytes()).file[-1]


class Reference:
    """Sections of the reference, a message each, in the order in which a reader meets them."""

    def __init__(self, file: pb.FileDescriptorProto) -> None:
        self._comments = {
            tuple(place.path): " ".join((place.leading_comments + place.trailing_comments).split())
            for place in file.source_code_info.location
        }
        self._messages: dict[str, tuple[pb.DescriptorProto, tuple[int, ...]]] = {}
        for number, message in enumerate(file.message_type):
            self._note(message, f".{file.package}.{message.name}", (4, number))
        self._enums = dict(self._all_enums(file))
        self._package = f".{file.package}."

    def _note(self, message: pb.DescriptorProto, name: str, path: tuple[int, ...]) -> None:
        self._messages[name] = (message, path)
        for number, inner in enumerate(message.nested_type):
            self._note(inner, f"{name}.{inner.name}", (*path, 3, number))

    def _all_enums(self, file: pb.FileDescriptorProto) -> Iterator[tuple[str, list[str]]]:
        for enum in file.enum_type:
            yield f".{file.package}.{enum.name}", _values(enum)
        for name, (message, _) in self._messages.items():
            for enum in message.enum_type:
                yield f"{name}.{enum.name}", _values(enum)

    def text(self) -> str:
        """Return the whole reference."""
        waiting = [f"{self._package}{root}" for root in ROOTS]
        done: list[str] = []
        while waiting:
            name = waiting.pop(0)
            if name not in done:
                done.append(name)
                message, _ = self._messages[name]
                below = [one.type_name for one in message.field if one.type_name in self._messages]
                waiting = [one for one in below if not self._is_map(one)] + waiting
                values = [self._map_value(one) for one in below if self._is_map(one)]
                waiting += [one for one in values if one in self._messages]
        return "\n".join([HEAD, *(self._section(name) for name in done)])

    def _is_map(self, name: str) -> bool:
        return bool(self._messages[name][0].options.map_entry)

    def _map_value(self, name: str) -> str:
        return self._messages[name][0].field[1].type_name

    def _section(self, name: str) -> str:
        message, path = self._messages[name]
        title = name.removeprefix(self._package)
        lines = [f"## {title}", "", self._comments.get(path, ""), ""]
        if message.field:
            lines += ["| field | in YAML | type | meaning |", "| --- | --- | --- | --- |"]
        for number, field in enumerate(message.field):
            comment = self._comments[(*path, 2, number)].replace("|", "\\|")
            yaml = spelled(title, field.name)
            shown = "" if yaml is None else f"`{yaml}`"
            lines.append(f"| `{field.name}` | {shown} | {self._type(field)} | {comment} |")
        return "\n".join(lines) + "\n"

    def _type(self, field: pb.FieldDescriptorProto) -> str:
        many = "list of " if field.label == field.LABEL_REPEATED else ""
        if field.type_name in self._enums:
            return many + ", ".join(f"`{value}`" for value in self._enums[field.type_name])
        if field.type_name in self._messages:
            if self._is_map(field.type_name):
                value = self._messages[field.type_name][0].field[1]
                return f"by name: {self._type(value)}"
            title = field.type_name.removeprefix(self._package)
            return f"{many}[{title}](#{title.replace('.', '').lower()})"
        if field.type_name:
            return many + field.type_name.rpartition(".")[2].lower()
        return many + pb.FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _values(enum: pb.EnumDescriptorProto) -> list[str]:
    return [value.name for value in enum.value if not value.name.endswith("UNSPECIFIED")]


def metrics_table() -> str:
    """Return a table of every metric of a server and of a worker."""
    from burstline.server.clock import SystemClock
    from burstline.server.control.active import ActiveRun
    from burstline.server.control.roster import Roster
    from burstline.server.metrics import RunCollector
    from burstline.server.settings import ServerSettings
    from burstline.workers.metrics import WorkerMetrics

    none: list[ActiveRun] = []
    clock = SystemClock()
    server = RunCollector(lambda: none, Roster(ServerSettings()), clock, 300.0)
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for family in [*server.collect(), *WorkerMetrics().collect()]:
        labels = ", ".join(f"`{name}`" for name in getattr(family, "_labelnames", ()))
        name = family.name + ("_total" if family.type == "counter" else "")
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines)


def reasons_table() -> str:
    """Return the reasons that the services' errors carry, with their gRPC codes."""
    from burstline.server import errors

    lines = ["| reason | status | when |", "| --- | --- | --- |"]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ServerError)]
    sources = [path.read_text(encoding="utf-8") for path in SERVER.rglob("*.py")]
    for kind in kinds[1:]:
        made = re.compile(rf'{kind.__name__}\((?:(?!Error\(|raise |return ).)*?reason="([A-Z_]+)"', re.DOTALL)
        own = {reason for source in sources for reason in made.findall(source)}
        about = (kind.__doc__ or "").strip().splitlines()[0]
        reasons = sorted(
            {kind.reason, *own} - {"INTERNAL", "CANNOT_START"}
        )  # the first is any other, the second never gets onto the wire
        lines += [f"| `{reason}` | {kind.code.name} | {about} |" for reason in reasons]
    return "\n".join(lines)


def signatures_table() -> str:
    """Return every signature with its provisional outcome and the layers it may come from."""
    from burstline.core.load.plan import Front
    from burstline.core.load.samples import TRANSPORT_SIGNATURES
    from burstline.core.quota.answers.classify import meaning, signatures

    lines = ["| signature | outcome | may come from |", "| --- | --- | --- |"]
    for name in dict.fromkeys([*(one for front in Front for one in signatures(front)), *TRANSPORT_SIGNATURES]):
        known = meaning(name)
        layers = ", ".join(layer.value.replace("_", " ") for layer in known.layers) if known.rejects else ""
        lines.append(f"| `{name}` | {known.outcome.value.replace('_', ' ')} | {layers} |")
    return "\n".join(lines)


def _filled(name: str, tables: dict[str, str]) -> str:
    """Return a page with what stands between its marks made anew."""
    text = (HERE / name).read_text(encoding="utf-8")
    for mark, table in tables.items():
        head = f"<!-- made by docs/generate.py{mark} -->"
        before, _, rest = text.partition(head)
        text = f"{before}{head}\n{table}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    return text


def files() -> dict[Path, str]:
    """Return the content of every file that is made here."""
    return {
        HERE / "plan.schema.json": json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n",
        HERE / "plan-reference.md": Reference(file_descriptor()).text(),
        HERE / "metrics.md": _filled("metrics.md", {"": metrics_table()}),
        HERE / "errors.md": _filled("errors.md", {": reasons": reasons_table(), ": signatures": signatures_table()}),
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, encoding="utf-8")
