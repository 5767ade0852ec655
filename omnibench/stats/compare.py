"""Compare backbones pair by pair and stand them in order, place by place; correct by family."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd

from omnibench.stats.best import Standing, standings
from omnibench.stats.cases import Cases, Predictions, bare, read_cases, refuse_other_cases
from omnibench.stats.correction import correction_named
from omnibench.stats.influence import Influence, Summary, influences
from omnibench.stats.pair import (
    FROZEN,
    Comparison,
    Outcome,
    Place,
    compare_units,
    judged,
    looked_at,
    refuse_disagreeing,
)
from omnibench.stats.result import RefusedError
from omnibench.stats.units import Key, Score, Unit, by_view, primary_score, undecoded, units_of

Standings = dict[tuple[str, str, str, str, str, str], Standing]  # a unit's key and a score


@dataclass(frozen=True)
class Rules:
    """By what comparisons are judged.

    Attributes:
        primary: task -> "definition/name" of the metric that verdicts are about.
        lower_is_better: metrics that improve downwards, as "definition/name".
        margins: "definition/name" -> margin of equivalence, in the metric's own unit.
        correction: of the p of a family.
        recomputed: metrics, as "definition/name", that are computed again without parts of the test
            images, where they are no means over them; of the others nothing tells, to save time.
        looks: (task, dataset, adaptation) -> at which numbers of repetitions its family may be
            looked at, which its p allow for; those without were looked at once.
        undirected: metrics of which no value is better than another, as "definition/name".
    """

    primary: Mapping[str, str] = field(default_factory=dict)
    lower_is_better: Collection[str] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    correction: str = "holm"
    recomputed: Collection[str] = ()
    looks: Mapping[Place, tuple[int, ...]] = field(default_factory=dict)
    undirected: Collection[str] = ()


@dataclass(frozen=True)
class Tests:
    """What a suite's records say of its backbones.

    Attributes:
        comparisons: one for each pair, place, definition and metric.
        standings: of each unit in each metric that was asked for.
    """

    comparisons: list[Comparison]
    standings: Standings


def compare_pairs(
    values: pd.DataFrame,
    predictions: Predictions,
    pairs: Iterable[tuple[str, str]],
    rules: Rules,
    scores: Collection[Score] | None = None,
) -> list[Comparison]:
    """Compare the backbones of each pair on every dataset, with every adaptation.

    A family is all the pairs that share their second backbone, in the primary metric of one dataset
    with one adaptation. Its p do not depend on which other places there are, nor on `scores`. What
    cannot be tested is a row with p = NaN and the reason in its note.

    Args:
        values: the long table of `units.COLUMNS`.
        predictions: digest -> what that record stored for its test cases. Each file is read once
            where the pairs share their second backbone (a baseline).
        pairs: backbones (a, b); differences are a - b.
        scores: the (definition, metric) pairs wanted; None for all.

    Returns:
        One comparison for each pair, dataset, adaptation, definition and metric; `as_frame` makes
        a table of them.

    Raises:
        StoreError: two records claim the same repetition of a unit.
        RequestError: unknown correction.
    """
    return compare_all(
        values, predictions, pairs, rules, scores, ranked=(), expected={}
    ).comparisons


def compare_all(
    values: pd.DataFrame,
    predictions: Predictions,
    pairs: Iterable[tuple[str, str]],
    rules: Rules,
    scores: Collection[Score] | None,
    ranked: Collection[Score],
    expected: Mapping[Key, int],
) -> Tests:
    """Compare pairs as `compare_pairs` does, and stand the backbones of each place in order.

    Args:
        ranked: the metrics whose models are stood in order.
        expected: repetitions that each unit was to have. One with fewer is not stood in order; a
            pair of which one is not among them is not compared. {} where that is not known.
    """
    pairs = list(pairs)
    places: dict[Place, dict[str, Unit]] = {}
    for (task, dataset, adaptation, backbone), unit in units_of(values).items():
        places.setdefault((task, dataset, adaptation), {})[backbone] = unit
    comparisons: list[Comparison] = []
    stood: Standings = {}
    for place, models in places.items():
        reader = _Reader(predictions, scores, frozenset(ranked), rules.recomputed)
        due = {key[3]: n for key, n in expected.items() if key[:3] == place}
        planned = [pair for pair in pairs if not expected or all(name in due for name in pair)]
        comparisons += _compared(place, models, planned, rules, scores, reader.read)
        for score in ranked:
            if undecoded(score) in rules.undirected:
                continue
            if any(score in unit.scores for unit in models.values()):
                column = _column(models, due, score, reader)
                falling = undecoded(score) in rules.lower_is_better
                for name, standing in _stood(column, falling).items():
                    stood[*place, name, *score] = standing
    return Tests(_corrected(comparisons, rules), stood)


def as_frame(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Return a table with one row for each comparison and `Comparison`'s fields as columns."""
    names = [field.name for field in fields(Comparison)]
    return pd.DataFrame([vars(row) for row in comparisons], columns=names)


