"""How much of a limit was used lately, as CloudWatch saw it: the other half of a quota's reading."""

import time
from collections.abc import Callable
from dataclasses import replace

from burstline.core.quota.aws.cloudwatch import LAMBDA, Metric, Watch
from burstline.core.quota.aws.readings import AccountReading
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError
from burstline.server.aws.watching import Span, read_metrics

LOOK_BACK_S = 3 * 3600.0
"""How far back is looked, seconds: CloudWatch keeps whole minutes for 15 days, but use is a question of now."""


async def with_use(aws: Aws, found: AccountReading, now_s: Callable[[], float] = time.time) -> AccountReading:
    """Return the reading with the highest use of the last three hours beside the limits that have a metric.

    API Gateway has no metric of all requests of an account, so its throttle has no use here.
    """
    metrics = {"lambda.concurrency": Metric(LAMBDA, "ClaimedAccountConcurrency", "Maximum")}
    for reading in found.readings:
        if reading.path.startswith("lambda.functions.") and reading.path.endswith(".reserved") and reading.value:
            name = reading.path.removeprefix("lambda.functions.").removesuffix(".reserved")
            metrics[reading.path] = Metric(LAMBDA, "ConcurrentExecutions", "Maximum", (("FunctionName", name),))
    try:
        series, problems = await read_metrics(aws, list(metrics.values()), Span(now_s() - LOOK_BACK_S, now_s()))
    except AwsError as error:
        return replace(found, notes=(*found.notes, f"Recent use could not be read: {error.message}."))
    watch = Watch(0.0, LOOK_BACK_S, series=tuple(series))
    readings = []
    for reading in found.readings:
        metric = metrics.get(reading.path)
        peak = watch.peak(metric.name, metric.function) if metric is not None else None
        if metric is not None and peak is not None:
            readings.append(replace(reading, use=peak, use_source=metric.name))
        else:
            readings.append(reading)
    return replace(found, readings=tuple(readings), notes=(*found.notes, *problems))
