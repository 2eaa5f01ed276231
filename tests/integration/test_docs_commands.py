"""Every command that is written down is run: against servers, a practice AWS and its AWS side on this machine.

Where the docs name a host, an id or a file of the reader's, ours stand in. What is only parsed, or run by another test,
is listed with its reason.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from burstline.client.cli import cli
from certificates import certify
from click.testing import CliRunner
from faults.processes import Child, end_all, until
from ports import free_port
from written import shell_lines, spoken, written_commands

ELSEWHERE = {
    "burstline demo": "test_cli_demo.py runs it, in half a minute",
    "burstline fleet ": "tests/unit/client/fleet: no ECS here; what AWS would be asked is checked against its models",
    "burstline aws ...": "no command, but what a sentence is about",
}
"""Beginning of a command -> why it is not run here; all of them are parsed in test_docs.py."""

NOT_OURS = {
    "make ": "this very test run is `make test`; test_cli_demo.py runs what `make demo` does",
    ". .venv": "the shell's",
    "mkdir ": "the shell's",
    "cat > ": "test_docs_first_run.py runs it",
    "eval ": "test_completion.py asks the shells",
    "_BURSTLINE_COMPLETE=fish": "fish is not there; test_docs.py looks at what it would be given",
    "pip install 'burstline[traces]'": "the lock has it; what is said without it: tests/unit/wire/test_traces.py",
    "export OTEL_": "tests/integration/test_traces.py",
    "docker ": "tests/scenarios/test_compose.py, where a Docker engine is",
    "kubectl ": "no cluster: tests/unit/deploy/test_manifests.py checks what would be applied",
}
"""Beginning of a line of a shell block -> who looks after it."""

ACCOUNT = """\
region: eu-west-1
apigateway: {stages: {prod: {rate: 1000, burst: 500}}}
lambda:
  concurrency: 12
  functions: {catalog: {duration: {p50: 20ms, p99: 60ms}, memory_mb: 256}}
emulator: {front: rest, stage: prod}
"""
PLAN = """\
name: checkout
target: {url: "http://127.0.0.1:7462/prod", front: rest, function: catalog, stage: prod}
requests: [{name: quote, get: /quote}]
load: [{name: rush, for: 300ms, rate: 30}]
goal: 3000
account: account.yaml
"""
STAGING = "[profile staging]\nregion = eu-west-1\naws_access_key_id = AKIAPRACTICE\naws_secret_access_key = practice\n"
ANSWERED = {0, 3, 4, 99}
"""A run that took place, on a machine that may be busy; a comparison whose condition may hold."""

LISTENERS = ("serve", "work", "emulate")
CALLS = sorted({line for _, line in written_commands()})
PLACES = re.compile(r"(HOST|10\.0\.[01]\.5|standby\.example\.com|control\.example\.com|127\.0\.0\.1):7460")
HOSTS = re.compile(r"(?<=--allow )\S+|(?<=--listen )\S+")
LISTENING = {HOSTS.sub("x", PLACES.sub("x", " ".join(spoken(line)))): line for line in CALLS
             if spoken(line) and spoken(line)[0] in LISTENERS}  # fmt: skip
"""Commands that listen, one of those that are the same but for the reader's own hosts."""


