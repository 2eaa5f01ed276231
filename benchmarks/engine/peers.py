"""Other load tools as commands: closed loops as fast as they can, and paced ones. The target counts, not they."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.engine.bench import Options
from benchmarks.engine.machine import Usage, cores, run_pinned

CONNECTION_COUNT = 64

Command = Callable[[str, str, float, float, Path], Sequence[str]]
"""program, url, rate (requests/s; 0: as fast as it can), seconds, a folder for its files -> command line"""


def _wrk(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    return [program, "-t1", f"-c{CONNECTION_COUNT}", f"-d{round(seconds)}s", url]


def _wrk2(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    paced = f"-R{round(rate) or 1_000_000}"
    return [program, "-t1", f"-c{CONNECTION_COUNT}", f"-d{round(seconds)}s", paced, "--latency", url]


def _hey(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    count = 50 if rate else CONNECTION_COUNT
    paced = ["-q", str(rate / count)] if rate else []
    return [program, "-z", f"{round(seconds)}s", "-c", str(count), "-t", "30", *paced, url]


def _ab(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    return [program, "-k", "-q", "-c", str(CONNECTION_COUNT), "-t", str(round(seconds)), "-n", "9999999", url + "/"]


def _autocannon(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    paced = ["-R", str(round(rate))] if rate else []
    return [program, "-c", str(CONNECTION_COUNT), "-d", str(round(seconds)), "-j", *paced, url]


_LOCUST = """
import os
from locust import FastHttpUser, constant, constant_throughput, task

class Visitor(FastHttpUser):
    insecure = True
    wait_time = constant_throughput({each}) if {each} else constant(0)
    @task
    def quote(self):
        self.client.get("/quote?sku=1")
"""


def _locust(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    count = 100 if rate else CONNECTION_COUNT
    file = folder / "locustfile.py"
    file.write_text(_LOCUST.format(each=rate / count))
    limits = ["-u", str(count), "-r", str(count), "-t", f"{round(seconds)}s"]
    return [program, "-f", str(file), "-H", url, "--headless", "--json", *limits]


def _artillery(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    file = folder / "artillery.json"
    phase = {"duration": round(seconds), "arrivalRate": round(rate) or 4000}
    config = {
        "target": url,
        "phases": [phase],
        "tls": {"rejectUnauthorized": False},
        "http": {"pool": CONNECTION_COUNT},
    }
    file.write_text(json.dumps({"config": config, "scenarios": [{"flow": [{"get": {"url": "/quote?sku=1"}}]}]}))
    report = folder / "artillery-report.json"
    return ["sh", "-c", f"{program} run -q --output {report} {file} > {folder}/said && cat {report}"]


def _vegeta(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    flags = f"-rate={round(rate)} -duration={seconds:g}s -insecure -max-workers=2000"
    if not rate:
        flags = f"-rate=0 -max-workers={CONNECTION_COUNT} -duration={seconds:g}s -insecure"
    return ["sh", "-c", f"echo GET {url}/quote?sku=1 | {program} attack {flags} | {program} report -type=json"]


_K6 = """
import http from 'k6/http';
export const options = {{
  insecureSkipTLSVerify: true, discardResponseBodies: true,
  summaryTrendStats: ['p(99)'], scenarios: {{ all: {scenario} }},
}};
export default function () {{ http.get('{url}/quote?sku=1'); }}
"""


def _k6(program: str, url: str, rate: float, seconds: float, folder: Path) -> Sequence[str]:
    duration = f"{seconds:g}s"
    scenario: dict[str, object] = {"executor": "constant-vus", "vus": CONNECTION_COUNT, "duration": duration}
    if rate:
        scenario = {"executor": "constant-arrival-rate", "rate": round(rate), "timeUnit": "1s", "duration": duration}
        scenario |= {"preAllocatedVUs": 200, "maxVUs": 2000}
    file = folder / "k6.js"
    file.write_text(_K6.format(scenario=json.dumps(scenario), url=url))
    return [program, "run", "--quiet", "--summary-mode=compact", str(file)]


COMMANDS: dict[str, Command] = {
    "wrk": _wrk,
    "wrk2": _wrk2,
    "hey": _hey,
    "ab": _ab,
    "autocannon": _autocannon,
    "locust": _locust,
    "artillery": _artillery,
    "vegeta": _vegeta,
    "k6": _k6,
}
PACED = ("wrk2", "vegeta", "k6", "hey", "autocannon", "locust")
"""Those that can keep a rate, whatever they call it."""


def attack(options: Options, name: str, url: str, rate: float, seconds: float) -> Usage:
    """Run a peer against a target on the generator's core.

    Raises:
        RuntimeError: it ended with an error.
    """
    with tempfile.TemporaryDirectory(prefix="burstline-benchmark-") as folder:
        command = COMMANDS[name](options.programs[name], url, rate, seconds, Path(folder))
        used = run_pinned(command, cores()[0], options.realtime, seconds * 3 + 60, folder)
    if used.code not in (0, 1):
        raise RuntimeError(f"exit code {used.code}: {used.output[-200:]}")
    return used
