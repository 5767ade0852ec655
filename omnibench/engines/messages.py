"""Messages of a process that runs units, logged once more by the runner, which knows where to."""

import logging
from collections.abc import Callable

from omnibench.execute import UNIT

# Level, text, name of the unit in hand, traceback; the latter two may be empty.
Message = tuple[int, str, str, str]
log = logging.getLogger("omnibench")


class Sending(logging.Handler):
    """Sends what is logged, with the unit in hand."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        super().__init__()
        self.send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one message."""
        self.send((record.levelno, record.getMessage(), unit_of(record), trace_of(record)))


def unit_of(record: logging.LogRecord) -> str:
    """Return the unit that a message is about; "" for none."""
    return str(getattr(record, "unit", "") or UNIT.get())


def trace_of(record: logging.LogRecord) -> str:
    """Return the traceback that came with a message; "" for none."""
    if record.exc_info:
        return logging.Formatter().formatException(record.exc_info)
    return str(getattr(record, "trace", ""))


def log_again(message: Message) -> None:
    """Log what a process has sent."""
    level, text, unit, trace = message
    log.log(level, "%s", text, extra={"unit": unit, "trace": trace})
