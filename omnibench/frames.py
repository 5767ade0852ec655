"""Records as the long table that statistics and reports take. No torch here."""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omnibench.architecture.floors import is_floor
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones, tasks
from omnibench.errors import StoreError
from omnibench.label_budget import WHOLE
from omnibench.record_files import read_predictions
from omnibench.scoring import (
    TEST,
    VALUES,
    by_decoding,
    computed_again,
    metrics_of,
    ranking_of,
    values_per_case,
)
from omnibench.stats.cases import Stored
from omnibench.stats.compare import Rules
from omnibench.stats.pair import Place
from omnibench.stats.units import COLUMNS, split_decoding, undecoded
from omnibench.task import POINTS, Metric, Predictions

CASES = ("test_case", "test_group")  # what tells test cases apart
KEPT_BYTES = 256 * 2**20

Loaded = tuple[str, int, int | None]  # backbone, input size, repetition where it decides


def values_of(
    records: Iterable[tuple[Path, Mapping[str, Any]]], cards: Mapping[str, BackboneCard]
) -> pd.DataFrame:
    """One row for each (done record, metric); a metric that is undefined is NaN.

    Args:
        records: paths and contents.
        cards: backbones by id, beside the registered ones (inline cards of a suite).

    Raises:
        StoreError: two weights were loaded under one backbone id.
    """
    rows: list[tuple[Any, ...]] = []
    loaded: dict[Loaded, tuple[str, Path]] = {}
    for path, record in records:
        if record["status"] != "done":
            continue
        spec = record["spec"]
        _refuse_other_weights(path, record, loaded)
        adaptation = tasks.get(spec["task"]).adaptations[spec["adaptation"]].under(spec["options"])
        redrawn = spec["recipe"].get("init") == "per-repetition"
        card = cards.get(spec["backbone"]) or (
            backbones.get(spec["backbone"]) if spec["backbone"] in backbones else None
        )
        facts = (
            record["digest"],
            record["pairing"],
            adaptation.varying(spec["recipe"], spec.get("labels", WHOLE), spec.get("mix")),
            card is not None and (is_floor(card) or (card.has_random_weights and not redrawn)),
        )
        place = (spec["task"], spec["dataset"], spec["backbone"], spec["short"])
        for key, value in record["metrics"].items():
            definition, _, metric = key.partition("/")
            value = float("nan") if value is None else value
            rows.append((*place, spec["repetition"], definition, metric, value, *facts))
    # Texts as they are: a report goes over them many times, and Arrow makes them anew each time.
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return frame.astype({"repetition": "int64", "value": "float64", "control": "bool"})


def predictions_of(
    records: Iterable[tuple[Path, Mapping[str, Any]]],
) -> Callable[[str], Stored]:
    """A reader of stored predictions, and of each case's metrics by definition, by cell digest.

    It keeps what it read first, up to KEPT_BYTES: a report asks for most of it several times.
    """
    cache: dict[str, dict[str, NDArray[Any]]] = {}
    room = KEPT_BYTES
    known = {record["digest"]: (path, record["spec"]["task"]) for path, record in records}

    def read(digest: str) -> Stored:
        nonlocal room
        path, task = known[digest]
        arrays = cache.get(digest)
        if arrays is None:
            arrays = read_predictions(path)
            size = sum(array.nbytes for array in arrays.values())
            if size <= room:
                cache[digest], room = arrays, room - size

        views = functools.cache(lambda: by_decoding(arrays))

        def of_view(view: str) -> Predictions:
            # Where a view's own arrays are absent its cases are known, and values stored of them.
            return views().get(view and f"@{view}", {n: arrays[n] for n in CASES if n in arrays})

        def per_case(definition: str) -> Mapping[str, NDArray[Any]]:
            prefix = f"{VALUES}{definition}/"
            stored = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            name, view = split_decoding(definition)
            return stored or values_per_case(task, name, of_view(view))

        def recompute(definition: str, chosen: NDArray[np.bool_]) -> Mapping[str, float | None]:
            name, view = split_decoding(definition)
            part = {
                key: array[chosen] if key.startswith(TEST) and len(array) == len(chosen) else array
                for key, array in of_view(view).items()
            }
            return computed_again(task, name, part)

        return Stored(arrays, per_case, recompute, of_view)

    return read


