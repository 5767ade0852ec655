"""`check`: is a backbone what its card says."""

from collections.abc import Iterable

from omnibench.catalogue import backbones
from omnibench.findings import Finding
from omnibench.session import Places, Session
from omnibench.terminal import echo, echo_json


def check(name: str, places: Places, device: str, as_json: bool) -> int:
    """Run the conformance kit; returns the exit status."""
    session = Session.open(places)
    card = backbones.get(name)
    from omnibench.encoders.conformance import conformance

    return show(conformance(card, session.context(device)), as_json)


def ask_author(name: str, places: Places, device: str, as_json: bool) -> int:
    """Print what the model's author would be asked to confirm; returns the exit status."""
    session = Session.open(places)
    card = backbones.get(name)
    from omnibench.encoders.author import questions

    answers = questions(card, session.context(device))
    if as_json:
        echo_json(answers)
    else:
        echo(f"To the author of {card.id} ({card.source}): is this how it is meant to be?\n")
        for subject, answer in answers.items():
            echo(f"  {subject + ':':13} {answer}")
        echo(f'\nOnce confirmed: verified_by="NAME" on the card of {card.id}.')
    return 0


def show(findings: Iterable[Finding], as_json: bool) -> int:
    """Print findings as they come; returns the exit status: 1 where one says FAIL."""
    shown = []
    for finding in findings:
        shown.append(finding)
        if not as_json:
            echo(str(finding))
    if as_json:
        echo_json([vars(finding) for finding in shown])
    return int(any(finding.verdict == "FAIL" for finding in shown))
