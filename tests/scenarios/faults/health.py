"""What a server says of its health for as long as it says anything."""

import threading
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


class Health:
    """Watches a server's health.

    Attributes:
        seen: names of the states that it told, in order.
    """

    def __init__(self, address: str) -> None:
        self.seen: list[str] = []
        self._channel = grpc.insecure_channel(address)
        self._thread = threading.Thread(target=self._watch, daemon=True, name="health")
        self._thread.start()

    def _watch(self) -> None:
        stub: Any = health_pb2_grpc.HealthStub(self._channel)
        try:
            for answer in stub.Watch(health_pb2.HealthCheckRequest()):
                self.seen.append(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
        except grpc.RpcError:
            return

    def ended(self) -> list[str]:
        """Return what it told until its stream ended, as it does when the server has."""
        self._thread.join(10.0)
        self._channel.close()
        return self.seen
