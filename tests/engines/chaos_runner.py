"""The command as chaos starts it: leases expire soon, and the clock may be off.

Imported again by every worker that it starts, so that the clock is off there too.
"""

import datetime
import os
import time

from omnibench import leases

EXPIRY = 6.0  # seconds
leases.EXPIRY, leases.BEAT = EXPIRY, 1.0
OFF = float(os.environ.get("CHAOS_CLOCK_OFF", "0"))


class OffClock(datetime.datetime):
    """What this process takes for the time."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "OffClock":
        """Return the time, off."""
        return super().now(tz) + datetime.timedelta(seconds=OFF)


if OFF:
    true_time, true_time_ns = time.time, time.time_ns
    time.time = lambda: true_time() + OFF
    time.time_ns = lambda: true_time_ns() + int(OFF * 1e9)
    datetime.datetime = OffClock  # type: ignore[misc]

if __name__ == "__main__":
    from omnibench.cli import main

    main()
