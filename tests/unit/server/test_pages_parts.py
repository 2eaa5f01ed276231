"""The small parts of pages: colours, folding, masking, tables, and who may give orders."""

import itertools
from typing import Any

import pytest
from burstline.server.pages import formats, palette
from burstline.server.pages.folding import percentile_curve, series_of, value_at
from burstline.server.pages.masking import HIDDEN, masked
from burstline.server.pages.rendering import policy
from burstline.server.pages.tables import MOST_ROWS, thinned
from burstline.server.web import entry
from burstline.server.web.entry import Sessions, is_private_name, is_same_origin, own_path

TEXTS = ("TEXT", "QUIET", "LINK", "GOOD", "BAD", "DOUBT", "LIMIT")
LINES = ("DUE", "SENT", "ACCEPTED", "THROTTLED", "OTHER", "LIMIT", "P50", "P95", "P99")


def test_contrast_is_that_of_wcag() -> None:
    """Black on white is 21 : 1; #767676 on white is the known grey that just passes."""
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(("name", "ground", "scheme"), list(itertools.product(TEXTS, ("PAGE", "PANEL"), (0, 1))))
def test_text_is_readable_on_every_ground(name: str, ground: str, scheme: int) -> None:
    assert palette.contrast(getattr(palette, name)[scheme], getattr(palette, ground)[scheme]) >= 4.5


@pytest.mark.parametrize(("name", "scheme"), list(itertools.product(LINES, (0, 1))))
def test_lines_stand_out_from_the_page(name: str, scheme: int) -> None:
    assert palette.contrast(getattr(palette, name)[scheme], palette.PAGE[scheme]) >= 3


def test_a_long_series_is_folded_to_means_of_counts_and_the_highest_of_the_rest() -> None:
    columns = {"sent": [1, 3, 5, 7, 9], "latency_p99_s": [0.1, None, 0.3, 0.2, None]}
    folded = series_of({"series": {"step_s": 1, "columns": columns}}, most=3)
    assert folded.step_s == 2
    assert folded.columns == {"sent": [2, 6, 9], "latency_p99_s": [0.1, 0.3, None]}
    assert folded.starts_s == [0, 2, 4]
    assert folded.peak("sent") == (9, 4)
    assert folded.peak("concurrency") is None


def test_a_percentile_curve_ends_where_fewer_than_ten_samples_are_beyond() -> None:
    """Of 100, 50 lie below 1 ms, 90 below 2 ms; below 3 ms 5 are left, which tell no percentile."""
    distribution = {"count": 100, "below_s": [0.001, 0.002, 0.003, 0.004], "counts": [50, 40, 5, 5]}
    curve = percentile_curve(distribution)
    assert curve == [(0.0, 0.001), (0.5, 0.001), (0.9, 0.002)]
    assert value_at(curve, 0.75) == 0.002
    assert value_at(curve, 0.95) is None
    one_bucket = {"count": 1000, "below_s": [0.1], "counts": [1000]}
    assert percentile_curve(one_bucket) == [(0.0, 0.1), (0.99, 0.1)]
    assert percentile_curve({"count": 9, "below_s": [0.1], "counts": [9]}) == [(0.0, 0.1)]
    assert percentile_curve({"count": 0, "below_s": [], "counts": []}) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"headers": [["Authorization", "Bearer abc"]]}, {"headers": [["Authorization", HIDDEN]]}),
        ({"headers": [["x-api-key", "k"], ["accept", "*/*"]]}, {"headers": [["x-api-key", HIDDEN], ["accept", "*/*"]]}),
        ({"headers": [["Authorization", "Bearer ${env:T}"]]}, {"headers": [["Authorization", "Bearer ${env:T}"]]}),
        ({"password": "p", "name": "n"}, {"password": HIDDEN, "name": "n"}),
        ({"password": "${env:A}b"}, {"password": HIDDEN}),
        ({"path": "/a?b=1&access_token=xyz&c=2"}, {"path": f"/a?b=1&access_token={HIDDEN}&c=2"}),
        ({"url": "https://user:pw@host/a"}, {"url": "https://host/a"}),
        ({"auth": {"kind": "bearer"}}, {"auth": {"kind": "bearer"}}),
        ({"weights": [1, 2.5, None, True]}, {"weights": [1, 2.5, None, True]}),
    ],
)
def test_what_could_be_a_secret_is_hidden_and_references_are_not(value: Any, shown: Any) -> None:
    assert masked(value) == shown


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (formats.number_text(1234.4), "1,234"),
        (formats.number_text(0.314), "0.31"),
        (formats.number_text(None), "–"),
        (formats.latency_text(0.0123), "12.3 ms"),
        (formats.latency_text(None), "–"),
        (formats.span_text(210), "3 min 30 s"),
        (formats.span_text(7500), "2 h 05 min"),
        (formats.percent_text(-1.27, 0), "−127%"),
        (formats.percent_text(-0.004, 0), "−0.4%"),
        (formats.percent_text(0.0, 0), "0%"),
        (formats.quota_title("lambda:provisioned:f", {}), "Provisioned concurrency of f"),
        (formats.quota_title("a:stage:p", {"a:stage:p:rate": "Stage throttle rate, requests/s"}), "Stage throttle"),
        (formats.share_text(1, 0), "–"),
        (formats.observed_text("latency p99 < 1s", 0.5), "500 ms"),
        (formats.observed_text("throttled < 1%", 0.012), "1.200%"),
        (formats.observed_text("rate > 5", None), "nothing observed"),
    ],
)
def test_numbers_read_well_and_unknown_ones_are_a_dash(call: str, text: str) -> None:
    assert call == text


