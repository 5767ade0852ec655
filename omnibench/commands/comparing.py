"""`compare`: two backbones wherever both have records."""

import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from omnibench.catalogue import tasks
from omnibench.commands.compare_screen import Screen, improvement_words, over_datasets_words
from omnibench.errors import RequestError
from omnibench.frames import (
    mixed_precisions,
    predictions_of,
    rules_of,
    units_by_metric,
    values_of,
)
from omnibench.record_files import complaint_about
from omnibench.registry import did_you_mean
from omnibench.report.words import ranged
from omnibench.scoring import reported_of
from omnibench.session import Places, Session
from omnibench.states import Filters, matching, states
from omnibench.stats.across import Overall, by_dataset, overall
from omnibench.stats.compare import Rules, compare_pairs
from omnibench.stats.details import Detail, details
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, beside_none, undecoded
from omnibench.store import RecordStore
from omnibench.terminal import echo, echo_json
from omnibench.verdicts import tests_of

log = logging.getLogger("omnibench")
Records = list[tuple[Path, dict[str, Any]]]


@dataclass(frozen=True)
class Compared:
    """Two backbones, wherever both have finished records.

    Attributes:
        records: paths and contents.
        values: their long table.
        rows: one for each dataset, adaptation and metric.
        sums: one for each task, adaptation and metric, on average over datasets.
        rules: by which they are judged.
        family: whose p these are, as a sentence.
        margin: of equivalence, in points: what was asked for, else the suite's; None without one.
    """

    records: Records
    values: pd.DataFrame
    rows: list[Comparison]
    sums: list[Overall]
    rules: Rules
    family: str
    margin: float | None

    @classmethod
    def from_request(cls, request: "Request", session: Session) -> "Compared":
        """Compare two backbones on every unit that both have records of.

        Raises:
            RequestError: the request cannot be answered; the message says how it could be.
        """
        margin = request.margin
        if margin is not None and not (margin > 0 and math.isfinite(margin)):
            raise RequestError(f"--margin: {margin:g} is not a number of points above 0")
        if request.a == request.b:
            raise RequestError(
                f"'{request.a}' cannot be compared with itself; name another backbone"
            )
        if request.suite is not None:
            return cls._in_suite(request, request.suite, session)
        return cls._alone(request, session)

    @classmethod
    def _alone(cls, request: "Request", session: Session) -> "Compared":
        """Compare two backbones as a family of their own."""
        a, b = request.a, request.b
        records = shared_records(session.store, a, b, request.filters)
        if not records:
            raise RequestError(_why_none(a, b, session))
        values, predictions = values_of(records, {}), predictions_of(records)
        wanted = _wanted(request.metric, values)
        rules = rules_of(values, margin=request.margin, named=_named(request.metric, wanted))
        rows = compare_pairs(values, predictions, [(a, b)], rules, wanted)
        family = (
            f"The family of each p is {a} and {b} alone, so nothing is corrected; `--suite NAME` "
            "takes p from the family of a suite."
        )
        return cls(records, values, rows, overall(rows, rules), rules, family, request.margin)

    @classmethod
    def _in_suite(cls, request: "Request", source: str, session: Session) -> "Compared":
        """Compare a backbone with a suite's baseline, as its report does."""
        a, b = request.a, request.b
        suite, units = session.suite(source)
        baseline = suite.report.baseline
        if baseline not in (a, b):
            raise RequestError(
                f"the suite '{suite.name}' compares with its baseline ({baseline or 'none'}), "
                f"which is neither {a} nor {b}; leave --suite out, and the two are a family of "
                "their own"
            )
        for name in (a, b):
            if name not in {card.id for card in suite.backbones}:
                known = [card.id for card in suite.backbones]
                raise RequestError(
                    f"the suite '{suite.name}' has no backbone '{name}'{did_you_mean(name, known)}"
                )
        store = session.store
        cells = states(units, store)
        records = [(store.path(cell.cell), cell.record) for cell in cells if cell.record]
        values = values_of(records, {card.id: card for card in suite.backbones})
        scores = _wanted(request.metric, values) if len(values) else set()
        named = _named(request.metric, scores)
        margin = request.margin or suite.report.equivalence_margin
        rules = rules_of(values, suite.report.correction, margin, named, suite.looks)
        every = beside_none(_scores(values))
        primary = {s for s in every if undecoded(s) in rules.primary.values()}
        tested = tests_of(
            suite, cells, values, predictions_of(records), rules, scores | primary
        ).comparisons
        chosen = [c for c in tested if c.score in scores and {c.backbone_a, c.backbone_b} == {a, b}]
        # A sum over datasets belongs to the suite, whatever the filters show of it.
        sums = [
            row
            for row in overall([c for c in tested if c.score in scores], rules)
            if {row.backbone_a, row.backbone_b} == {a, b}
        ]
        rows = [c for c in chosen if _passes(c, request.filters)]
        if not any(min(c.n_a, c.n_b) for c in rows):
            raise RequestError(
                f"the suite '{suite.name}' has no dataset and adaptation that the filters leave "
                f"and that both {a} and {b} have finished; run it first"
            )
        places = {(row.task, row.adaptation, *row.score) for row in rows}
        sums = [s for s in sums if (s.task, s.adaptation, *s.score) in places]
        if baseline == a:
            rows, sums = [row.reversed for row in rows], [row.reversed for row in sums]
        family = (
            f"The family of each p is that of the suite {suite.name}: its backbones compared with "
            f"{baseline} in the primary metric of one dataset with one adaptation"
        )
        if looks := [row.looks for row in rows if row.looks]:
            family += (
                f"; it allows for each of {ranged(looks, 'planned look')} while runs were added"
            )
        return cls(records, values, rows, sums, rules, f"{family}.", margin)

    def details(self) -> list[Detail]:
        """Return what the repetitions of each row say."""
        return details(self.values, self.rows, self.rules)


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        metric: a metric, under every definition and view it has; "definition/metric", in every
            view; or "definition@b5-t64/metric". None for what tasks report of a test set itself and
            of each decoding of texts.
        suite: whose families the p are of; None for the pair's own.
        margin: of equivalence, in points; None for the suite's, if it has one.
    """

    a: str
    b: str
    filters: Filters
    metric: str | None = None
    suite: str | None = None
    margin: float | None = None


def _passes(row: Comparison, filters: Filters) -> bool:
    name = row.adaptation
    chosen = (
        (filters.tasks, row.task),
        (filters.datasets, row.dataset),
        (filters.adaptations, name),
    )
    return all(not globs or matching((text,), globs) for globs, text in chosen)


def _why_none(a: str, b: str, session: Session) -> str:
    known = {record["spec"]["backbone"] for _, record in session.store.all()}
    for name in (a, b):
        if name not in known:
            return (
                f"there is no finished record of a backbone '{name}' below "
                f"{session.store.root}{did_you_mean(name, known)}"
            )
    return (
        f"'{a}' and '{b}' have no dataset, adaptation and recipe in common that the filters "
        "leave; run both in one suite"
    )


def compare(request: Request, places: Places, as_json: bool) -> None:
    """Print how two backbones compare on every unit that both have records of.

    Raises:
        RequestError: the request cannot be answered; the message says how it could be.
    """
    compared = Compared.from_request(request, Session.open(places))
    values = compared.values
    if as_json:
        rows, sums = _rows(compared.rows), _rows(compared.sums)
        echo_json(
            {
                **{"a": request.a, "b": request.b, "suite": request.suite},
                **{"rows": rows, "overall": sums},
            }
        )
        return
    screen = Screen(
        a=request.a,
        b=request.b,
        rows=compared.rows,
        sums=compared.sums,
        details=compared.details(),
        words=[
            _words(request.a, request.b, values, group, compared.rules)
            for group in by_dataset(compared.rows).values()
        ],
        units=units_by_metric(values),
        family=compared.family,
        margin=compared.margin,
    )
    mixed = mixed_precisions(record for _, record in compared.records)
    for (task, dataset), sentence in mixed.items():
        echo(f"{task}, {dataset}: {sentence}")
    for line in screen.lines():
        echo(line)


def _words(
    a: str,
    b: str,
    values: pd.DataFrame,
    rows: Sequence[Comparison],
    rules: Rules,
) -> str:
    metric, chance = undecoded(rows[0].score), ""
    if metric not in rules.undirected:
        chance = improvement_words(a, b, values, rows, metric in rules.lower_is_better)
    return "; ".join(filter(None, (chance, over_datasets_words(rows))))


def _named(metric: str | None, wanted: Iterable[Score]) -> list[str]:
    return [] if metric is None else [undecoded(score) for score in wanted]


def _scores(values: pd.DataFrame) -> set[Score]:
    return set(zip(values["definition"], values["metric"], strict=True))


def _wanted(metric: str | None, values: pd.DataFrame) -> set[Score]:
    """Return the definitions and metrics that `--metric` names.

    Raises:
        RequestError: no record has any.
    """
    scores = _scores(values)
    if metric is None:
        reported = {key for name in tasks for key in reported_of(name)}
        return {score for score in beside_none(scores) if undecoded(score) in reported}
    names = {score: _spelled(score, metric) for score in scores}
    wanted = {score for score, name in names.items() if name == metric}
    if not wanted:
        known = sorted(set(names.values()))
        raise RequestError(
            f"--metric: no record has '{metric}'{did_you_mean(metric, known)} "
            f"(there are: {', '.join(known)})"
        )
    return wanted


def _spelled(score: Score, like: str) -> str:
    """Return a score's name, as far as `like` spells one out."""
    if "/" not in like:
        return score[1]
    return "/".join(score) if "@" in like else undecoded(score)


