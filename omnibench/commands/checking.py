"""`check` and `doctor`: is a backbone what its card says, and what does this machine lack."""

import importlib.metadata
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from omnibench.catalogue import backbones
from omnibench.commands.planning import needs
from omnibench.commands.session import Places, Session, best_device, echo_json, usable_cores
from omnibench.environment import PACKAGES
from omnibench.errors import RequestError
from omnibench.estimate import estimate
from omnibench.findings import Finding
from omnibench.plan import states
from omnibench.recipe import native_precision
from omnibench.store import check_writable

SPARE_BYTES = 2 * 2**30


def check(name: str, places: Places, device: str, as_json: bool) -> int:
    """Run the conformance kit; returns the exit status."""
    session = Session.open(places)
    card = backbones.get(name)
    from omnibench.encoders.conformance import conformance

    return _print(conformance(card, session.context(device)), as_json)


def doctor(suite: str | None, places: Places, as_json: bool) -> int:
    """Look at this machine and, where given, at what a suite needs; returns the exit status."""
    session = Session.open(places)
    return _print(_doctor(session, suite), as_json)


def _doctor(session: Session, suite: str | None) -> Iterator[Finding]:
    for package in PACKAGES:
        try:
            version = importlib.metadata.version(package)
            yield Finding(f"package {package}", "PASS", version)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(f"package {package}", "FAIL", "not installed", "make setup")
    device = best_device()
    yield Finding(
        "device",
        "PASS" if device != "cpu" else "WARN",
        f"{device}, {usable_cores()} cores, {native_precision()} is native",
        "" if device != "cpu" else "frozen probes are quick on a CPU; full training wants a GPU",
    )
    for name, folder in (("results", session.results), ("data", session.data)):
        yield _folder(name, folder)
    if suite is None:
        return
    resolved, units = session.suite(suite)
    found = states(units, session.store)
    blocked = needs(found)
    for need in blocked:
        what, _, fix = need.partition(": ")
        yield Finding(what, "FAIL", "absent", fix)
    if not blocked:
        yield Finding(f"suite {resolved.name}", "PASS", "everything it needs is on this machine")
    pending = [unit for unit in units if not unit.needs]
    disk = estimate(pending, session.context("auto"))["disk_bytes"]
    free = shutil.disk_usage(_existing(session.data)).free
    yield Finding(
        "disk",
        "PASS" if free > disk + SPARE_BYTES else "FAIL",
        f"{free / 1e9:.1f} GB free, {disk / 1e9:.2f} GB to write",
        "" if free > disk + SPARE_BYTES else "choose another folder with --data",
    )


def _folder(name: str, folder: Path) -> Finding:
    try:
        check_writable(folder)
    except RequestError as error:
        return Finding(f"folder {name}", "FAIL", str(error), f"--{name} DIR")
    return Finding(f"folder {name}", "PASS", f"{folder} is writable")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _print(findings: Iterable[Finding], as_json: bool) -> int:
    found = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            typer.echo(str(finding))
    if as_json:
        echo_json([vars(finding) for finding in found])
    return int(any(finding.verdict == "FAIL" for finding in found))
