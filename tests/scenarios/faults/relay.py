"""Joins this network namespace with another one by a wire of its own, that can delay, lose and be cut.

    python relay.py NAMESPACE DEVICE OURS THEIRS

Makes a TUN device DEVICE on both sides, with the addresses OURS here and THEIRS there, and carries packets between
them. Commands come on standard input, one a line: `delay SECONDS` (each way), `loss RATIO`, `cut`, `mend`. The kernel
of many machines has no netem; this is a few lines in its place, enough for a control plane's traffic.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_LIBC = ctypes.CDLL(None, use_errno=True)


def open_tun(device: str, ours: str, theirs: str) -> int:
    """Make a TUN device in the namespace we are in, and return its file."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH", device.encode(), _IFF_TUN | _IFF_NO_PI))
    subprocess.run(["ip", "address", "add", ours, "peer", theirs, "dev", device], check=True)
    subprocess.run(["ip", "link", "set", device, "up", "mtu", "1400"], check=True)
    return file


def enter(file: int) -> None:
    """Enter a network namespace."""
    if _LIBC.setns(file, 0):
        raise OSError(ctypes.get_errno(), "setns")


class Wire:
    """Packets under way."""

    def __init__(self, near: int, far: int) -> None:
        self._other = {near: far, far: near}
        self._queue: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._delay_s = self._loss = 0.0
        self._cut = False

    def obey(self, line: str) -> None:
        """Do as a command says."""
        word, _, value = line.partition(" ")
        if word == "delay":
            self._delay_s = float(value)
        elif word == "loss":
            self._loss = float(value)
        elif word in ("cut", "mend"):
            self._cut = word == "cut"

    def take(self, file: int) -> None:
        """Read what waits on one side."""
        for _ in range(64):
            try:
                packet = os.read(file, 2048)
            except BlockingIOError:
                return
            if not self._cut and random.random() >= self._loss:
                self._count += 1
                heapq.heappush(self._queue, (time.monotonic() + self._delay_s, self._count, self._other[file], packet))

    def deliver(self) -> float | None:
        """Write what is due; return how long until the next is, seconds, or None."""
        while self._queue:
            left_s = self._queue[0][0] - time.monotonic()
            if left_s > 0:
                return left_s
            _, _, file, packet = heapq.heappop(self._queue)
            try:
                os.write(file, packet)
            except OSError:
                continue  # a full queue or a device that is going away: packets get lost on wires
        return None


def main() -> None:
    """Carry packets until standard input ends."""
    namespace, device, ours, theirs = sys.argv[1:]
    here, there = (os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", f"/run/netns/{namespace}"))
    near = open_tun(device, ours, theirs)
    enter(there)
    far = open_tun(device, theirs, ours)
    enter(here)
    wire = Wire(near, far)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([near, far, 0], [], [], wire.deliver())
        for file in ready:
            if file:
                wire.take(file)
                continue
            text = os.read(0, 4096).decode()
            if not text:
                return
            for line in text.splitlines():
                wire.obey(line)


if __name__ == "__main__":
    main()
