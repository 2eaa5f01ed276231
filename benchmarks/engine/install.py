"""Installs the peers that package registries have: `python -m benchmarks.engine.install --cache DIR`.

wrk, hey and ab come from Debian (as root), Locust from PyPI into a virtual environment, Autocannon and Artillery from
npm; nothing goes into the project. k6, vegeta and wrk2 are used when a binary is given to the benchmarks.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def _try(command: Sequence[str]) -> None:
    print(" ".join(command), flush=True)
    # Artillery brings a browser's driver along, whose download is as large as it is unused.
    environment = {**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  not to be had: {error}")


def main() -> None:
    """Install what is missing."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cache", default=str(Path(tempfile.gettempdir()) / "burstline-benchmark-peers"))
    cache = Path(options.parse_args().cache)
    cache.mkdir(parents=True, exist_ok=True)
    missing = [package for program, package in _DEBIAN.items() if shutil.which(program) is None]
    if missing and shutil.which("apt-get"):
        _try(["apt-get", "install", "-y", *missing])
    if not (cache / "venv" / "bin" / "locust").exists():
        _try([sys.executable, "-m", "venv", str(cache / "venv")])
        _try([str(cache / "venv" / "bin" / "pip"), "install", "--quiet", "locust"])
    if shutil.which("npm"):
        for package in ("autocannon", "artillery"):
            if not (cache / "node_modules" / ".bin" / package).exists():
                _try(["npm", "install", "--prefix", str(cache), "--no-audit", "--no-fund", "--silent", package])


_DEBIAN = {"wrk": "wrk", "hey": "hey", "ab": "apache2-utils"}

if __name__ == "__main__":
    main()
