"""Workers on networks of their own: a namespace each, a plain way to the target, a wire to the server that can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from faults.processes import Child, until
from faults.world import HERE, World


class Unavailable(Exception):
    """This machine cannot do it; the text says why."""


def check() -> None:
    """Raise Unavailable where no namespaces can be made."""
    if os.geteuid() != 0:
        raise Unavailable("only root can make network namespaces")
    if shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        raise Unavailable("`ip` (iproute2) or /dev/net/tun is missing")


class Site:
    """One namespace with two ways out: a veth to the target, and a wire (see relay.py) to the server.

    Args:
        world: whose target and server it reaches.
        index: 1..100, unique in the scenario.

    Attributes:
        server: where workers inside find the server.
        within: what runs a command inside.
    """

    def __init__(self, world: World, index: int) -> None:
        self._name = f"bl{os.getpid() % 100_000}-{index}"
        self._veth = f"v{self._name}"
        ours, theirs = f"10.231.{index}.1", f"10.231.{index}.2"
        _ip("netns", "add", self._name)
        self.within = ("ip", "netns", "exec", self._name)
        _ip("link", "add", self._veth, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        _ip("address", "add", f"{ours}/24", "dev", self._veth)
        _ip("link", "set", self._veth, "up")
        for command in ("link set lo up", f"address add {theirs}/24 dev eth0", "link set eth0 up"):
            _ip("-n", self._name, *command.split())
        _ip("-n", self._name, "route", "add", "default", "via", ours)
        near, far = f"10.232.{index}.1", f"10.232.{index}.2"
        device = f"t{self._name}"
        arguments = (sys.executable, str(HERE / "relay.py"), self._name, device, near, far)
        self.wire: Child = world.start(arguments, f"relay{index}")
        until(lambda: "up" in self.wire.said(), 20.0, "the wire is up")
        self.server = f"{near}:{world.port}"

    def close(self) -> None:
        """Take the namespace away; its processes must have ended."""
        self.wire.end()
        _ip("link", "del", self._veth)
        _ip("netns", "del", self._name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


TARGET_HOST = "10.231.1.1"
"""The first site's end of its veth; the other sites reach it over theirs."""
