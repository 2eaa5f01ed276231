"""A run in processes of their own that a real Prometheus scrapes."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from faults.processes import Child, end_all, until
from ports import free_port

BURSTLINE = (sys.executable, "-m", "burstline.client")
SCRAPE_EVERY_S = 0.5
NAME = "scraped"
TRY_FOR_S = 45.0
"""No further try is begun after this."""

ACCOUNT = """\
region: eu-west-1
apigateway: {rate: 1000, burst: 500, stages: {prod: {rate: 40, burst: 20}}}
lambda:
  concurrency: 100
  functions: {catalog: {reserved: 30, duration: 20ms, memory_mb: 128}}
emulator: {front: rest, stage: prod}
"""
PLAN = f"""\
name: {NAME}
target: {{url: "http://127.0.0.1:1/prod", front: rest, function: catalog, stage: prod}}
requests: [{{name: quote, get: /quote}}]
account: account.yaml
load:
  - {{name: calm, for: 3s, rate: 20}}
  - {{name: over, for: 7s, rate: 80}}
"""
"""Below the stage's throttle, then at twice its rate."""


class Prometheus:
    """A Prometheus of its own folder and port.

    Args:
        folder: for its configuration and data.
        jobs: job name to the addresses (host:port) it scrapes.
    """

    def __init__(self, folder: Path, jobs: dict[str, Sequence[str]]) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        scrapes = [{"job_name": job, "static_configs": [{"targets": list(those)}]} for job, those in jobs.items()]
        every = {"scrape_interval": f"{SCRAPE_EVERY_S * 1000:.0f}ms", "scrape_timeout": "400ms"}
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({"global": every, "scrape_configs": scrapes}))  # JSON is YAML
        program = shutil.which("prometheus")
        assert program is not None, "the tests that use it skip where there is none"
        self.child = Child(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self._address}",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
            {},
        )

    def ready(self) -> bool:
        """Return whether it answers and all its targets were scraped."""
        try:
            found = self.query("up")
        except OSError:
            return False
        return bool(found) and all(one["value"][1] == "1" for one in found)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the instant vector of an expression: labels in `metric`, [time, text] in `value`."""
        return self._get("query", {"query": expression})

    def query_range(self, expression: str, from_s: float, to_s: float) -> list[dict[str, Any]]:
        """Return the series of an expression between two Unix times, in steps of a second."""
        return self._get("query_range", {"query": expression, "start": from_s, "end": to_s, "step": 1})

    def value(self, expression: str) -> float:
        """Return the one number that an expression has."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression}: {found}"
        return float(found[0]["value"][1])

    def label_values(self, label: str, selector: str) -> list[str]:
        """Return the values that a label has among some series."""
        with urlopen(
            f"http://{self._address}/api/v1/label/{label}/values?{urlencode({'match[]': selector})}"
        ) as answer:
            values: list[str] = json.load(answer)["data"]
        return values

    def _get(self, what: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        with urlopen(f"http://{self._address}/api/v1/{what}?{urlencode(arguments)}", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


@dataclass(frozen=True, slots=True)
class Watched:
    """A run that ended while Prometheus looked on, and everything that took part, still there.

    Attributes:
        prometheus: what scraped it.
        report: the run's.
        slot: the label `run` of its series.
        from_s: Unix time before it began.
        to_s: Unix time after its report was scraped.
        server: host:port of the server's /metrics.
        workers: host:port of each worker's /metrics.
    """

    prometheus: Prometheus
    report: dict[str, Any]
    slot: str
    from_s: float
    to_s: float
    server: str
    workers: tuple[str, ...]


class Stage:
    """Emulator, server, two workers and Prometheus, for runs to be watched; `close` ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "account.yaml").write_text(ACCOUNT)
        (folder / "plan.yaml").write_text(PLAN)
        self.http, metrics = f"127.0.0.1:{free_port()}", free_port(2)
        self._server = f"127.0.0.1:{free_port()}"
        emulated = f"127.0.0.1:{free_port()}"
        self._target = f"http://{emulated}/prod"
        self.workers = (f"127.0.0.1:{metrics}", f"127.0.0.1:{metrics + 1}")
        store = f"sqlite:///{folder / 'server.db'}"
        self.prometheus = Prometheus(folder, {"burstline": [self.http], "burstline-workers": self.workers})
        self._children = [
            self.prometheus.child,
            self._start("emulate", "--account", "account.yaml", "--listen", emulated),
            self._start("serve", "--listen", self._server, "--http", self.http, "--store", store),
            self._start("work", "--server", self._server, "--processes", "2", "--metrics", self.workers[0]),
        ]

    def _start(self, *arguments: str) -> Child:
        home = {"HOME": str(self._folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "BURSTLINE_SERVER": ""}
        paths = [str(self._folder / one) if one.endswith(".yaml") else one for one in arguments]
        return Child([*BURSTLINE, *paths], self._folder / f"{arguments[0]}.log", home)

    def close(self) -> None:
        """End everything."""
        end_all(self._children)

    def watch(self) -> Watched:
        """Run the plan, again while this machine is too busy to keep its pace, at most three times or a minute."""
        until(self.prometheus.ready, 60.0, "Prometheus scrapes the server and both workers")
        # a query, since there is no value before the server's first scrape
        until(lambda: bool(self.prometheus.query("max(burstline_workers) == 2")), 60.0, "both workers are attached")
        end_s = time.monotonic() + TRY_FOR_S
        watched = self._watch_once()
        for _ in range(2):
            if watched.report["verdict"] == "generator_limited" and time.monotonic() < end_s:
                watched = self._watch_once()
        return watched

    def _watch_once(self) -> Watched:
        from_s, file = time.time(), self._folder / "report.json"
        run = self._start(
            "run", "plan.yaml", "--server", self._server, "--target", self._target, "--json", str(file), "--quiet"
        )
        run.wait(60.0)
        report = json.loads(file.read_text())
        series = f'burstline_run_info{{id="{report["run"]["id"]}"}}'
        until(lambda: bool(self.prometheus.query(series)), 10.0, f"{series} is scraped")
        slot = self.prometheus.query(series)[0]["metric"]["run"]
        total = f'sum(burstline_requests_total{{run="{slot}"}})'
        sent = report["ledger"]["sent"]
        until(lambda: bool(self.prometheus.query(f"{total} == {sent}")), 10.0, f"{total} is the report's")
        time.sleep(2 * SCRAPE_EVERY_S)  # so that what follows from the report is scraped too
        return Watched(self.prometheus, report, slot, from_s, time.time(), self.http, self.workers)
