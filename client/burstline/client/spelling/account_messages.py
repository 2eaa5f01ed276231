"""The way of an account file's sections into a message."""

from burstline.client.spelling import account as accounts
from burstline.client.spelling.messages import duration
from burstline.v1 import resources_pb2 as v1


def account_message(
    region: str | None,
    gateway: accounts.Gateway | None,
    functions: accounts.Lambda | None,
    queues: accounts.Sqs | None = None,
) -> v1.Account:
    """Return the declared quotas; what is None was not declared."""
    message = v1.Account(region=region or "")
    if gateway is not None:
        if gateway.rate is not None or gateway.burst is not None:
            message.gateway.CopyFrom(_bucket(gateway))
        for name, stage in gateway.stages.items():
            message.stages[name].CopyFrom(_bucket(stage))
        for name, usage in gateway.usage_plans.items():
            message.usage_plans[name].CopyFrom(_usage_plan(usage))
    if functions is not None:
        if functions.concurrency is not None:
            message.concurrency_count = functions.concurrency
        message.scaling = v1.Account.LEGACY if functions.scaling == "legacy" else v1.Account.CURRENT
        for name, function in functions.functions.items():
            message.functions[name].CopyFrom(_function(function))
    for name, queue in queues.queues.items() if queues is not None else ():
        message.queues[name].CopyFrom(_queue(queue))
    return message


def _bucket(bucket: accounts.Bucket) -> v1.Account.Bucket:
    return v1.Account.Bucket(request_count_per_second=bucket.rate, burst_count=bucket.burst)


def _usage_plan(usage: accounts.UsagePlan) -> v1.Account.UsagePlan:
    message = v1.Account.UsagePlan()
    if usage.rate is not None or usage.burst is not None:
        message.bucket.CopyFrom(_bucket(usage))
    if usage.quota is not None:
        message.quota_count, message.quota_period = usage.quota.limit, usage.quota.per
    return message


def _function(function: accounts.Function) -> v1.Account.Function:
    message = v1.Account.Function(
        reserved_count=function.reserved,
        provisioned_count=function.provisioned,
        init_duration=duration(function.init),
        memory_mb=function.memory_mb,
        timeout_duration=duration(function.timeout),
        error_ratio=function.errors,
        other_request_count_per_second=function.other_traffic.rate if function.other_traffic else 0.0,
    )
    if function.duration is not None:
        p99_s = function.duration.p50 if function.duration.p99 is None else function.duration.p99
        message.p50_duration.CopyFrom(duration(function.duration.p50))
        message.p99_duration.CopyFrom(duration(p99_s))
    return message


def _queue(queue: accounts.Queue) -> v1.Account.Queue:
    message = v1.Account.Queue(
        function=queue.function,
        batch_count=queue.batch,
        batch_window_duration=duration(queue.batch_window),
        maximum_concurrency_count=queue.maximum_concurrency,
        max_receive_count=queue.max_receives,
        partial_batch=queue.partial_batch,
        dead_letter_queue=queue.dead_letter_queue,
    )
    if queue.visibility_timeout is not None:
        message.visibility_timeout_duration.CopyFrom(duration(queue.visibility_timeout))
    return message
