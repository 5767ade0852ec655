"""What a Ray worker runs: a unit in a process of its own, and what it had to say."""

import logging

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.attended import attend
from omnibench.engines.slot import Slot
from omnibench.execute import Finished
from omnibench.interrupts import Interrupted, interruptible
from omnibench.leases import Lease

Messages = list[tuple[int, str]]

# A worker serves one run. Its process with torch stays for the next unit.
_slots: dict[Context, Slot] = {}


def run_unit(
    unit: Unit, context: Context, processes: int, lease: Lease
) -> tuple[Finished, Messages]:
    """Run a unit whose lease the driver holds.

    Raises:
        KeyboardInterrupt: the driver cancelled it; a training has written its checkpoint.
    """
    messages: Messages = []
    handler = _Handler(messages)
    log = logging.getLogger("omnibench")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    slot = _slots.setdefault(context, Slot(context))
    try:
        with interruptible():
            return attend(unit, slot, processes, lease), messages
    except Interrupted:
        slot.stop()
        raise KeyboardInterrupt from None
    finally:
        log.removeHandler(handler)


class _Handler(logging.Handler):
    """Keeps messages for the driver, which shows them with its run's id."""

    def __init__(self, messages: Messages) -> None:
        super().__init__()
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append((record.levelno, record.getMessage()))
