"""Ports that processes are told: nobody else may take one between the choice and the listening."""

import socket
import struct
import sys

import pytest
from ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a port is held only where Linux's rules are")

RANGE_OF_PORTS = 51
"""IP_LOCAL_PORT_RANGE of ip(7), since Linux 6.3: last and first port in one number."""


def test_a_server_listens_on_a_port_that_is_held_and_again_after_a_restart() -> None:
    port = free_port()
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)):
            connection = socket.create_connection(("127.0.0.1", port), 5)
            connection.close()


def test_nobody_answers_on_a_port_that_is_only_held() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()), 5)


def test_two_servers_cannot_listen_on_one() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))


def test_each_of_adjacent_ports_can_be_listened_on() -> None:
    first = free_port(3)
    for port in range(first, first + 3):
        socket.create_server(("127.0.0.1", port)).close()


def narrowed(port: int) -> socket.socket:
    """Return a socket to which the kernel can give no port but one."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.setsockopt(socket.IPPROTO_IP, RANGE_OF_PORTS, struct.pack("=I", port << 16 | port))
    except OSError:
        made.close()
        pytest.skip("this kernel cannot narrow the range of one socket")
    return made


def test_no_connection_is_made_from_a_port_that_is_held() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, narrowed(free_port()) as connection, pytest.raises(OSError, match="assign"):
        connection.connect(server.getsockname())


def test_a_server_on_port_0_is_not_given_one_that_is_held() -> None:
    with narrowed(free_port()) as server, pytest.raises(OSError, match="in use"):
        server.bind(("127.0.0.1", 0))
