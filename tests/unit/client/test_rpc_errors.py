"""What the server refuses is told in words of what was asked of it."""

import grpc
import grpc.aio
import pytest
from burstline.client.errors import from_rpc


def refused(details: str) -> grpc.aio.AioRpcError:
    none = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.INVALID_ARGUMENT, none, none, details)


@pytest.mark.parametrize(
    ("asked", "says"),
    [("the request", "the server at h:1 refused the request:"), ("the plan", "the server at h:1 refused the plan:")],
)
def test_only_a_plan_is_called_a_plan(asked: str, says: str) -> None:
    """`request-increase` sends no plan: "refused the plan" sent people to the wrong file."""
    text = str(from_rpc(refused("quota: 'x' is not of the form SERVICE:CODE"), "h:1", asked))
    assert text.splitlines() == [says, "  quota: 'x' is not of the form SERVICE:CODE"]
