"""`check`: is a backbone what its card says."""

from collections.abc import Iterable

import typer

from omnibench.catalogue import backbones
from omnibench.commands.session import Places, Session, echo_json
from omnibench.findings import Finding


def check(name: str, places: Places, device: str, as_json: bool) -> int:
    """Run the conformance kit; returns the exit status."""
    session = Session.open(places)
    card = backbones.get(name)
    from omnibench.encoders.conformance import conformance

    return show(conformance(card, session.context(device)), as_json)


def show(findings: Iterable[Finding], as_json: bool) -> int:
    """Print findings as they come; returns the exit status: 1 where one says FAIL."""
    found = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            typer.echo(str(finding))
    if as_json:
        echo_json([vars(finding) for finding in found])
    return int(any(finding.verdict == "FAIL" for finding in found))
