"""Limits of time and memory for each unit, watched from outside its process."""

from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.context import Context
from omnibench.errors import MemoryShortageError, OmnibenchError, TimeLimitError

if TYPE_CHECKING:
    from omnibench.engines.slot import Slot


def broken_limit(slot: "Slot", context: Context) -> OmnibenchError | None:
    """Return the error of the limit that a slot's unit has broken, if it has."""
    if context.time_limit is not None and slot.seconds > context.time_limit:
        return TimeLimitError(
            f"it ran for more than {context.time_limit:g} s; give it a longer --time-limit, and it "
            "goes on from its last checkpoint"
        )
    if context.memory_limit is not None:
        used = resident_gib(slot.pid)
        if used > context.memory_limit:
            return MemoryShortageError(
                f"it took {used:.1f} GiB, more than --memory-limit {context.memory_limit:g}; give "
                "it more or make its batch smaller"
            )
    return None


def resident_gib(pid: int) -> float:
    """Memory that a process holds, in GiB; 0 where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 2**20
    except OSError:
        pass
    return 0.0