@dataclass
class World:
    """A folder with the reader's files, and what runs beside it."""

    folder: Path
    environment: dict[str, str]
    children: list[Child] = field(default_factory=list)
    plain: str = ""
    secure: str = ""

    def start(self, *words: str) -> Child:
        """Start a command of ours as a process."""
        log = self.folder / f"{words[0]}-{len(self.children)}.log"
        child = Child([sys.executable, "-m", "burstline.client", *words], log, self.environment)
        self.children.append(child)
        return child

    def serve(self, *words: str) -> str:
        """Start a server on a free port, and return its address."""
        address = f"127.0.0.1:{free_port()}"
        child = self.start("serve", "--listen", address, "--http", "127.0.0.1:0", *self.store(), *words)
        until(lambda: "serving on" in child.said() or not child.alive, 30.0, "a server serves")
        assert child.alive, child.said()
        return address

    def store(self) -> tuple[str, str]:
        """Return the option for a store of its own."""
        return "--store", f"sqlite:///{self.folder}/store-{len(self.children)}.db"

    def work(self, *words: str) -> None:
        """Start a worker, and wait until it is attached."""
        child = self.start("work", *words)
        until(lambda: "attached" in child.said(), 30.0, "a worker is attached")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("reader")
    front, aws = free_port(), free_port()
    (folder / "account.yaml").write_text(ACCOUNT)
    (folder / "plan.yaml").write_text(PLAN.replace("7462", str(front)))
    (folder / "aws.ini").write_text(STAGING)
    certificates(folder)
    home = {"HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "BURSTLINE_SERVER": "", "COLUMNS": "100"}
    keys = {"AWS_ACCESS_KEY_ID": "AKIAPRACTICE", "AWS_SECRET_ACCESS_KEY": "practice"}
    there = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws}", "AWS_CONFIG_FILE": str(folder / "aws.ini")}
    made = World(folder, {**home, **keys, **there, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-west-1"})
    try:
        listen = ("--listen", f"127.0.0.1:{front}", "--aws-listen", f"127.0.0.1:{aws}", "--aws-lag", "0")
        emulator = made.start("emulate", "--account", str(folder / "account.yaml"), *listen)
        made.plain = made.serve("--allow", "127.0.0.1")
        tls = ("--cert", str(folder / "server.pem"), "--key", str(folder / "server.key"))
        made.secure = made.serve(*tls)
        made.work("--server", made.plain)
        made.work("--server", made.secure.replace("127.0.0.1", "localhost"), "--ca", str(folder / "ca.pem"))
        until(lambda: "listening" in emulator.said(), 20.0, "the practice AWS listens")
        yield made
    finally:
        end_all(made.children)


def certificates(folder: Path) -> None:
    """Make a certificate for localhost that is its own authority, under every name that the docs use."""
    made = certify(folder, "DNS:localhost", "IP:127.0.0.1")
    for name in ("server", "ca", "clients", "worker"):
        shutil.copy(made / "cert.pem", folder / f"{name}.pem")
    for name in ("server", "worker"):
        shutil.copy(made / "key.pem", folder / f"{name}.key")


@pytest.fixture
def reader(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with us in its folder and with its environment."""
    monkeypatch.chdir(world.folder)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    return world


def ours(world: World, line: str, words: list[str]) -> list[str]:
    """Return a command with our addresses, ports and runs in place of the docs'."""
    server = world.secure.replace("127.0.0.1", "localhost") if "--ca" in words else world.plain
    text = "\0".join(words)
    text = PLACES.sub(server, text)
    text = re.sub(r"0\.0\.0\.0:746\d|127\.0\.0\.1:8080", "127.0.0.1:0", text)
    text = re.sub(r"http://127\.0\.0\.1:7462", (re.search(r"http://[^/]+", plan_of(world)) or [""])[0], text)
    text = text.replace("http://127.0.0.1:7463", world.environment["AWS_ENDPOINT_URL"])
    text = text.replace("postgresql://burstline@db/burstline", world.store()[1]).replace("PLAN", "plan.yaml")
    text = re.sub(r"\0(3f2a|RUN)\0", "\0last\0", text + "\0").removesuffix("\0")
    found = text.split("\0")
    if found[0] == "find":
        found += ["--max-rate", "40", "--rest", "0"]
    if found[0] == "request-increase" and "--yes" not in found:
        found += ["--yes"]  # nobody is there to answer
    if found[0] == "run" and "--target" in found:
        found += ["--yes"]
    if found[0] in ("watch", "stop", "workers") and "--server" not in found:
        found += ["--server", world.plain]
    return found


def plan_of(world: World) -> str:
    return (world.folder / "plan.yaml").read_text()


def is_elsewhere(line: str) -> bool:
    return line.startswith(tuple(ELSEWHERE)) or "..." in line


def call(*words: str) -> tuple[int, str]:
    """Run a command of ours in this process; returns its exit code and all that it said."""
    ended = CliRunner().invoke(cli, list(words))
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.exit_code, ended.output


SENDING = ("run", "find")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_command_that_looks_at_something_shows_it(reader: World) -> None:
    prepare(reader)
    assert carry_out(reader, lambda name: name not in SENDING) > 30


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_command_that_sends_does_so(reader: World) -> None:
    assert carry_out(reader, lambda name: name in SENDING) > 10


def carry_out(world: World, wanted: Callable[[str], bool]) -> int:
    """Run the commands that end by themselves and whose names are wanted, `stop` last; returns how many."""
    calls = {tuple(ours(world, line, spoken(line))): line for line in CALLS if spoken(line) and not is_elsewhere(line)}
    mine = [words for words in calls if words[0] not in LISTENERS and words[0][0] != "-" and wanted(words[0])]
    for words in sorted(mine, key=lambda words: words[0] == "stop"):
        if words[0] == "stop":
            world.start("run", str(world.folder / "plan.yaml"), "--server", world.plain, "--set", "load.0.for=30s")
            until(lambda: '"running"' in call("runs", "--server", world.plain, "--json")[1], 30.0, "a run runs")
        code, said = call(*words)
        allowed = ANSWERED if words[0] in ("run", "compare") else {0}
        assert code in allowed, f"{calls[words]}\n{' '.join(words)}\nended with {code}: {said}"
    return len(mine)


def prepare(world: World) -> None:
    """Make the reports that the docs speak of, and two runs on each server."""
    for name in ("main.json", "over.json"):
        assert call("run", "plan.yaml", "--quiet", "--json", name)[0] in ANSWERED
    for _ in range(2):
        assert call("run", "plan.yaml", "--quiet", "--json", "new.json", "--server", world.plain)[0] in ANSWERED
    for name in ("report.json", "after.json"):
        shutil.copy("main.json", name)


@pytest.mark.parametrize("line", LISTENING.values(), ids=LISTENING.keys())
def test_each_command_that_listens_starts_and_ends(reader: World, line: str) -> None:
    words = ours(reader, line, spoken(line))
    if words[0] == "serve" and "--http" not in words:
        words += ["--http", "127.0.0.1:0"]
    if words[0] in ("serve", "emulate") and "--listen" not in words:
        words += ["--listen", "127.0.0.1:0"]
    words = [re.sub(r"^127\.0\.0\.1:7\d+$", "127.0.0.1:0", word) if before in BINDS else word
             for before, word in zip(["", *words], words, strict=False)]  # fmt: skip
    words = [str(reader.folder / word) if re.fullmatch(r"[\w-]+\.(yaml|pem|key)", word) else word for word in words]
    before = attached(words)
    child = reader.start(*words)
    said = {"serve": "serving on", "work": " for ", "emulate": "listening on"}[words[0]]
    until(lambda: said in child.said() or not child.alive, 30.0, line)
    assert child.alive, child.said()
    if words[0] == "work":
        wanted = int(words[words.index("--processes") + 1]) if "--processes" in words else 1
        until(lambda: attached(words) >= before + wanted, 30.0, line)
    child.end()
    assert "Traceback" not in child.said()


def attached(words: list[str]) -> int:
    """Return how many workers the server has that a command `work` names; 0 for any other command."""
    if words[0] != "work":
        return 0
    access = [word for option in ("--server", "--ca") if option in words
              for word in words[words.index(option) :][:2]]  # fmt: skip
    code, said = call("workers", *access)
    assert code == 0, said
    return len(said.splitlines()) - 1


BINDS = ("--listen", "--http", "--metrics", "--aws-listen")


@pytest.mark.parametrize(("where", "line"), sorted(set(shell_lines())))
def test_each_other_line_of_a_shell_block_is_looked_after(where: str, line: str) -> None:
    assert line.startswith(tuple(NOT_OURS)), f"{where}: {line}: run it, or say here who does"


def test_what_is_run_elsewhere_is_still_written_down() -> None:
    lines = [line for _, line in written_commands()]
    assert all(any(line.startswith(start) for line in lines) for start in ELSEWHERE if start != "burstline aws ...")
    assert os.environ.get("AWS_ENDPOINT_URL") is None