def test_a_long_table_is_thinned_and_says_so() -> None:
    table = thinned("Rates", ["at", "sent"], [[str(at), "1"] for at in range(MOST_ROWS * 3)])
    assert len(table.rows) == MOST_ROWS
    assert table.rows[1][0] == "3"
    assert "1 row in 3" in table.caption
    assert thinned("Rates", ["at"], [["0"]]).caption == "Rates"


def test_a_page_without_scripts_allows_none_and_a_file_may_ask_nobody() -> None:
    assert "script-src 'none'" in policy([])
    assert "connect-src 'none'" in policy(["x"])
    assert "connect-src 'self'" in policy(["x"], connects=True)


@pytest.mark.parametrize(
    ("site", "origin", "host", "allowed"),
    [
        ("same-origin", "http://h:7461", "h:7461", True),
        ("same-origin", None, "h:7461", True),
        (None, "http://H:7461", "h:7461", True),
        (None, None, "h:7461", False),
        (None, "null", "h:7461", False),
        ("cross-site", "http://h:7461", "h:7461", False),
        ("same-site", "http://other.h:7461", "h:7461", False),
        ("none", None, "h:7461", False),
        ("same-origin", "http://h:7462", "h:7461", False),
        (None, "http://evil.example", "h:7461", False),
        (None, "file://h:7461", "h:7461", False),
    ],
)
def test_only_pages_of_this_server_give_orders(site: str | None, origin: str | None, host: str, allowed: bool) -> None:
    assert is_same_origin(site, origin, host) is allowed


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1:7461", True),
        ("[::1]:7461", True),
        ("localhost:7461", True),
        ("server", True),
        ("box.local", True),
        ("me.example.com:7461", True),
        ("rebound.example.net:7461", False),
        ("", False),
        ("[bad", False),
    ],
)
def test_a_name_that_strangers_could_point_here_is_not_private(host: str, private: bool) -> None:
    assert is_private_name(host, own=["me.example.com"]) is private


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/runs/a", "/runs/a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\nb", "/"),
    ],
)
def test_a_sign_in_leads_nowhere_else(path: str, there: str) -> None:
    assert own_path(path) == there


def test_sessions_end_by_themselves_and_when_told() -> None:
    now_s = 0.0
    sessions = Sessions(lambda: now_s)
    first, second = sessions.begin("Bearer a"), sessions.begin("Bearer b")
    assert first != second
    assert sessions.authorization(first) == "Bearer a"
    sessions.end(first)
    assert sessions.authorization(first) == ""
    now_s = entry.SESSION_S - 1
    assert sessions.authorization(second) == "Bearer b"
    now_s = entry.SESSION_S
    assert sessions.authorization(second) == ""
    assert sessions.authorization("unknown") == ""
