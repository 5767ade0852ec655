"""`plan` and `status`: what a suite asks for, what is there, what is absent."""

from collections import Counter
from typing import Any

from omnibench.commands.session import Places, Session, columns, echo_json
from omnibench.engines.slurm_jobs import queued
from omnibench.estimate import estimate
from omnibench.plan import CellState, Filters, progress, running
from omnibench.terminal import echo
from omnibench.unregistered import unregistered


def plan(name: str, filters: Filters, places: Places, device: str, as_json: bool) -> None:
    """Print cells, units, what is done, what is blocked and why, rough time and disk."""
    session = Session.open(places)
    suite, units = session.suite(name, filters)
    states = progress(units, session.store)
    pending_names = {s.cell.unit.name for s in states if s.state in ("missing", "blocked")}
    pending = [unit for unit in units if unit.name in pending_names]
    context = session.context(device)
    cost = estimate(pending, context)
    from omnibench.data.survey import surveys  # numpy, which `--help` does without

    surveyed = surveys(units, session.data)
    warnings = [
        f"data {name}: {text}" for name, survey in surveyed.items() for text in survey.warnings
    ]
    if as_json:
        echo_json(
            {
                "suite": suite.name,
                "cells": [state.as_dict() for state in states],
                "units": len(units),
                "estimate": cost,
                "data": {name: dict(survey.facts) for name, survey in surveyed.items()},
                "warnings": warnings,
            }
        )
        return
    of_unit: dict[str, list[CellState]] = {unit.name: [] for unit in units}
    for state in states:
        of_unit[state.cell.unit.name].append(state)
    rows = [
        (unit.task, unit.dataset.id, unit.backbone.id, unit.short, _summary(of_unit[unit.name]))
        for unit in units
    ]
    echo(columns(rows, ("task", "dataset", "backbone", "adaptation", "cells")))
    echo(f"\n{suite.name}: {len(states)} cells in {len(units)} units; {_summary(states)}")
    echo(
        f"what is left: roughly {_duration(cost['seconds'])} and "
        f"{cost['disk_bytes'] / 1e6:.1f} MB of features and records on {context.device}"
    )
    echo(f"rates: {cost['basis']}")
    if cost["kept"]["disk"]:
        echo(f"maps or tokens of {cost['kept']['disk']} units: computed once, kept on disk")
    if cost["kept"]["memory"]:
        echo(
            f"maps or tokens of {cost['kept']['memory']} units: the disk is the slower way, so "
            "one forward is held in memory for all repetitions"
        )
    for dataset, survey in surveyed.items():
        echo(f"data {dataset}: {survey.line}")
    for warning in warnings:
        echo(f"warning: {warning}")
    for need in needs(states):
        echo(f"blocked: {need}")


def status(name: str, filters: Filters, places: Places, as_json: bool) -> None:
    """Print how far a suite is."""
    session = Session.open(places)
    suite, units = session.suite(name, filters)
    found = progress(units, session.store)
    counts = Counter(state.state for state in found)
    held = running(
        {s.cell.unit.name: s.cell.unit for s in found if s.state == "missing"}.values(),
        session.context("cpu"),
    )
    active = sum(state.state == "missing" and state.cell.unit.name in held for state in found)
    submitted = queued(session.results).keys() - held if counts["missing"] else set()
    waiting = sum(s.state == "missing" and s.cell.unit.name in submitted for s in found)
    failures = [
        {
            "digest": state.cell.digest,
            "kind": state.record["error"]["kind"],
            "message": state.record["error"]["message"],
        }
        for state in found
        if state.state == "failed" and state.record is not None
    ]
    content: dict[str, Any] = {
        "suite": suite.name,
        "done": counts["done"],
        "failed": counts["failed"],
        "missing": counts["missing"] - active - waiting,
        "running": active,
        "queued": waiting,
        "blocked": counts["blocked"],
        "failures": failures,
        "unregistered": [vars(lost) for lost in unregistered(units, session.store)],
    }
    if as_json:
        echo_json(content)
        return
    shown = ("done", "failed", "missing", "running", "queued", "blocked")
    echo(f"{suite.name}: " + ", ".join(f"{content[key]} {key}" for key in shown))
    for state in found:
        if state.state == "failed" and state.record is not None:
            error = state.record["error"]
            message = " ".join(error["message"].split())
            echo(
                f"failed: {state.cell.unit.name}, repetition {state.cell.repetition}: "
                f"{error['kind']}: {message}"
            )
    for need in needs(found):
        echo(f"blocked: {need}")
    for lost in unregistered(units, session.store):
        echo(f"not registered: {lost}")


def needs(found: list[CellState]) -> list[str]:
    """What blocks cells, each thing once, in order."""
    blocked = (state for state in found if state.state == "blocked")
    return list(dict.fromkeys(need for state in blocked for need in state.needs))


def _summary(found: list[CellState]) -> str:
    counts = Counter(state.state for state in found)
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
