"""A plan signed with SigV4: requests that differ, each with its own signature, and one that never changes."""

from burstline.core.load.plan import Auth, AuthKind, Constant, Phase

from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds, spread
from benchmarks.engine.target import Target, target
from benchmarks.engine.throughput import LATE_S, Ladder
from benchmarks.engine.worker import Worker, plan

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "an example, no key"}
AUTH = Auth(AuthKind.SIGV4, region="eu-west-1", service="execute-api")


def _rate(worker: Worker, to: Target, options: Options, path: str, cpu_s: list[float], ladder: Ladder) -> float:
    def holds(rate: float) -> bool:
        to.behave()
        asked = plan(to.url, Phase("all", options.seconds, Constant(rate)), auth=AUTH, path=path)
        sent = worker.send(asked)
        cpu_s.append(sent.cpu_per_request_s)
        return sent.dropped == 0 and sent.lateness_p99_s < LATE_S

    return ladder.climb(holds)


def measure(options: Options) -> list[Row]:
    """Return the row."""
    changing: list[float] = []
    constant: list[float] = []
    ladders = [Ladder(300.0, 400.0) if options.quick else Ladder(6000.0) for _ in range(2)]
    with exact(options) as options, target(realtime=options.realtime) as to:
        worker = Worker(options.realtime, environment=KEYS)
        contenders = {
            "each signed": lambda: _rate(worker, to, options, "/quote?n={{ n }}", changing, ladders[0]),
            "never changes": lambda: _rate(worker, to, options, "/quote?sku=1", constant, ladders[1]),
        }
        found = rounds(options, contenders)
        worker.close()
    mine = found["each signed"]
    cpu_us = [f"{1e6 * median(used):.0f}" for used in (changing, constant)]
    text = (
        f"{spread(mine)} with a template ({cpu_us[0]} microseconds of CPU each); "
        f"{spread(found['never changes'])} where nothing changes ({cpu_us[1]})"
    )
    return [Row("SigV4-signed plan, requests/s on one core", ">= 12,000", text, "", median(mine) >= 12_000)]


if __name__ == "__main__":
    alone(measure)