def _rows(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return dataclasses as JSON takes them: NaN becomes null."""
    return [{name: _plain(value) for name, value in vars(row).items()} for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shared_records(store: RecordStore, a: str, b: str, filters: Filters) -> Records:
    """Return finished records of two backbones, of recipes that both were run with.

    Of several recipes of one dataset and adaptation, the one finished last is taken.
    """
    groups: dict[tuple[str, ...], dict[str, dict[str, Records]]] = {}
    for path, record in store.all():
        spec = record["spec"]
        if record["status"] != "done" or spec["backbone"] not in (a, b):
            continue
        adaptations = tasks.get(spec["task"]).adaptations if spec["task"] in tasks else {}
        if spec["adaptation"] not in adaptations:
            continue
        short = spec["short"]
        chosen = (
            (filters.tasks, (spec["task"],)),
            (filters.datasets, (spec["dataset"],)),
            (filters.adaptations, (short, spec["adaptation"])),
        )
        if not all(not globs or matching(names, globs) for globs, names in chosen):
            continue
        kind = {key: value for key, value in spec.items() if key not in ("backbone", "repetition")}
        variant = json.dumps([kind, record["digests"].get("source.dataset")], sort_keys=True)
        place = groups.setdefault((spec["task"], spec["dataset"], short), {})
        place.setdefault(variant, {}).setdefault(spec["backbone"], []).append((path, record))
    shared: Records = []
    for variants in groups.values():
        whole = [{name: _whole(some) for name, some in each.items()} for each in variants.values()]
        both = [records for records in whole if records.get(a) and records.get(b)]
        if both:
            newest = max(both, key=lambda records: _finished([*records[a], *records[b]]))
            shared += [*newest[a], *newest[b]]
    return shared


def _whole(records: Records) -> Records:
    """Leave out records of which a file is damaged or absent, and name them."""
    whole = []
    for path, record in records:
        if complaint := complaint_about(path, record):
            log.warning("%s; its cell is left out", complaint)
        else:
            whole.append((path, record))
    return whole


def _finished(records: Iterable[tuple[Path, dict[str, Any]]]) -> str:
    return max(str(record["finished"]) for _, record in records)
