"""Give omnibench thousands of mutated files: `python -m tests.security.fuzz --cases 500`.

Of each kind of input every case must be accepted or refused in one sentence within a limit of
time, print no control characters, and run no code that it brings along. Prints a table; exit
status 1 on any finding, whose file is kept.
"""

import argparse
import contextlib
import faulthandler
import io
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench import catalogue
from omnibench.errors import OmnibenchError
from omnibench.terminal import UNPRINTABLE
from tests.security.inputs import KINDS

SECONDS = 30  # of a processor that a case may take; none takes two
MEMORY = 4 * 2**30  # and so many bytes more than before
BAD = ("traceback", "hang", "code run", "control characters")


@dataclass
class Tally:
    """What became of a kind's cases.

    Attributes:
        findings: (case, what, detail) of each bad one.
    """

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str, str]] = field(default_factory=list)
    slowest: float = 0.0


class HangError(BaseException):
    """A case took longer than it may; nothing in between may catch it."""


def attack(kind: str, cases: int, seed: int, place: Path, first: int = 0) -> Tally:
    """Run a kind's cases in folders of their own below `place`; those of findings stay."""
    tally = Tally()
    for case in range(first, first + cases):
        folder = place / f"{kind}-{case}"
        folder.mkdir(parents=True)
        began = time.perf_counter()
        outcome, detail = run_case(kind, random.Random(f"{kind} {seed} {case}"), folder)
        tally.slowest = max(tally.slowest, time.perf_counter() - began)
        tally.counts[outcome] += 1
        if outcome in BAD:
            tally.findings.append((case, outcome, detail))
        else:
            shutil.rmtree(folder)
    return tally


def run_case(kind: str, rng: random.Random, folder: Path) -> tuple[str, str]:
    """Make a mutated input and use it; returns what came of it and, of a finding, the detail."""
    canary = folder / "canary"
    outcome, detail, printed = "accepted", "", io.StringIO()
    with _alone(folder, printed):
        use = KINDS[kind](rng, folder, canary)
        try:
            with _limited(SECONDS):
                use()
        except HangError:
            outcome = "hang"
            detail = f"more than {SECONDS} s of a processor"
        except OmnibenchError as error:
            outcome, detail = "refused", str(error)
        except (Exception, SystemExit):
            outcome, detail = "traceback", traceback.format_exc()
    text = printed.getvalue()
    if canary.exists():
        return "code run", text
    if UNPRINTABLE.search(text):
        return "control characters", repr(text)
    return outcome, detail


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def end(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)  # again, where the first was swallowed
    space = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (room, space[1]))
    # Where no Python code is reached any more, or nothing is computed.
    assert sys.__stderr__ is not None
    faulthandler.dump_traceback_later(40 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, space)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _alone(folder: Path, printed: io.StringIO) -> Iterator[None]:
    """Let a case see its own folders and catalogue, and nothing else of another's."""
    registries: tuple[Any, ...] = (catalogue.backbones, catalogue.datasets, catalogue.tasks)
    # Its names are asked for first, so that what ships is loaded by now.
    before = [dict(registry._entries) for registry in registries if list(registry)]
    arguments = sys.argv
    modules, path, plugged = set(sys.modules), list(sys.path), dict(catalogue._plugged)
    handler = logging.StreamHandler(printed)
    log = logging.getLogger("omnibench")
    log.addHandler(handler)
    propagate, log.propagate = log.propagate, False
    places = {"OMNIBENCH_RESULTS": folder / "results", "OMNIBENCH_DATA": folder / "data"}
    os.environ |= {name: str(value) for name, value in places.items()}
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
        for name in places:
            os.environ.pop(name, None)
        for registry, entries in zip(registries, before, strict=True):
            registry._entries = entries
        sys.path[:], sys.argv = path, arguments
        for name in set(sys.modules) - modules:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        catalogue._plugged.clear()
        catalogue._plugged.update(plugged)


HEADS = ("accepted", "refused", *BAD)


def row(kind: str, tally: Tally) -> str:
    """Return a kind's cases, what became of them, and the slowest one's seconds."""
    numbers = " ".join(f"{tally.counts[head]:>{len(head)}}" for head in HEADS)
    return f"{kind:12} {sum(tally.counts.values()):>6} {numbers}  {tally.slowest:.1f} s"


def main() -> int:
    """Attack, and print a row a kind and its findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--cases", type=int, default=500, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    bad = False
    sys.stdout.write(f"{'kind':12} {'cases':>6} {' '.join(HEADS)}  slowest\n")
    for kind in options.kinds:
        tally = attack(kind, options.cases, options.seed, place, options.first)
        bad |= bool(tally.findings)
        sys.stdout.write(f"{row(kind, tally)}\n")
        for case, what, detail in tally.findings:
            sys.stdout.write(f"  {place / f'{kind}-{case}'}: {what}\n{detail.rstrip()}\n")
        sys.stdout.flush()
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