def rules_of(
    values: pd.DataFrame,
    correction: str = "holm",
    margin: float | None = None,
    named: Iterable[str] = (),
    looks: Mapping[Place, tuple[int, ...]] | None = None,
) -> Rules:
    """Return by what the comparisons of a long table are judged.

    A task's primary metric is the first one that it reports, that has a direction, and that is
    defined anywhere here.

    Args:
        correction: of the p of a family, as a suite names it.
        margin: of equivalence, in points of the primary metrics; those in other units have none.
        named: further metrics whose answer is worth the time it takes, as "definition/name".
        looks: of a suite.
    """
    defined = values[values["value"].notna()]
    rows = zip(defined["task"], defined["definition"], defined["metric"], strict=True)
    there = {(task, undecoded((definition, metric))) for task, definition, metric in set(rows)}
    primary = {
        task: first
        for task in dict.fromkeys(defined["task"])
        if (first := next((id for id in ranking_of(task) if (task, id) in there), None))
    }
    units = units_by_metric(values)
    margins = (
        {}
        if margin is None
        else {id: margin / 100 for id in primary.values() if units.get(id, POINTS) == POINTS}
    )
    again = frozenset((*primary.values(), *named))
    return Rules(
        primary,
        improving_downwards(values),
        margins,
        correction,
        again,
        looks or {},
        {key for key, metric in _known(values).items() if metric.direction is None},
    )


def mixed_precisions(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return (task, dataset) -> a sentence, where finished models ran in several precisions."""
    units: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for record in records:
        spec, precision = record["spec"], record["environment"].get("precision")
        if record["status"] == "done" and precision is not None:
            place = (spec["task"], spec["dataset"], spec["short"])
            units.setdefault(place, {}).setdefault(precision, set()).add(spec["backbone"])
    sentences: dict[tuple[str, str], list[str]] = {}
    for (task, dataset, short), used in units.items():
        if len(used) > 1:
            parts = [f"{', '.join(sorted(used[name]))} in {name}" for name in sorted(used)]
            sentences.setdefault((task, dataset), []).append(f"{short}: {', '.join(parts)}")
    return {
        place: f"precision is mixed, which is part of a difference ({'; '.join(parts)})"
        for place, parts in sentences.items()
    }


def improving_downwards(values: pd.DataFrame) -> set[str]:
    """Return the metrics of a long table that improve downwards, as "definition/name"."""
    return {key for key, metric in _known(values).items() if metric.direction == "down"}


def units_by_metric(values: pd.DataFrame) -> dict[str, str]:
    """Return what the values of each metric of a long table are in, by "definition/name"."""
    return {key: metric.unit for key, metric in _known(values).items()}


def _known(values: pd.DataFrame) -> dict[str, Metric]:
    """Return "definition/name", without a decoding -> what is registered of that metric."""
    scores = set(zip(values["definition"], values["metric"], strict=True))
    every = [metric for task in tasks for metric in metrics_of(task)]
    return {
        undecoded((definition, name)): metric
        for definition, name in scores
        for metric in every
        if metric.definition == split_decoding(definition)[0] and metric.covers(name)
    }


def _refuse_other_weights(
    path: Path,
    record: Mapping[str, Any],
    loaded: dict[Loaded, tuple[str, Path]],
) -> None:
    digest = record["digests"].get("backbone")
    if digest is None:
        return
    spec = record["spec"]
    # Position embeddings are resampled at loading, so digests are compared at one input size.
    # Where each repetition draws its own weights, they are compared within a repetition.
    drawn = spec["repetition"] if spec["recipe"].get("init") == "per-repetition" else None
    key = (spec["backbone"], spec["recipe"].get("input_size", 0), drawn)
    first, where = loaded.setdefault(key, (digest, path))
    if first != digest:
        raise StoreError(
            f"the backbone '{key[0]}' was loaded with two different weights, in {where} and "
            f"{path}; give one of them another id, or delete the records of the one you do not want"
        )
