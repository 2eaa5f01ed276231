"""What the friendly spelling means: each form of a plan comes out as the message it stands for."""

import hashlib
import json
from pathlib import Path

import pytest
from burstline.client.spelling.plans import LoadedPlan, load_plan
from burstline.core.load import plan as core
from burstline.v1 import resources_pb2 as v1

HEAD = 'target: {url: "http://localhost:9/prod", front: rest}\nrequests: [{get: /}]\n'


def load(folder: Path, text: str, **options: object) -> LoadedPlan:
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    return load_plan(folder / "plan.yaml", **options)  # type: ignore[arg-type]  # the callers' options fit


def phase(folder: Path, text: str) -> core.Phase:
    return load(folder, f"{HEAD}load:\n  - {text}\n").record.load[0]


@pytest.mark.parametrize(
    ("text", "shape", "duration_s"),
    [
        ("{for: 30s, rate: 100}", core.Constant(100), 30),
        ("{for: 1h30m, rate: 0.5}", core.Constant(0.5), 5400),
        ("{for: 2m, rate: 100, to: 1200}", core.Ramp(100, 1200), 120),
        ("{for: 2m, rate: 0, to: 1_200}", core.Ramp(0, 1200), 120),
        ("{for: 1m, rate: 10, to: 50, steps: 5}", core.Step(10, 50, 5), 60),
        ("{pause: 1.5s}", core.Pause(), 1.5),
        ("{for: 1m, bursts: {size: 800, every: 5s, width: 50ms}}", core.Bursts(800, 5, 0.05, 0), 60),
        ("{for: 1m, rate: 9, bursts: {size: 8, every: 5s, width: 0}}", core.Bursts(8, 5, 0, 9), 60),
        ("{for: 1d, sine: {mean: 9, amplitude: 3, period: 1h}}", core.Sine(9, 3, 3600), 86400),
        ("{for: 1m, users: 40, think: 250ms}", core.Users(40, 0.25), 60),
    ],
    ids="constant,below one,ramp,ramp with _,step,pause,bursts,bursts over a rate,sine,users".split(","),
)  # fmt: skip
def test_each_shape_of_load(tmp_path: Path, text: str, shape: core.Shape, duration_s: float) -> None:
    assert phase(tmp_path, text) == core.Phase("phase 1", duration_s, shape)


def test_poisson_arrivals_and_a_name(tmp_path: Path) -> None:
    got = phase(tmp_path, "{name: warm up, for: 1s, rate: 5, arrivals: poisson}")
    assert got == core.Phase("warm up", 1, core.Constant(5), core.Arrivals.POISSON)


@pytest.mark.parametrize(
    ("status", "ranges"),
    [
        ("201", [(201, 201)]),
        ("[200, 404]", [(200, 200), (404, 404)]),
        ('"2xx"', [(200, 299)]),
        ('["2xx", 304]', [(200, 299), (304, 304)]),
        ("200-204", [(200, 204)]),
    ],
)
def test_each_form_of_an_expected_status(tmp_path: Path, status: str, ranges: list[tuple[int, int]]) -> None:
    text = HEAD.replace("get: /", f"get: /, expect: {{status: {status}, body: done}}") + "load: [{for: 1s, rate: 1}]"
    expect = load(tmp_path, text).record.requests[0].expect
    assert [(r.low, r.high) for r in expect.statuses] == ranges
    assert expect.body_contains == "done"


def test_a_request_with_everything(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("sku,price\na,1\n")
    text = """\
target: http://localhost:9
writes: allowed
data: {csv: rows.csv, order: sequential}
requests:
  - name: order
    weight: 2.5
    post: "/orders/{{ n }}"
    query: {q: "{{ sku }}", page: 3, tag: [x, y]}
    headers: {X-On: on, Accept: text/plain}
    json: {sku: "{{ sku }}", country: NO, code: 007, at: 12:30, day: 2027-03-01, list: [1, 2.5, null, true]}
    timeout: 2s
    function: orders
load: [{for: 1s, rate: 1}]
"""
    loaded = load(tmp_path, text)
    (request,) = loaded.record.requests
    assert (request.method, request.path, request.weight, request.timeout_s) == ("POST", "/orders/{{ n }}", 2.5, 2.0)
    assert request.query == (("q", "{{ sku }}"), ("page", "3"), ("tag", "x"), ("tag", "y"))
    assert request.headers == (("X-On", "on"), ("Accept", "text/plain"))
    assert json.loads(request.json) == {
        "sku": "{{ sku }}",
        "country": "NO",
        "code": "007",
        "at": "12:30",
        "day": "2027-03-01",
        "list": [1, 2.5, None, True],
    }
    assert loaded.record.target.function_of == (("order", "orders"),)
    assert loaded.record.data == core.DataFile(
        hashlib.sha256(b"sku,price\na,1\n").hexdigest(),
        core.DataFormat.CSV,
        core.DataOrder.SEQUENTIAL,
        ("sku", "price"),
    )
    assert [file.path for file in loaded.files] == [tmp_path / "rows.csv"]


def test_a_json_body_of_null_is_a_body(tmp_path: Path) -> None:
    text = HEAD.replace("get: /", "post: /, json: null") + "writes: allowed\nload: [{for: 1s, rate: 1}]"
    assert load(tmp_path, text).record.requests[0].json == "null"


def test_a_body_file_goes_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"\x00\xff")
    text = HEAD.replace("get: /", "put: /, body_file: b.bin") + "writes: allowed\nload: [{for: 1s, rate: 1}]"
    loaded = load(tmp_path, text)
    assert loaded.record.requests[0].body_sha256 == hashlib.sha256(b"\x00\xff").hexdigest()
    assert loaded.files[0].path == tmp_path / "b.bin"


