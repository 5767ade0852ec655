"""`--version`: what runs here, as a report of a bug should name it."""

import platform
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def versions() -> Iterator[str]:
    """Yield a line for omnibench, with the commit of a checkout, for Python and for torch."""
    commit = _commit(CHECKOUT)
    yield f"omnibench {metadata.version('omnibench')}" + (f" (commit {commit})" if commit else "")
    yield f"Python {platform.python_version()}"
    try:
        yield f"torch {metadata.version('torch')}"  # told without importing it
    except metadata.PackageNotFoundError:
        yield "torch: not installed; `make setup` installs it"


def _commit(folder: Path) -> str:
    """Return the first digits of a checkout's commit; "" where there is no checkout or no git."""
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
