"""What a program reads of our tables: one line a row, nothing cut, no blanks at the end."""

import io

import pytest
from burstline.client.consoles import output_console
from burstline.client.reports.listing import runs_table
from burstline.v1 import resources_pb2 as v1

RUN = v1.Run(name="runs/20261123-124008-c66814", state=v1.Run.SUCCEEDED, verdict="generator_limited")
RUN.plan.name = "a plan whose name alone is as long as a narrow terminal is wide, or even longer than that"


def test_a_run_is_one_line_where_no_terminal_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("COLUMNS", "40")
    output_console(one_line=True).print(runs_table([RUN, RUN]))
    heading, *lines = out.getvalue().splitlines()
    assert heading.split() == ["run", "name", "created", "state", "verdict"]
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(f"20261123-124008-c66814  {RUN.plan.name}  ")
        assert line.endswith("succeeded  generator_limited")


def test_text_in_a_log_is_wrapped_and_has_no_blanks_at_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.delenv("COLUMNS", raising=False)
    output_console().print("word " * 60)
    lines = out.getvalue().splitlines()
    assert 1 < len(lines) < 6
    assert all(len(line) <= 100 and line == line.rstrip() for line in lines)
