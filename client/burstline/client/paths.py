"""Where the client keeps its own files, by the platform's rules."""

from pathlib import Path

from platformdirs import user_config_path, user_data_path

APP = "burstline"


def local_store() -> str:
    """Return the URL of the store of embedded runs; its folder is made."""
    return f"sqlite:///{user_data_path(APP, appauthor=False, ensure_exists=True) / 'runs.db'}"


def known_hosts_file() -> Path:
    """Return the file with the hosts that the user agreed to send to, one a line; its folder is made."""
    return user_config_path(APP, appauthor=False, ensure_exists=True) / "hosts"


def server_store() -> str:
    """Return the URL of the store of `burstline serve`; its folder is made."""
    return f"sqlite:///{user_data_path(APP, appauthor=False, ensure_exists=True) / 'server.db'}"
