"""No test gives up, or passes, by the clock: what it waits for ends by its own failure."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
TIMES = "perf_counter|monotonic|process_time|thread_time"
CLOCK = re.compile(rf"\bsleep\(|\btimeout=(?!0\b)|\b({TIMES})(_ns)?\(|\bTimer\(")
ALLOWED = {
    "waiting.py",  # the one that waits
    "engines/conftest.py",  # units that take their time
    "engines/test_engine_local.py",  # a clock that a test sets
    "engines/chaos.py",  # a command, not a test, as the next two
    "engines/chaos_faults.py",
    "security/fuzz.py",
}


def test_nothing_waits_or_gives_up_by_the_clock() -> None:
    clocks = {
        str(path.relative_to(TESTS)): match.group()
        for path in TESTS.rglob("*.py")
        if (match := CLOCK.search(path.read_text(encoding="utf-8")))
    }
    assert {path: clock for path, clock in clocks.items() if path not in ALLOWED} == {}
    assert set(clocks) == ALLOWED  # none is allowed what it does not do
