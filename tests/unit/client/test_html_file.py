"""`--html`: the report as one file, from the document alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from burstline.client.errors import ClientError
from burstline.client.running.outcome import write_report
from burstline.server.judging.judging import RunRecord, judge

MakeRun = Callable[..., RunRecord]


@pytest.fixture
def report(make_run: MakeRun) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(judge(make_run())))
    return found


def test_the_page_is_written_beside_the_other_files(report: dict[str, Any], tmp_path: Path) -> None:
    page, document = tmp_path / "report.html", tmp_path / "report.json"
    write_report(report, json_file=document, junit_file=None, html_file=page)
    assert json.loads(document.read_text()) == report
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert report["summary"] in text
    assert 1_000_000 < len(text) < 2_000_000


def test_a_page_that_cannot_be_written_says_how_to_get_it_again(report: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="burstline report r1"):
        write_report(report, json_file=None, junit_file=None, html_file=tmp_path / "no" / "report.html")
