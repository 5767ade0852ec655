"""`list`: what is registered."""

from pathlib import Path
from typing import Any

from omnibench import catalogue
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean
from omnibench.scoring import metrics_of, reported_of
from omnibench.session import Places, Session
from omnibench.suite import shipped
from omnibench.task import Adaptation
from omnibench.terminal import columns, echo, echo_json

KINDS = ("backbones", "datasets", "tasks", "adaptations", "suites")


def show(kind: str, places: Places, as_json: bool) -> None:
    """Print the cards of one kind."""
    if kind not in KINDS:
        raise RequestError(
            f"there is no list of '{kind}'{did_you_mean(kind, KINDS)} "
            f"(there are: {', '.join(KINDS)})"
        )
    cards = _cards(kind, Session.open(places))
    if as_json:
        echo_json(cards)
        return
    fields = {
        "backbones": ("id", "family", "width", "patch", "pool", "source", "licence"),
        "datasets": ("id", "modality", "labels", "classes", "resolution", "splits", "licence"),
        "tasks": ("name", "adaptations", "metrics"),
        "adaptations": ("name", "task", "trains", "varies", "recipes"),
        "suites": ("name", "tasks", "datasets", "backbones", "cells"),
    }[kind]
    echo(columns([[_text(card[name]) for name in fields] for card in cards], fields))


def _recipes(adaptation: Adaptation) -> dict[str, Any]:
    return {name: recipe.model_dump(mode="json") for name, recipe in adaptation.recipes.items()}


def _cards(kind: str, session: Session) -> list[dict[str, Any]]:
    if kind == "backbones":
        return [
            catalogue.backbones.get(name).model_dump(mode="json") for name in catalogue.backbones
        ]
    if kind == "datasets":
        return [catalogue.datasets.get(name).model_dump(mode="json") for name in catalogue.datasets]
    if kind == "suites":
        return [_suite_card(name, path, session) for name, path in shipped().items()]
    tasks = [catalogue.tasks.get(name) for name in catalogue.tasks]
    if kind == "tasks":
        return [
            {
                "name": task.name,
                "adaptations": list(task.adaptations),
                "definitions": list(
                    dict.fromkeys(metric.definition for metric in metrics_of(task.name))
                ),
                "metrics": list(reported_of(task.name)),
            }
            for task in tasks
        ]
    return [
        {
            "name": adaptation.name,
            "task": task.name,
            "trains": adaptation.trains,
            "varies": adaptation.varies,
            "options": list(adaptation.options.model_fields),
            "recipes": _recipes(adaptation),
            "variants": {
                f"{option}: {value}": {
                    "trains": variant.trains,
                    "varies": variant.varies,
                    "recipes": _recipes(variant),
                }
                for (option, value), variant in adaptation.variants.items()
            },
        }
        for task in tasks
        for adaptation in task.adaptations.values()
    ]


def _suite_card(name: str, path: Path, session: Session) -> dict[str, Any]:
    suite, units = session.suite(name)
    return {
        "name": name,
        "path": str(path),
        "tasks": list(dict.fromkeys(unit.task for unit in units)),
        "datasets": list(suite.datasets),
        "backbones": [card.id for card in suite.backbones],
        "cells": sum(len(unit.cells) for unit in units),
    }


def _text(value: Any) -> str:
    """Return a card's field in words: names in full; of names with a number each, the numbers."""
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, dict):
        if all(isinstance(item, int) for item in value.values()):
            return "/".join(str(item) for item in value.values())
        return ", ".join(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
