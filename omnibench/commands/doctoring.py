"""`doctor`: what this machine has and lacks, in general and for a suite; what a folder of results
holds that is not as it was written. Asks no hub.
"""

from collections.abc import Iterator
from pathlib import Path

from omnibench.catalogue import tasks
from omnibench.commands.checking import show
from omnibench.doctor.machine import device, folders
from omnibench.doctor.needs import absent, disk
from omnibench.doctor.results import look_over
from omnibench.doctor.software import extras, latex, software
from omnibench.findings import Finding
from omnibench.session import Places, Session
from omnibench.states import needs, states
from omnibench.suite import shipped


def doctor(name: str | None, places: Places, as_json: bool) -> int:
    """Look at this machine, at what a suite needs, or a results folder over.

    Args:
        name: a suite, or a folder of results.

    Returns:
        The exit status.
    """
    if name is not None and name not in shipped() and Path(name).is_dir():
        return show(look_over(Path(name).absolute()), as_json)
    session = Session.open(places)
    return show(_general(session) if name is None else _of_suite(session, name), as_json)


def _general(session: Session) -> Iterator[Finding]:
    yield from _machine(session)
    for task in map(tasks.get, tasks):
        yield from task.findings(session.data)
    yield from extras()
    yield disk((), session.context("cpu"))


def _of_suite(session: Session, name: str) -> Iterator[Finding]:
    suite, units = session.suite(name)  # first: a wrong name is one sentence and nothing else
    found = states(units, session.store)
    yield from _machine(session)
    for name in dict.fromkeys(unit.task for unit in units):
        yield from tasks.get(name).findings(session.data)
    blocked = needs(found)
    yield from absent(blocked)
    if not blocked:
        yield Finding(f"suite {suite.name}", "PASS", "everything it needs is on this machine")
    left = {state.cell.unit.name for state in found if state.state in ("missing", "blocked")}
    yield disk([unit for unit in units if unit.name in left], session.context("auto"))


def _machine(session: Session) -> Iterator[Finding]:
    yield from software()
    yield device()
    yield from folders(session.results, session.data)
    yield latex()
