"""Where a run's messages go: all of them to a file beside the records, the news to the screen."""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from omnibench.engines.messages import trace_of, unit_of
from omnibench.errors import LinkError
from omnibench.files import inside
from omnibench.terminal import print_above, printable

NEWEST = 20  # log files of a suite that are left
log = logging.getLogger("omnibench")


@contextlib.contextmanager
def logged(results: Path, suite: str, run: str, screen: int | None = None) -> Iterator[Path | None]:
    """Write every message to results/logs/SUITE-RUN.log and show those of a level and above.

    Args:
        run: the run's id.
        screen: the level; None leaves what is shown to the handlers that the process has.

    Yields:
        The file; None where it cannot be written, which is said.
    """
    path, file = results / "logs" / f"{suite}-{run}.log", None
    level, inherited, propagate = log.level, log.getEffectiveLevel(), log.propagate
    shown = _Passing(inherited) if screen is None else _Screen(run, screen)
    log.addHandler(shown)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        try:
            file = _File(path, results, run)
            log.addHandler(file)
        except (OSError, LinkError) as error:
            log.warning("this run has no log file: %s", error)
        yield path if file else None
    finally:
        for handler in (shown, file):
            if handler is not None:
                log.removeHandler(handler)
                handler.close()
        log.setLevel(level)
        log.propagate = propagate


class _File(logging.FileHandler):
    """A run's log file: time, run, level, unit, message, traceback.

    Raises:
        OSError: it cannot be written.
        LinkError: its folder is a link out of the results.
    """

    def __init__(self, path: Path, results: Path, run: str) -> None:
        inside(path.parent, results).mkdir(parents=True, exist_ok=True)
        suite = path.name.removesuffix(f"-{run}.log")
        own = re.compile(rf"{re.escape(suite)}-[0-9a-f]{{{len(run)}}}\.log")
        earlier = [other for other in path.parent.iterdir() if own.fullmatch(other.name)]
        earlier.sort(key=lambda other: other.lstat().st_mtime)
        for other in earlier[: max(0, len(earlier) - NEWEST + 1)]:
            other.unlink(missing_ok=True)
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.run = run

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a message."""
        time = logging.Formatter().formatTime(record)
        head = " ".join(filter(None, [time, self.run, record.levelname, unit_of(record)]))
        lines = f"{head}: {record.getMessage()}\n{trace_of(record)}"
        return printable(lines.rstrip("\n"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Go on without the file, as on a full disk."""
        log.removeHandler(self)
        log.warning("the log file %s cannot be written; the run goes on", self.baseFilename)


class _Screen(logging.Handler):
    """Shows messages on standard error, with the run's id shortened, and none twice."""

    def __init__(self, run: str, level: int) -> None:
        super().__init__(level)
        self.run = run
        self.messages: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a message."""
        message = f"[{self.run[:6]}] {record.getMessage()}"
        if message not in self.messages:
            self.messages.add(message)
            print_above(message)


class _Passing(logging.Handler):
    """Passes messages on to the handlers of the process."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a message on."""
        logging.getLogger().handle(record)
