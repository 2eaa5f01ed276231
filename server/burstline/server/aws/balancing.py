"""A load balancer's metrics: its own answers and what it says of the Lambda behind it.

CloudWatch knows a load balancer as `app/NAME/ID`, the target's host as `NAME-DIGITS.REGION.elb.amazonaws.com`; which
ones there are is asked of CloudWatch itself, so that no further permission is needed.
"""

import re

from burstline.core.quota.aws.cloudwatch import BALANCER, Metric, Watch
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError

NAMES = ("RequestCount", "HTTPCode_ELB_502_Count", "HTTPCode_ELB_5XX_Count", "LambdaUserError", "LambdaInternalError")
"""Summed over the run. `LambdaUserError` includes throttles. Source: our facts on `AWS/ApplicationELB`."""

_HOST = re.compile(r"^(?:internal-|dualstack\.)*(.+)-\d+\.[a-z0-9-]+\.elb\.amazonaws\.com(?:\.cn)?$")


async def balancer_metrics(aws: Aws, host: str) -> tuple[list[Metric], list[str]]:
    """Return the metrics of the load balancer behind a host, and why there are none, sentences.

    Args:
        aws: whom to ask.
        host: of the target; one that is no load balancer's own is taken for the only one of the region.
    """
    found: list[Metric] = []
    try:
        for name in NAMES:
            for page in await aws.pages("cloudwatch", "ListMetrics", Namespace=BALANCER, MetricName=name):
                for one in page.get("Metrics", []):
                    dimensions = tuple(sorted((d["Name"], d["Value"]) for d in one.get("Dimensions", [])))
                    if {key for key, _ in dimensions} <= {"LoadBalancer", "TargetGroup"}:
                        found.append(Metric(BALANCER, name, "Sum", dimensions))
    except AwsError as error:
        return [], [f"The load balancer's metrics could not be looked up: {error.message}."]
    balancer = _only(sorted({value for one in found for key, value in one.dimensions if key == "LoadBalancer"}), host)
    if balancer is None:
        return [], [f"CloudWatch has no metrics of a load balancer that can be told to be {host}."]
    return _once([one for one in found if ("LoadBalancer", balancer) in one.dimensions]), []


def _only(balancers: list[str], host: str) -> str | None:
    own = _HOST.match(host)
    if own is not None:
        balancers = [one for one in balancers if one.split("/")[1:2] == [own[1]]]
    return balancers[0] if len(balancers) == 1 else None


def _once(metrics: list[Metric]) -> list[Metric]:
    """Return each metric once: of the whole load balancer where there is such a one, else by target group."""
    whole = {one.name for one in metrics if len(one.dimensions) == 1}
    return [one for one in metrics if len(one.dimensions) == 1 or one.name not in whole]


def balancer_notes(watch: Watch) -> list[str]:
    """Return what a load balancer counted, a sentence; none if nothing was read of it."""
    counts: dict[str, float] = {}
    for series in watch.series:
        if series.metric.namespace == BALANCER and series.points:
            value = sum(value for _, value in series.points)
            counts[series.metric.name] = counts.get(series.metric.name, 0.0) + value
    if not counts:
        return []
    bad, user = counts.get("HTTPCode_ELB_502_Count", 0.0), counts.get("LambdaUserError", 0.0)
    return [
        f"The load balancer counted {bad:,.0f} answers 502 of its own, and {user:,.0f} errors of its Lambda target, "
        "throttles among them."
    ]
