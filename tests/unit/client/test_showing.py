"""What the terminal shows while a run goes on, and how numbers read."""

import io

import pytest
from burstline.client.running.following import QuietView
from burstline.client.running.progress import (
    LineView,
    line_text,
    picture,
    quotas_table,
    throttles,
    throttles_by_layer,
)
from burstline.client.wording import clock_text, latency_text, rate_text, span_text
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as runs
from google.protobuf.duration_pb2 import Duration
from rich.console import Console


def update(second: float = 5, **fields: object) -> runs.RunProgress:
    known = {
        "run": v1.Run(name="runs/a", plan=v1.Plan(name="launch"), state=v1.Run.RUNNING),
        "elapsed_duration": Duration(seconds=int(second)),
        "planned_duration": Duration(seconds=60),
        "phase": "bursts",
        "worker_count": 2,
        "scheduled_count": 6000,
        "sent_count": 1234,
        "in_flight_count": 7,
        "outcomes": {"ok": 1000, "throttled": 234, "failed": 0},
        "signatures": {"rest.ok": 1000, "rest.429.too_many": 234},
        "due_count_per_second": 340.0,
        "sent_count_per_second": 338.0,
        "p99_duration": Duration(nanos=45_100_000),
    }
    return runs.RunProgress(**{**known, **fields})  # type: ignore[arg-type]  # fields by name


def drawn(progress: runs.RunProgress, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(picture(progress, width))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    return text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_picture_has_phase_time_rates_outcomes_latency_and_throttles(width: int) -> None:
    text = drawn(update(), width)
    for words in (
        "launch", "phase bursts", "00:05 of 01:00, 00:55 left", "due 340/s   sent 338/s", "in flight 7", "2 workers",
        "1,234 sent of 6,000", "ok 1,000", "throttled 234", "p99 45.1 ms", "rest.429.too_many 234",
    ):  # fmt: skip
        assert words in " ".join(text.split("\n")) or words.replace("   ", " ") in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= width
    assert "failed" not in text


def test_before_the_start_the_picture_counts_down() -> None:
    assert "starts in 1.5 s" in drawn(update(elapsed_duration=Duration(seconds=-1, nanos=-500_000_000)), 80)


def test_only_signatures_that_may_be_throttles_are_named_the_most_frequent_first() -> None:
    counts = {"rest.ok": 5, "rest.4xx": 9, "rest.429.too_many": 1, "rest.500.internal": 3, "new.kind": 8}
    assert throttles(update(signatures=counts)) == [("rest.500.internal", 3), ("rest.429.too_many", 1)]


def test_without_a_terminal_there_is_one_line_a_second_and_one_per_state() -> None:
    console = Console(file=io.StringIO(), width=20)
    view = LineView(console)
    for second in (0, 1, 1, 2):
        view.show(update(second))
    view.show(update(3, run=v1.Run(state=v1.Run.SETTLING), notices=["a worker was lost"]))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO
    assert lines[0] == "running"
    assert [line[:5] for line in lines[1:3]] == ["00:01", "00:02"]
    assert lines[3:] == ["a worker was lost", "settling: last answers, judgement"]


def test_a_line_has_what_is_known_and_leaves_out_what_is_not() -> None:
    line = line_text(update(dropped_count=3))
    assert line == (
        "00:05/01:00  bursts  due 340/s  sent 338/s  ok 1,000  throttled 234  ok p99 45.1 ms  in flight 7  dropped 3"
    )
    empty = runs.RunProgress(planned_duration=Duration(seconds=1))
    assert line_text(empty) == "00:00/00:01  -  due 0/s  sent 0/s  ok p99 -  in flight 0"


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    view = QuietView()
    view.show(update())
    view.say("hello")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rate_text(0), "0/s"),
        (rate_text(0.5), "0.5/s"),
        (rate_text(1200), "1,200/s"),
        (span_text(0.05), "50 ms"),
        (span_text(1.5), "1.5 s"),
        (span_text(210), "3 m 30 s"),
        (span_text(7500), "2 h 05 m"),
        (clock_text(-3), "00:00"),
        (clock_text(3661), "1:01:01"),
        (latency_text(None), "-"),
        (latency_text(0.00412), "4.12 ms"),
        (latency_text(0.312), "312 ms"),
        (latency_text(1.25), "1.25 s"),
    ],
)
def test_numbers_read_as_a_person_writes_them(text: str, expected: str) -> None:
    assert text == expected


def use(quota: str, layer: str, used: float, *, binding: bool = False) -> runs.QuotaUse:
    return runs.QuotaUse(
        quota=quota, title=f"{layer} limit".replace("_", " "), layer=layer, limit=200.0, use=used, binding=binding
    )


USES = [
    use("a", "stage", 230.0, binding=True),
    use("b", "account_gateway", 170.0),
    use("c", "account_concurrency", 10.0),
]


def test_throttles_are_counted_by_the_layers_that_stand_in_the_way() -> None:
    counts = {"rest.429.too_many": 5, "rest.429.plan_quota": 2, "rest.429.other": 1, "rest.ok": 9}
    progress = update(signatures=counts, quota_uses=USES)
    both = "stage limit or account gateway limit"
    assert throttles_by_layer(progress) == [(both, 6), ("not in the plan's quotas", 2)]
    assert throttles_by_layer(update(signatures={"rest.429.other": 1})) == [("rest.429.other", 1)]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_each_quota_has_a_bar_with_its_use_and_the_one_that_binds_says_so(width: int) -> None:
    lines = drawn(update(quota_uses=USES), width).splitlines()
    assert max(map(len, lines)) <= width
    (stage,) = [line for line in lines if line.startswith("stage limit")]
    assert "230 of 200" in stage
    assert stage.rstrip().endswith("BINDS")
    (account,) = [line for line in lines if line.startswith("account gateway limit")]
    assert account.rstrip().endswith("85%")


def test_a_bar_is_red_while_its_quota_binds_yellow_when_nearly_full_and_fills_with_its_use() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system="standard")
    for number, one in enumerate(USES):
        console.print(quotas_table([one], 100))
        text = out.getvalue()
        out.seek(0)
        out.truncate()
        colour = ("\x1b[31m", "\x1b[33m", "\x1b[32m")[number]
        filled = text.split(colour)[1].split("\x1b")[0]
        assert len(filled) == (44, 37, 2)[number], repr(text)


def test_a_line_names_the_quota_that_binds() -> None:
    assert line_text(update(quota_uses=USES)).endswith("in flight 7  stage limit 230 of 200 BINDS")
