"""What is set up in ministack: functions with and without reserved concurrency, a throttled REST API, and a queue."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

REGION = "eu-west-1"
CODE = """
import time

def handler(event, context):
    time.sleep(0.25)
    return {"statusCode": 200, "body": "{}"}
"""
QUICK = CODE.replace("time.sleep(0.25)", "pass")
STAGE_RATE, STAGE_BURST = 10.0, 5
PLAN_RATE, PLAN_BURST = 4.0, 3
RESERVED = 3
ACCOUNT_CONCURRENCY = 16
"""The least that ministack takes for an account."""

API_KEY = "practice-key-0123456789"


@dataclass(frozen=True, slots=True)
class MinistackAccount:
    """A running ministack.

    Attributes:
        url: what `endpoint_url` is given.
        api: id of the REST API.
        queue_url: of `orders`.
    """

    url: str
    api: str
    queue_url: str

    @property
    def stage_url(self) -> str:
        """Where the stage `prod` is called."""
        return f"{self.url}/restapis/{self.api}/prod/_user_request_"


def build(url: str) -> MinistackAccount:
    """Set everything up."""

    def client(service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=20)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=url, region_name=REGION, config=config, **keys)

    functions = client("lambda")
    for name, code in (("reserved", CODE), ("shared", CODE), ("quick", QUICK)):
        functions.create_function(
            FunctionName=name, Runtime="python3.11", Handler="app.handler", Timeout=10, MemorySize=256,
            Role="arn:aws:iam::000000000000:role/practice", Code={"ZipFile": _zip(code)},
            Environment={"Variables": {"PASSWORD": "s3cr3t-of-the-function"}},
        )  # fmt: skip
    functions.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=RESERVED)
    _warm(functions)
    queue_url = _queue(client("sqs"), functions)
    return MinistackAccount(url, _rest_api(client("apigateway")), queue_url)


def _warm(functions: Any) -> None:
    """Have every environment there can be started: each is a process, and 16 at once would make us late in a run."""
    with ThreadPoolExecutor(ACCOUNT_CONCURRENCY) as pool:
        for name, count in (("reserved", RESERVED), ("shared", ACCOUNT_CONCURRENCY), ("quick", 4)):
            list(pool.map(lambda _, name=name: functions.invoke(FunctionName=name), range(count)))


def _zip(code: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("app.py", code)
    return made.getvalue()


def _queue(queues: Any, functions: Any) -> str:
    dead = queues.create_queue(QueueName="dead")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    url: str = queues.create_queue(
        QueueName="orders", Attributes={"VisibilityTimeout": "30", "RedrivePolicy": redrive}
    )["QueueUrl"]
    source = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(
        EventSourceArn=source, FunctionName="quick", BatchSize=5, ScalingConfig={"MaximumConcurrency": 4},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    return url


def _rest_api(gateway: Any) -> str:
    api: str = gateway.create_rest_api(name="shop")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    quote = gateway.create_resource(restApiId=api, parentId=root, pathPart="quote")["id"]
    for resource, needs_key in ((quote, False), (_child(gateway, api, root, "keyed"), True)):
        gateway.put_method(
            restApiId=api, resourceId=resource, httpMethod="GET", authorizationType="NONE", apiKeyRequired=needs_key
        )
        arn = f"arn:aws:lambda:{REGION}:000000000000:function:quick"
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
        gateway.put_integration(
            restApiId=api,
            resourceId=resource,
            httpMethod="GET",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=uri,
        )
    gateway.create_deployment(restApiId=api, stageName="prod")
    throttle = [
        {"op": "replace", "path": f"/*/*/throttling/{part}", "value": str(value)}
        for part, value in (("rateLimit", STAGE_RATE), ("burstLimit", STAGE_BURST))
    ]
    gateway.update_stage(restApiId=api, stageName="prod", patchOperations=throttle)
    plan = gateway.create_usage_plan(
        name="gold", apiStages=[{"apiId": api, "stage": "prod"}],
        throttle={"rateLimit": PLAN_RATE, "burstLimit": PLAN_BURST},
    )["id"]  # fmt: skip
    key = gateway.create_api_key(name="k", enabled=True, value=API_KEY)["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    return api


def _child(gateway: Any, api: str, parent: str, part: str) -> str:
    found: str = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
    return found
