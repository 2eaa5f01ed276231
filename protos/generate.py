"""Writes the stubs of protos/burstline/v1 anew, or into another folder (`generate.py FOLDER`) to compare."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def generate(output: Path) -> None:
    """Write the Python stubs and their types below `output`, in the package's own folders.

    Args:
        output: an existing folder; the stubs land in `output/burstline/v1`.

    Raises:
        SystemExit: protoc found a mistake in a .proto file; it has printed which.
    """
    import grpc_tools
    from grpc_tools import protoc

    # protoc looks for protoc-gen-mypy on PATH only
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    well_known = Path(str(grpc_tools.__file__)).parent / "_proto"
    files = sorted(str(path.relative_to(HERE)) for path in (HERE / "burstline/v1").glob("*.proto"))
    flags = [f"--{kind}_out={output}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    if code := protoc.main(["protoc", f"-I{HERE}", f"-I{well_known}", *flags, *files]):  # type: ignore[no-untyped-call]  # grpc_tools has no types
        raise SystemExit(code)


if __name__ == "__main__":
    generate(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE)