def test_the_policies(tmp_path: Path) -> None:
    text = (
        HEAD
        + """\
load: [{for: 1s, rate: 1}]
auth: {sigv4: {region: eu-west-1}}
goal: {rate: 3000, by: 2027-03-01}
tolerance: {throttled: 0.5%}
thresholds: ["latency p99 < 300ms"]
abort: "failed > 20% for 5s"
ceilings: {rate: 5000, in_flight: 4000, requests: 1000000, duration: 1h, cost_usd: 20}
connections: {warm: 40, keep_alive: 30s, per: shared, ip: 4, dns: {every: 10s, spread: all}}
max_late: 50ms
seed: 7
marks: false
"""
    )
    plan = load(tmp_path, text).record
    assert plan.name == "plan"
    assert plan.goal == core.Goal(3000, "2027-03-01")
    assert plan.tolerated_throttled == 0.005
    assert [c.text for c in plan.abort] == ["failed > 20% for 5s"]
    assert plan.ceilings == core.Ceilings(5000, 4000, 1000000, 3600, 20)
    assert plan.connections == core.Connections(core.Warm.AUTO, 40, 30, "4", 10)
    assert (plan.max_late_s, plan.seed, plan.marks) == (0.05, 7, False)
    assert plan.auth == core.Auth(core.AuthKind.SIGV4, region="eu-west-1", service="execute-api")


def test_an_account_file_beside_the_plan(tmp_path: Path) -> None:
    (tmp_path / "account.yaml").write_text("""\
region: eu-west-1
apigateway:
  rate: 10000
  burst: 5000
  stages: {prod: {rate: 2000, burst: 1000}}
  usage_plans: {gold: {rate: 100, burst: 200, quota: {limit: 1000000, per: month}}}
lambda:
  concurrency: 0
  scaling: legacy
  functions:
    checkout: {reserved: 0, provisioned: 0, duration: {p50: 40ms, p99: 180ms}, errors: 1%, other_traffic: {rate: 50}}
    quick: {duration: 5ms}
    plain:
emulator: {front: rest}
""")
    loaded = load(tmp_path, HEAD + "load: [{for: 1s, rate: 1}]\naccount: account.yaml\n")
    account = loaded.account
    assert account.HasField("concurrency_count")
    assert account.concurrency_count == 0
    assert account.scaling == v1.Account.LEGACY
    assert account.functions["checkout"].HasField("reserved_count")
    assert account.functions["checkout"].error_ratio == 0.01
    assert account.functions["checkout"].p99_duration.nanos == 180_000_000
    assert account.functions["quick"].p99_duration.nanos == 5_000_000
    assert not account.functions["plain"].HasField("p50_duration")
    assert account.usage_plans["gold"].quota_count == 1_000_000
    assert loaded.message.target.stage == "prod"


def test_options_replace_what_the_file_says(tmp_path: Path) -> None:
    text = HEAD + "load: [{name: first, for: 1s, rate: 1}]\n"
    loaded = load(
        tmp_path, text, settings=("load.first.rate=500", "load[0].for=2m", "goal.rate=9"), target="http://localhost:1"
    )
    assert loaded.record.load == (core.Phase("first", 120, core.Constant(500)),)
    assert loaded.record.goal == core.Goal(9)
    assert loaded.record.target.url == "http://localhost:1"


@pytest.mark.parametrize(
    ("host", "front"),
    [
        ("abc.lambda-url.eu-west-1.on.aws", core.Front.FUNCTION_URL),
        ("my-1.eu-west-1.elb.amazonaws.com", core.Front.ALB),
        ("example.com", core.Front.PLAIN),
    ],
)
def test_the_front_is_taken_from_the_host_where_it_shows(tmp_path: Path, host: str, front: core.Front) -> None:
    loaded = load(tmp_path, f"target: https://{host}\nrequests: [{{get: /}}]\nload: [{{for: 1s, rate: 1}}]\n")
    assert loaded.record.target.front is front


def test_a_variable_that_is_missing_here_is_a_note_and_not_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BURSTLINE_TEST_KEY", raising=False)
    text = HEAD + 'load: [{for: 1s, rate: 1}]\nauth: {api_key: "${env:BURSTLINE_TEST_KEY}"}\n'
    (note,) = load(tmp_path, text).notes
    assert "BURSTLINE_TEST_KEY" in note
    monkeypatch.setenv("BURSTLINE_TEST_KEY", "secret")
    loaded = load(tmp_path, text)
    assert loaded.notes == ()
    assert "secret" not in str(loaded)


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = HEAD + "load:\n  - &base {name: a, for: 3s, rate: 7}\n  - {<<: *base, name: b}\n"
    assert [(p.name, p.duration_s) for p in load(tmp_path, text).record.load] == [("a", 3), ("b", 3)]
