"""Which operation a request asks for: by `X-Amz-Target` (JSON), by method and path (REST-JSON), or by `Action` (query).

The protocol of each service is the one botocore 1.44 speaks: JSON for Service Quotas, CloudWatch, Logs, SQS and
Cognito, REST-JSON for Lambda and API Gateway, query for STS. CloudWatch's older query and newer CBOR protocols are not
served.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from burstline.emulator.aws.backend import Answer, ApiError

TARGETS = {
    "ServiceQuotasV20190624": "service-quotas",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs_20140328": "logs",
    "AmazonSQS": "sqs",
    "AWSCognitoIdentityProviderService": "cognito-idp",
}
"""First part of `X-Amz-Target` by service. Source: botocore 1.44's models."""


def _route(method: str, path: str, service: str, operation: str) -> tuple[str, re.Pattern[str], str, str]:
    return method, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?$"), service, operation


_FUNCTION = "/functions/{FunctionName}"
ROUTES = (
    _route("GET", "/2016-08-19/account-settings", "lambda", "GetAccountSettings"),
    _route("GET", "/2015-03-31/functions", "lambda", "ListFunctions"),
    _route("GET", f"/2015-03-31{_FUNCTION}/configuration", "lambda", "GetFunctionConfiguration"),
    _route("GET", f"/2019-09-30{_FUNCTION}/concurrency", "lambda", "GetFunctionConcurrency"),
    _route("GET", f"/2019-09-30{_FUNCTION}/provisioned-concurrency", "lambda", "ListProvisionedConcurrencyConfigs"),
    _route("GET", "/2015-03-31/event-source-mappings", "lambda", "ListEventSourceMappings"),
    _route("GET", f"/2021-10-31{_FUNCTION}/url", "lambda", "GetFunctionUrlConfig"),
    _route("GET", f"/2015-03-31{_FUNCTION}/aliases", "lambda", "ListAliases"),
    _route("GET", "/account", "apigateway", "GetAccount"),
    _route("GET", "/restapis", "apigateway", "GetRestApis"),
    _route("GET", "/restapis/{restapi_id}", "apigateway", "GetRestApi"),
    _route("GET", "/restapis/{restapi_id}/stages", "apigateway", "GetStages"),
    _route("GET", "/restapis/{restapi_id}/stages/{stage_name}", "apigateway", "GetStage"),
    _route("GET", "/restapis/{restapi_id}/gatewayresponses", "apigateway", "GetGatewayResponses"),
    _route("GET", "/usageplans", "apigateway", "GetUsagePlans"),
    _route("GET", "/v2/apis", "apigatewayv2", "GetApis"),
    _route("GET", "/v2/apis/{apiId}", "apigatewayv2", "GetApi"),
    _route("GET", "/v2/apis/{apiId}/stages/{stageName}", "apigatewayv2", "GetStage"),
    _route("GET", "/v2/domainnames/{domainName}/apimappings", "apigatewayv2", "GetApiMappings"),
)
"""REST-JSON operations. Source: the request URIs of botocore 1.44's models."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call.

    Attributes:
        service: by its SDK name.
        operation: by AWS's name.
        given: its parameters.
        protocol: `json`, `rest-json` or `query`.
    """

    service: str
    operation: str
    given: Answer
    protocol: str


def find(method: str, raw_path: str, query: str, target: str, body: bytes) -> Asked:
    """Return what is asked for.

    Args:
        method: HTTP method.
        raw_path: path as sent, percent-encoded.
        query: after the question mark.
        target: the header `X-Amz-Target`; "" if there is none.
        body: of the request.

    Raises:
        ApiError: nothing that is served here.
    """
    if target:
        prefix, _, operation = target.partition(".")
        if prefix in TARGETS:
            return Asked(TARGETS[prefix], operation, _json(body), "json")
    fields = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    for wanted, pattern, service, operation in ROUTES:
        match = pattern.match(raw_path)
        if match and method == wanted:
            named = {name: unquote(value) for name, value in match.groupdict().items()}
            return _provisioned(Asked(service, operation, fields | named, "rest-json"))
    form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    if form.get("Version") == "2011-06-15" and "Action" in form:
        return Asked("sts", form["Action"], form, "query")
    raise ApiError(404, "UnknownOperationException", f"{method} {raw_path} is not served by this emulator.")


def _provisioned(asked: Asked) -> Asked:
    """Tell the two operations on one path apart: one alias's provisioned concurrency, or the list of all."""
    if asked.operation == "ListProvisionedConcurrencyConfigs" and "Qualifier" in asked.given:
        return Asked(asked.service, "GetProvisionedConcurrencyConfig", asked.given, asked.protocol)
    return asked


def _json(body: bytes) -> Answer:
    try:
        found: Any = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError(400, "SerializationException", "the body is not JSON") from error
    if not isinstance(found, dict):
        raise ApiError(400, "SerializationException", "the body is no JSON object")
    return found


def xml_of(operation: str, answer: Answer) -> str:
    """Return an answer in the query protocol; timestamps must be texts by then."""
    inner = "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in answer.items())
    space = "https://sts.amazonaws.com/doc/2011-06-15/"
    return f'<{operation}Response xmlns="{space}"><{operation}Result>{inner}</{operation}Result></{operation}Response>'


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    return escape(str(value))