class _Reader:
    """Reads the units of one place: the influences of two at a time, the summaries of all."""

    def __init__(
        self,
        predictions: Predictions,
        scores: Collection[Score] | None,
        ranked: Collection[Score],
        recomputed: Collection[str],
    ) -> None:
        self._predictions, self._scores, self._ranked = predictions, scores, ranked
        self._recomputed = recomputed
        self._summaries: dict[Unit, dict[Score, Summary]] = {}
        self._cases: dict[str, Cases] = {}  # of each view, those that all others are held against
        self.read = functools.lru_cache(maxsize=2)(self._read)  # a baseline stays

    def summaries(self, unit: Unit) -> Mapping[Score, Summary]:
        """Return what standings need of a unit's metrics, where its predictions tell."""
        if unit not in self._summaries:
            self.read(unit)
        return self._summaries[unit]

    def _read(self, unit: Unit) -> Mapping[Score, Outcome]:
        wanted = [
            score
            for score in unit.scores
            if self._scores is None or score in self._scores or score in self._ranked
        ]
        outcomes: dict[Score, Outcome] = {}
        for view, scores in by_view(wanted).items():
            try:
                cases = read_cases(unit.digests, self._predictions, scores, view)
                first = self._cases.setdefault(view, bare(cases))
                refuse_other_cases(first, cases, "the models of this dataset")
                again = [score for score in scores if undecoded(score) in self._recomputed]
                outcomes |= influences(cases, scores, again=again)
            except RefusedError as reason:
                outcomes |= dict.fromkeys(scores, reason)
        self._summaries[unit] = {
            score: outcome.summary
            for score, outcome in outcomes.items()
            if isinstance(outcome, Influence)
            and score in self._ranked
            and _agrees(outcome, unit, score)
        }
        return outcomes


def _agrees(outcome: Influence, unit: Unit, score: Score) -> bool:
    try:
        refuse_disagreeing("it", outcome, unit.values(*score))
    except RefusedError:
        return False
    return True


def _compared(
    place: Place,
    models: Mapping[str, Unit],
    pairs: Iterable[tuple[str, str]],
    rules: Rules,
    scores: Collection[Score] | None,
    read: Callable[[Unit], Mapping[Score, Outcome]],
) -> Iterator[Comparison]:
    absent = Unit("", False)
    every = dict.fromkeys(score for unit in models.values() for score in unit.scores)
    first = primary_score(every, rules.primary.get(place[0]))
    for pair in pairs:
        a, b = units = (models.get(pair[0], absent), models.get(pair[1], absent))
        both = bool(a.scores) and bool(b.scores)
        # The baseline first: its cases are those that all others are held against.
        of_b, of_a = (read(b), read(a)) if both else ({}, {})
        outcomes = (of_a, of_b)
        for row in compare_units(place, pair, units, outcomes, scores):
            yield replace(row, primary=row.score == first)


def _column(
    models: Mapping[str, Unit], due: Mapping[str, int], score: Score, reader: _Reader
) -> dict[str, Summary | Standing]:
    """Return the models that have a metric: those that take part by their summary."""
    column: dict[str, Summary | Standing] = {}
    for name, unit in models.items():
        n = len(unit.scores.get(score, {}))
        if n == 0:
            continue
        if n < due.get(name, 0):
            column[name] = Standing("incomplete")
        elif n == 1 and unit.varies not in FROZEN:
            column[name] = Standing("untested")
        else:
            column[name] = reader.summaries(unit).get(score, Standing("untested"))
    return column


def _stood(column: Mapping[str, Summary | Standing], falling: bool) -> dict[str, Standing]:
    taking_part = {name: each for name, each in column.items() if isinstance(each, Summary)}
    others = {name: each for name, each in column.items() if isinstance(each, Standing)}
    return {**standings(taking_part, falling), **others}


def _corrected(rows: list[Comparison], rules: Rules) -> list[Comparison]:
    """Return comparisons with the p of each family corrected, and with their verdicts."""
    correct = correction_named(rules.correction)
    families: dict[tuple[object, ...], list[int]] = {}
    for position, row in enumerate(rows):
        if row.primary and row.test != "none":
            families.setdefault((row.place, row.score, row.backbone_b), []).append(position)
    rows = list(rows)
    for positions in families.values():
        looks = rules.looks.get(rows[positions[0]].place, ())
        p = np.array([looked_at(rows[k], rows[k].p, looks) for k in positions], dtype=np.float64)
        for k, adjusted in zip(positions, correct(p).tolist(), strict=True):
            repeats = max(rows[k].n_a, rows[k].n_b) > 1 and rows[k].runs != 0
            count = len(looks) if repeats else 0
            rows[k] = replace(rows[k], p_corrected=adjusted, family=len(positions), looks=count)
    return [
        judged(
            row,
            rules.margins.get(undecoded(row.score)),
            undecoded(row.score) in rules.lower_is_better,
            rules.looks.get(row.place, ()),
        )
        for row in rows
    ]
