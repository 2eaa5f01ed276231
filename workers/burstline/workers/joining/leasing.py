"""Until when a worker may send: its leases, run by run, and what the end of a stream means for them.

A server renews the leases of the runs that it drives. Of a run that it does not drive, or not for certain, the lease
stays as it is until some server does. A server whose stream to us closed hands our segments on soon, unless it ended.
"""

import time
from collections.abc import Collection

from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.joining.absence import nobody_listens
from burstline.workers.joining.streams import Streams


class Leases:
    """The leases of this worker's runs, on its own monotonic clock.

    Attributes:
        length_s: from the sending of a heartbeat that was answered, seconds.
        closed_length_s: the same once the stream has closed and its server lives, seconds.
        waiting: runs, as `runs/{run}`, that the server at hand does not drive for certain.
    """

    def __init__(self) -> None:
        self.length_s, self.closed_length_s = 10.0, 2.5
        self.waiting: frozenset[str] = frozenset()
        self._until_s = 0.0
        self._until_of_s: dict[str, float] = {}
        self._home, self._parted, self._closed = "", False, False

    def welcomed(self, welcome: v1.Welcome, address: str) -> None:
        """Take the terms of a server that says which runs it drives."""
        if welcome.HasField("lease_duration"):
            self.length_s = welcome.lease_duration.ToNanoseconds() * 1e-9
        if welcome.HasField("closed_lease_duration"):
            self.closed_length_s = welcome.closed_lease_duration.ToNanoseconds() * 1e-9
        self._wait_for(welcome.waiting_runs)
        if not self.waiting:
            self._home, self._parted, self._closed = address, False, False

    def renew(self, sent_s: float, waiting: Collection[str]) -> None:
        """Renew all leases but those of `waiting`: a heartbeat that was sent at `sent_s` was answered."""
        self._wait_for(waiting)
        self._until_s = max(self._until_s, sent_s + self.length_s)

    def _wait_for(self, runs: Collection[str]) -> None:
        self._until_of_s = {run: self._until_of_s.get(run, self._until_s) for run in runs}
        self.waiting = frozenset(runs)

    def left_s(self, run: str) -> float:
        """Return how long a run's segments may be sent from now on, seconds; negative when its lease is over."""
        shorter_s = max(0.0, self.length_s - self.closed_length_s) if self._closed else 0.0
        return self._until_of_s.get(run, self._until_s) - shorter_s - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether nothing may be sent at all."""
        return self._until_s <= time.monotonic()

    def parted(self, address: str) -> None:
        """Note that a stream to a server closed, and that the server did not say that it ends."""
        self._parted = self._parted or address == self._home

    async def look_for_home(self, streams: Streams) -> None:
        """After its stream closed the server may give segments away soon, unless it is gone itself.

        Once gone is gone for good: when it is started anew it waits for all leases.
        """
        if self._parted:
            self._closed = not streams.any_stale(self._home) and not await nobody_listens(self._home)
            self._parted = self._closed
