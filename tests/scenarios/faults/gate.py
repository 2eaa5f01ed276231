"""A way to the server that can be reset: what a restarted proxy, or a firewall that forgets, does to streams."""

import contextlib
import socket
import struct
import threading

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class Gate:
    """Passes connections on to a port of loopback. After `reset` new ones are taken and lead nowhere, until `open`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._passing = True
        self._held: list[socket.socket] = []
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True, name="gate").start()

    @property
    def address(self) -> str:
        """Where workers find the server behind it."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def reset(self) -> None:
        """Break every connection at both ends, and let none through."""
        with self._lock:
            self._passing = False
            for end in self._ends:
                with contextlib.suppress(OSError):  # the other side may have closed it
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RD)  # wakes whoever reads it
                end.close()
            self._ends.clear()

    def open(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._passing = True
            for held in self._held:
                held.close()
            self._held.clear()

    def close(self) -> None:
        """End it with all its connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RD)  # wakes whoever accepts
        self._listener.close()
        self.reset()
        self.open()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._passing:
                    self._held.append(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True, name="gate pump").start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
