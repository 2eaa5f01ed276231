"""A PostgreSQL of a scenario's own, which it may stop and start."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from ports import free_port


class Unavailable(Exception):
    """There is none on this machine; the text says what is missing."""


class PostgreSQL:
    """A database cluster in a temporary folder; running once it is made.

    Attributes:
        url: for a server's `--store`.

    Raises:
        Unavailable: it cannot be had here.
    """

    def __init__(self) -> None:
        initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
        self._folder = Path(tempfile.mkdtemp(prefix="burstline-"))  # pytest's own folders are closed to other users
        user, self._prefix = os.environ.get("USER", "postgres"), list[str]()
        if os.geteuid() == 0:
            try:
                who = pwd.getpwnam("postgres")
            except KeyError as error:
                raise Unavailable("PostgreSQL refuses to run as root, and there is no user postgres") from error
            os.chown(self._folder, who.pw_uid, who.pw_gid)
            user = "postgres"
            self._prefix = ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
        port = free_port()
        data = str(self._folder / "data")
        self._run([initdb, "-D", data, "-U", user, "-A", "trust"])
        self._options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        self._control = [pg_ctl, "-D", data, "-w"]
        self.url = f"postgresql://{user}@127.0.0.1:{port}/postgres"
        self.start()

    def _run(self, arguments: list[str]) -> None:
        subprocess.run([*self._prefix, *arguments], check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        """Start it; returns when it answers."""
        log = str(self._folder / "log")
        subprocess.run(
            [*self._prefix, *self._control, "-l", log, "-o", self._options, "start"],
            check=True,
            stdout=subprocess.DEVNULL,  # a pipe would be held open by the database
            stderr=subprocess.DEVNULL,
            cwd="/",
        )

    def stop(self, mode: str) -> None:
        """Stop it: `fast` breaks connections, `immediate` is as a crash."""
        self._run([*self._control, "-m", mode, "stop"])

    def close(self) -> None:
        """Take it away."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _binary(name: str) -> str:
    found = shutil.which(name)
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found is None and not places:
        raise Unavailable(f"PostgreSQL's {name} is not installed")
    return found or str(places[-1])
