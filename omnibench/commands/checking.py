"""`check`: is a backbone what its card says. `doctor`: what this machine has and lacks, in general
and for a suite; what a folder of results holds that is not as it was written. It asks no hub.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from omnibench.catalogue import backbones, tasks
from omnibench.context import Context
from omnibench.doctor import machine
from omnibench.doctor.needs import absent, disk
from omnibench.doctor.results import look_over
from omnibench.doctor.software import extras, latex, software
from omnibench.findings import Finding
from omnibench.session import Places, Session
from omnibench.states import needs, states
from omnibench.suite import shipped
from omnibench.terminal import echo, echo_json, hanging


def check(name: str, places: Places, device: str, threads: int | None, as_json: bool) -> int:
    """Run the conformance kit; returns the exit status."""
    session = Session.open(places)
    card = backbones.get(name)
    from omnibench.encoders.conformance import conformance

    return _show(conformance(card, _context(session, device, threads)), as_json)


def ask_author(name: str, places: Places, device: str, threads: int | None, as_json: bool) -> int:
    """Print what the model's author would be asked to confirm; returns the exit status."""
    session = Session.open(places)
    card = backbones.get(name)
    from omnibench.encoders.author import questions

    answers = questions(card, _context(session, device, threads))
    if as_json:
        echo_json(answers)
    else:
        echo(f"To the author of {card.id} ({card.source}): is this how it is meant to be?\n")
        for subject, answer in answers.items():
            echo(f"  {subject + ':':13} {answer}")
        echo(f'\nOnce confirmed: verified_by="NAME" on the card of {card.id}.')
    return 0


def _context(session: Session, device: str, threads: int | None) -> Context:
    """Return the context of what computes in this process, its threads set."""
    context = session.context(device, threads)
    import torch

    torch.set_num_threads(context.threads)
    return context


def doctor(name: str | None, places: Places, as_json: bool) -> int:
    """Look at this machine, at what a suite needs, or a results folder over.

    Args:
        name: a suite, or a folder of results.

    Returns:
        The exit status.
    """
    if name is not None and name not in shipped() and Path(name).is_dir():
        return _show(look_over(Path(name).absolute()), as_json)
    session = Session.open(places)
    return _show(_general(session) if name is None else _of_suite(session, name), as_json)


def _general(session: Session) -> Iterator[Finding]:
    yield from _machine(session)
    for task in map(tasks.get, tasks):
        yield from task.findings(session.data)
    yield from extras()
    yield disk((), session.context("cpu"))


def _of_suite(session: Session, name: str) -> Iterator[Finding]:
    suite, units = session.suite(name)  # first: a wrong name is one sentence and nothing else
    cells = states(units, session.store)
    yield from _machine(session)
    for name in dict.fromkeys(unit.task for unit in units):
        yield from tasks.get(name).findings(session.data)
    blocked = needs(cells)
    yield from absent(blocked)
    if not blocked:
        yield Finding(f"suite {suite.name}", "PASS", "everything it needs is on this machine")
    left = {state.cell.unit.name for state in cells if state.state in ("missing", "blocked")}
    yield disk([unit for unit in units if unit.name in left], session.context("auto"))


def _machine(session: Session) -> Iterator[Finding]:
    yield from software()
    yield machine.device()
    yield from machine.folders(session.results, session.data)
    yield latex()


def _show(findings: Iterable[Finding], as_json: bool) -> int:
    """Print findings as they come; returns the exit status: 1 where one says FAIL."""
    shown = []
    for finding in findings:
        shown.append(finding)
        if not as_json:
            echo(hanging(str(finding)))
    if as_json:
        echo_json([vars(finding) for finding in shown])
    return int(any(finding.verdict == "FAIL" for finding in shown))
