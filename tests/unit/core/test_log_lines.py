"""Logs for machines: what a line says of runs and workers is a field."""

import json
import logging

import pytest
from burstline.core.log_lines import formatter


def record(text: str, *values: object) -> logging.LogRecord:
    """Return a log record."""
    return logging.LogRecord("burstline.server.control.dispatching", logging.INFO, "x.py", 1, text, values, None)


def test_run_segment_and_worker_of_a_line_are_fields_of_its_json() -> None:
    line = json.loads(formatter("json").format(record("assigned run=%s segment=%d worker=%s", "r1", 3, "workers/w1")))
    assert (line["run"], line["segment"], line["worker"]) == ("r1", "3", "workers/w1")
    assert (line["level"], line["logger"]) == ("INFO", "burstline.server.control.dispatching")
    assert line["message"] == "assigned run=r1 segment=3 worker=workers/w1"
    assert line["time"].endswith("+00:00")


def test_a_value_cannot_take_the_place_of_the_record_s_own_fields() -> None:
    line = json.loads(formatter("json").format(record("said level=%s message=%s", "DEBUG", "other")))
    assert (line["level"], line["message"]) == ("INFO", "said level=DEBUG message=other")


@pytest.mark.parametrize("form", ["", "console"])
def test_other_forms_are_lines_that_people_read(form: str) -> None:
    assert formatter(form).format(record("run=%s", "r1")).endswith("INFO burstline.server.control.dispatching run=r1")
