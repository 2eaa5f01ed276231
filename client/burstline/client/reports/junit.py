"""A report as JUnit XML, for CI: the verdict and each threshold are test cases."""

from typing import Any
from xml.etree import ElementTree

from burstline.client import exits
from burstline.server.pages.formats import observed_text


def junit_xml(report: dict[str, Any]) -> bytes:
    """Return a report (schema burstline.report/v1) as a JUnit document."""
    run = report["run"]
    verdict = report["verdict"]
    cases = [("verdict", exits.exit_code(verdict) == exits.PASSED, f"{verdict}: {report['summary']}")]
    for threshold in report["thresholds"]:
        expression = str(threshold["expression"])
        observed = observed_text(expression, threshold["observed"])
        cases.append((expression, bool(threshold["passed"]), f"observed {observed}"))
    suite = ElementTree.Element(
        "testsuite",
        name=f"burstline {run['name']}",
        tests=str(len(cases)),
        failures=str(sum(not passed for _, passed, _ in cases)),
        errors="0",
        time=str(run["duration_s"]),
        timestamp=str(run["started_at"] or ""),
    )
    for name, passed, message in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="burstline", name=name)
        if not passed:
            ElementTree.SubElement(case, "failure", message=message)
    text: str = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()
