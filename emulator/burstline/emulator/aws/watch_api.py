"""CloudWatch metrics and Logs Insights."""

from uuid import uuid4

from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler, with_token
from burstline.emulator.aws.expressions import NotUnderstood
from burstline.emulator.aws.insights import line_of, run_query

MOST_QUERIES = 500
"""Metrics per GetMetricData call. Source: CloudWatch User Guide, "CloudWatch service quotas"; read 2026-11-23."""


def get_metric_data(backend: Backend, given: Answer) -> Answer:
    """Answer with the points of each query; one page holds `page_count` queries."""
    queries = given["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise ApiError(400, "ValidationError", f"At most {MOST_QUERIES} MetricDataQueries are allowed.")
    page, token = backend.page(queries, given.get("NextToken"))
    newest_first = given.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    found = [
        _result(backend, query, (float(given["StartTime"]), float(given["EndTime"])), newest_first)
        for query in page
        if query.get("ReturnData", True)
    ]
    return with_token({"MetricDataResults": found, "Messages": []}, "NextToken", token)


def _result(backend: Backend, query: Answer, span: tuple[float, float], newest_first: bool) -> Answer:
    stat = query.get("MetricStat")
    if stat is None:
        raise ApiError(400, "ValidationError", "Metric math is not served by this emulator.")
    metric, period_s = stat["Metric"], int(stat["Period"])
    if period_s < 60 or period_s % 60:
        raise ApiError(400, "ValidationError", "The period must be a multiple of 60.")
    dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}
    points = backend.metrics.points(metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"], period_s, span)
    if newest_first:
        points.reverse()
    return {
        "Id": query["Id"],
        "Label": query.get("Label", metric["MetricName"]),
        "Timestamps": [start_s for start_s, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete",
    }


def list_metrics(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of the metrics there are."""
    wanted = given.get("Dimensions", [])
    found = [
        {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        }
        for namespace, name, dimensions in backend.metrics.names(
            given.get("Namespace", ""), given.get("MetricName", "")
        )
        if all(
            d["Name"] in dimensions and d.get("Value", dimensions[d["Name"]]) == dimensions[d["Name"]] for d in wanted
        )
    ]
    page, token = backend.page(found, given.get("NextToken"))
    return with_token({"Metrics": page}, "NextToken", token)


def start_query(backend: Backend, given: Answer) -> Answer:
    """Run a query over a function's log lines at once; its result waits to be fetched."""
    groups = [given["logGroupName"]] if "logGroupName" in given else given.get("logGroupNames", [])
    names = [group.removeprefix("/aws/lambda/") for group in groups]
    for group, name in zip(groups, names, strict=True):
        if name not in backend.functions or not group.startswith("/aws/lambda/"):
            raise ApiError(400, "ResourceNotFoundException", f"Log group '{group}' does not exist.")
    shown_s = backend.recorder.now_s() - backend.settings.lag_s
    # Insights takes whole seconds, inclusive at both ends.
    from_s, to_s = float(given["startTime"]), min(float(given["endTime"]) + 1.0, shown_s)
    lines = [
        line_of(report, report.function in backend.settings.json_logs)
        for report in backend.recorder.reports
        if report.function in names and from_s <= report.end_s < to_s
    ]
    try:
        rows = run_query(str(given["queryString"]), lines)
    except NotUnderstood as error:
        raise ApiError(400, "MalformedQueryException", str(error)) from error
    query_id = str(uuid4())
    statistics = {"recordsMatched": float(len(lines)), "recordsScanned": float(len(lines)), "bytesScanned": 0.0}
    backend.queries[query_id] = {"results": rows, "statistics": statistics, "asked": 0}
    return {"queryId": query_id}


def get_query_results(backend: Backend, given: Answer) -> Answer:
    """Answer that the query runs, and the second time with its rows."""
    query = backend.queries.get(given["queryId"])
    if query is None:
        raise ApiError(400, "ResourceNotFoundException", "Query does not exist.")
    query["asked"] += 1
    if query["asked"] == 1:
        return {"queryLanguage": "CWLI", "results": [], "statistics": query["statistics"], "status": "Running"}
    return {
        "queryLanguage": "CWLI", "results": query["results"], "statistics": query["statistics"], "status": "Complete",
    }  # fmt: skip


def stop_query(backend: Backend, given: Answer) -> Answer:
    """Forget a query."""
    return {"success": backend.queries.pop(given["queryId"], None) is not None}


METRIC_HANDLERS: dict[str, Handler] = {"GetMetricData": get_metric_data, "ListMetrics": list_metrics}
LOG_HANDLERS: dict[str, Handler] = {
    "StartQuery": start_query,
    "GetQueryResults": get_query_results,
    "StopQuery": stop_query,
}
"""By operation: CloudWatch, and CloudWatch Logs."""
