"""Waiting for an event: no test may fail because a machine is slow."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.02
# Ends what hangs and what nothing else would end; no machine is so slow that it needs as long.
HUNG_SECONDS = 1200.0


def wait_until(
    condition: Callable[[], object], maker: "subprocess.Popen[Any] | None" = None
) -> None:
    """Return as soon as a condition holds.

    Args:
        maker: the process that is to bring it about; where it ends before, so does the wait.

    Raises:
        AssertionError: the maker has ended, or the condition did not come in HUNG_SECONDS.
    """
    limit = time.monotonic() + HUNG_SECONDS
    while not condition():
        if maker is not None and maker.poll() is not None:
            assert condition(), f"it ended before: {maker.args!r}\n{_output(maker)}"
            return
        assert time.monotonic() < limit, f"nothing came in {HUNG_SECONDS:.0f} s"
        time.sleep(POLL_SECONDS)


def _output(process: "subprocess.Popen[Any]") -> str:
    """Return what an ended process has left in its pipes."""
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    texts = [pipe.read() for pipe in pipes]
    return "\n".join(
        text.decode(errors="replace") if isinstance(text, bytes) else text for text in texts
    )
