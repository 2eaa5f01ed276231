"""Every wrong plan is refused with the field, the line and what is allowed; several mistakes come out at once."""
# ruff: noqa: E501  (a table reads best with a case a line)

from pathlib import Path

import pytest
from burstline.client.errors import InvalidPlan
from burstline.client.problems import Problem
from burstline.client.spelling.plans import load_plan

GOOD = """\
name: steady
target: {url: "http://localhost:9/prod", front: rest}
requests:
  - name: quote
    get: /quote
load:
  - for: 10s
    rate: 5
"""


def mistakes(folder: Path, text: str, **options: object) -> tuple[Problem, ...]:
    plan = folder / "plan.yaml"
    plan.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidPlan) as caught:
        load_plan(plan, **options)  # type: ignore[arg-type]  # the table's options fit
    return caught.value.problems


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_an_account_file_in_place_of_a_plan_is_called_by_its_name_and_nothing_else_is_said(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, "region: eu-west-1\nlambda: {concurrency: 1000}\n")
    assert "describes an account, not a plan" in str(problem)
    assert "--account FILE" in str(problem)


# id, plan, field, line, words of the message
WRONG = [
    ("a duration without a unit", changed("for: 10s", "for: 10"), "load[0].for", 7, "did you mean 10s?"),
    ("a duration of nonsense", changed("10s", "10 parsecs"), "load[0].for", 7, "such as 50ms, 30s, 2m or 1h30m"),
    ("a phase of no length", changed("10s", "0s"), "load[0].for", 7, "over 0, at most 7 days"),
    ("a phase of 8 days", changed("10s", "8d"), "load[0].for", 7, "at most 7 days"),
    ("a negative rate", changed("rate: 5", "rate: -5"), "load[0].rate", 8, "found -5; allowed: requests per second"),
    ("a rate of 0", changed("rate: 5", "rate: 0"), "load[0].rate", 8, "a number over 0"),
    ("a rate that is text", changed("rate: 5", "rate: fast"), "load[0].rate", 8, 'found "fast"'),
    ("a rate that is not a number", changed("rate: 5", "rate: .nan"), "load[0].rate", 8, 'found ".nan"'),
    ("a rate with a leading zero", changed("rate: 5", "rate: 012"), "load[0].rate", 8, "leading zero"),
    ("a misspelled key of a phase", changed("rate: 5", "rat: 5"), "load[0].rat", 8, 'did you mean "rate"?'),
    (
        "a key that does not go with the shape",
        changed("rate: 5", "rate: 5\n    think: 1s"),
        "load[0].think",
        9,
        "does not go with a phase of kind constant",
    ),
    ("a phase without a shape", changed("    rate: 5\n", ""), "load[0]", 7, "says nothing of what is sent"),
    ("a ramp from 0 to 0", changed("rate: 5", "rate: 0\n    to: 0"), "load[0].to", 9, "allowed: rate or to over 0"),
    ("one step", changed("rate: 5", "rate: 5\n    to: 9\n    steps: 1"), "load[0].steps", 10, "2 to 10000"),
    (
        "bursts wider than their distance",
        changed("rate: 5", "bursts: {size: 5, every: 1s, width: 2s}"),
        "load[0].bursts.width",
        8,
        "found 2s; allowed: at most every (1s)",
    ),
    (
        "bursts without a width",
        changed("rate: 5", "bursts: {size: 5, every: 1s}"),
        "load[0].bursts.width",
        8,
        "is missing",
    ),
    (
        "half a request in a burst",
        changed("rate: 5", "bursts: {size: 0.5, every: 1s, width: 0}"),
        "load[0].bursts.size",
        8,
        "a whole number",
    ),
    (
        "a wave below zero",
        changed("rate: 5", "sine: {mean: 5, amplitude: 6, period: 1m}"),
        "load[0].sine.amplitude",
        8,
        "0 to the mean (5)",
    ),
    ("no users", changed("rate: 5", "users: 0"), "load[0].users", 8, "1 to 100000"),
    ("an unknown placement", changed("rate: 5", "rate: 5\n    arrivals: odd"), "load[0].arrivals", 9, "even, poisson"),
    ("two phases of one name", changed("rate: 5", "rate: 5\n    name: a\n  - {for: 1s, rate: 1, name: a}"), "load[1].name", 10, "already"),
    ("no load", GOOD.partition("load:")[0], "load", 1, "is missing"),
    ("a load that is a mapping", changed("  - for: 10s\n    rate: 5", "  for: 10s\n  rate: 5"), "load", 6, "a list"),
    ("a target without a scheme", changed("http://localhost:9/prod", "localhost/prod"), "target.url", 2, "absolute URL"),
    ("a target with a password", changed("localhost:9", "a:b@localhost:9"), "target.url", 2, "a password in a URL"),
    ("a misspelled key of the target", changed("front:", "frnt:"), "target.frnt", 2, 'did you mean "front"?'),
    ("an unknown front", changed("front: rest", "front: soap"), "target.front", 2, "rest, http, function_url"),
    ("two methods", changed("get: /quote", "get: /a\n    put: /b"), "requests[0].put", 6, "one method per request"),
    ("no method", changed("get: /quote", "weight: 1"), "requests[0]", 4, "a method with its path"),
    ("two bodies", changed("get: /quote", "post: /q\n    body: a\n    json: 1"), "requests[0].body", 6, "one of json, body, body_file"),
    ("a write that is not allowed", changed("get: /quote", "post: /q"), "requests[0].post", 5, "writes: allowed"),
    ("a path without a slash", changed("get: /quote", "get: quote"), "requests[0].get", 5, "does not start with '/'"),
    ("a status that does not exist", changed("get: /quote", "get: /q\n    expect: {status: 99}"), "requests[0].expect.status", 6, "100 to 599"),
    ("a template nobody fills", changed("get: /quote", 'get: "/{{ sku }}"'), "requests[0].get", 5, "{{ sku }} is unknown"),
    ("a broken template", changed("get: /quote", 'get: "/{{ sku"'), "requests[0].get", 5, "not a template"),
    ("a template without quotes", changed("get: /quote", "body: {{ sku }}"), "requests[0].body.?", 5, "in quotes"),
    ("a weight of 0", changed("get: /quote", "get: /q\n    weight: 0"), "requests[0].weight", 6, "over 0"),
    ("a body file that is missing", changed("get: /quote", "get: /q\n    body_file: b.bin"), "requests[0].body_file", 6, "no such file"),
    ("a header with a line break", changed("get: /quote", 'get: /q\n    headers: {a: "b\\nc"}'), "requests[0].headers", 6, "line break"),
    ("a data file that is missing", GOOD + "data: {csv: rows.csv}\n", "data.csv", 9, "no such file"),
    ("two data files", GOOD + "data: {csv: a, jsonl: b}\n", "data.jsonl", 9, "csv: FILE or jsonl: FILE"),
    ("a secret in the plan", GOOD + "auth: {bearer: abc}\n", "auth.bearer", 9, "${env:API_KEY}"),
    ("two ways to authenticate", GOOD + 'auth: {bearer: "${env:A}", api_key: "${env:B}"}\n', "auth.bearer", 9, "exactly one"),
    ("a threshold without a unit", GOOD + 'thresholds: ["latency p99 < 300"]\n', "thresholds[0]", 9, "such as 300ms"),
    ("a threshold on nothing known", GOOD + 'thresholds:\n  - "ok > 1%"\n  - "oks > 1%"\n', "thresholds[1]", 11, "is no measure"),
    ("a threshold with a duration", GOOD + 'thresholds: ["ok > 1% for 5s"]\n', "thresholds[0]", 9, "belongs to abort"),
    ("a tolerance over 100%", GOOD + "tolerance: {throttled: 101%}\n", "tolerance.throttled", 9, "0% to 100%"),
    ("a yes for true", GOOD + "marks: yes\n", "marks", 9, 'found "yes"; allowed: true or false'),
    ("a negative seed", GOOD + "seed: -1\n", "seed", 9, "a whole number 0 to"),
    ("a goal without a rate", GOOD + "goal: {by: 2027-03-01}\n", "goal.rate", 9, "is missing"),
    ("a goal on no date", GOOD + "goal: {rate: 1, by: spring}\n", "goal.by", 9, "a date such as"),
    ("a ceiling of 0", GOOD + "ceilings: {rate: 0}\n", "ceilings.rate", 9, "over 0"),
    ("a key twice", GOOD + "name: again\n", "name", 9, "it stands in line 1 already"),
    ("an unknown section", GOOD + "treshholds: []\n", "treshholds", 9, 'did you mean "thresholds"?'),
    ("an account that is missing", GOOD + "account: a.yaml\n", "account", 9, "no such file"),
    ("a wrong number in the account", GOOD + "account: {lambda: {concurrency: -1}}\n", "account.lambda.concurrency", 9, "0 or more"),
    (
        "more provisioned than reserved",
        GOOD + "account:\n  lambda:\n    functions:\n      f: {reserved: 1, provisioned: 2}\n",
        "account.lambda.functions.f.provisioned",
        12,
        "no more than is reserved",
    ),
    (
        "a stage without a burst",
        GOOD + "account: {apigateway: {stages: {prod: {rate: 5}}}}\n",
        "account.apigateway.stages.prod.burst",
        9,
        "it is missing",
    ),
    ("a tab", changed("    rate: 5", "\trate: 5"), "", 8, "found a tab"),
    ("an open bracket", GOOD + "thresholds: [\n", "", 10, "is not YAML"),
    ("a second colon", GOOD + "x: a: b\n", "", 9, "in quotes"),
    ("two documents", GOOD + "---\na: 1\n", "", 9, "one per file"),
    ("a tag", changed("name: steady", "name: !!python/name:os.system x"), "name", 1, "found the tag"),
    ("a list for a plan", "- a\n", "", 1, "found a list; allowed: a mapping"),
    ("nothing", "", "", 1, "the file is empty"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "field", "line", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_a_wrong_plan_names_field_line_and_what_is_allowed(
    tmp_path: Path, text: str, field: str, line: int, words: str
) -> None:
    found = mistakes(tmp_path, text)
    assert [(p.field, p.line) for p in found if words in p.message] == [(field, line)], "\n".join(map(str, found))
    assert all(p.file == str(tmp_path / "plan.yaml") for p in found)


def test_the_plan_that_the_wrong_ones_are_made_from_is_good(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(GOOD)
    assert load_plan(tmp_path / "plan.yaml").notes == ()


def test_mistakes_of_every_kind_come_out_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = """\
target: {url: "ftp://x", front: soap}
requests:
  - {name: a, weight: -1, gt: /}
  - {name: b, post: /orders}
  - {name: c, get: "/{{ nobody }}"}
load:
  - {for: 10, rate: -1}
  - {for: 1s, rate: 1}
thresholds: ["latency < 3"]
seed: x
account: {regoin: eu-west-1}
"""
    found = mistakes(tmp_path, text)
    assert [(p.line, p.field) for p in found] == [
        (1, "target.url"),
        (1, "target.front"),
        (3, "requests[0].weight"),
        (3, "requests[0].gt"),
        (4, "requests[1].post"),
        (5, "requests[2].get"),
        (7, "load[0].for"),
        (7, "load[0].rate"),
        (9, "thresholds[0]"),
        (10, "seed"),
        (11, "account.regoin"),
    ]


def test_a_mistake_in_an_account_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "account.yaml").write_text("region: eu-west-1\nlambda:\n  concurency: 5\n")
    (found,) = mistakes(tmp_path, GOOD + "account: account.yaml\n")
    assert str(found).startswith(f"{tmp_path / 'account.yaml'}:3:3: lambda.concurency: no such field; did you mean")


def test_a_mistake_in_an_option_names_the_option(tmp_path: Path) -> None:
    found = mistakes(tmp_path, GOOD, settings=("load.0.rate=x", "load.7.rate=1", "nonsense"), target="nowhere")
    assert {(p.file, p.line) for p in found} == {
        ("--set load.0.rate=x", 0),
        ("--set load.7.rate=1", 0),
        ("--set nonsense", 0),
        ("--target nowhere", 0),
    }


def test_a_plan_that_is_missing_is_a_mistake_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlan, match="cannot be read: no such file"):
        load_plan(tmp_path / "nothing.yaml")


def test_a_plan_of_bytes_that_are_no_text_is_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_bytes(b"name: a\nload: \xff\n")
    with pytest.raises(InvalidPlan, match=r":2:1: found bytes that are not UTF-8"):
        load_plan(tmp_path / "plan.yaml")


def test_aliases_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert any("too many values" in p.message for p in mistakes(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "is empty"),
        ("sku\n", "has no rows"),
        ("sku,sku\n1,2\n", "repeated names"),
        ("sku,price\n1,2\n3\n", "line 3: found 1 values; allowed: 2"),
    ],
    ids=["empty", "header only", "a column twice", "a short row"],
)
def test_a_wrong_csv_file_is_refused_with_its_line(tmp_path: Path, rows: str, words: str) -> None:
    (tmp_path / "rows.csv").write_text(rows)
    (found,) = mistakes(tmp_path, GOOD + "data: {csv: rows.csv}\n")
    assert words in found.message
    assert found.field == "data.csv"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "is empty"),
        ("[1]\n", "line 1: allowed: one JSON object"),
        ('{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ('{"a": 1}\n{"b": 1}\n', "line 2: a of the first row is missing"),
    ],
    ids=["empty", "a list", "broken", "a key is missing"],
)
def test_a_wrong_jsonl_file_is_refused_with_its_line(tmp_path: Path, rows: str, words: str) -> None:
    (tmp_path / "rows.jsonl").write_text(rows)
    (found,) = mistakes(tmp_path, GOOD + "data: {jsonl: rows.jsonl}\n")
    assert words in found.message


def test_a_bad_key_hides_no_mistake_in_the_rest_of_its_request(tmp_path: Path) -> None:
    text = changed(
        "  - name: quote\n    get: /quote\n",
        "  - {name: quote, weight: -3, get: '/quote?sku={{ sku }}'}\n  - {name: order, post: /orders, jsn: {a: 1}}\n",
    )
    assert {problem.field for problem in mistakes(tmp_path, text)} == {
        "requests[0].weight",
        "requests[0].get",
        "requests[1].jsn",
        "requests[1].post",
    }
