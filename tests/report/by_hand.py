"""Long values and comparisons by hand, as the store and `compare_pairs` would give them."""

import hashlib
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omnibench.report import study
from omnibench.report.build import Plan, Remarks, Scales, Verdicts, build_results
from omnibench.report.captions import caption, details
from omnibench.report.result_tables import result_table
from omnibench.report.results import Results
from omnibench.report.table import Table
from omnibench.stats.best import Place, Standing
from omnibench.stats.cases import Stored
from omnibench.stats.compare import Rules, Standings
from omnibench.stats.deciding import NEW_RUNS
from omnibench.stats.pair import Comparison, judged
from omnibench.stats.units import COLUMNS

PRIMARY = "auc"
CASES, SPREAD = 40, 0.05  # of `predictions`
RULES = Rules({"classification": f"def/{PRIMARY}"})


class Study:
    """Two datasets, a baseline that is a control, and whatever a test adds."""

    def __init__(self) -> None:
        self.rows, self.comparisons, self.asked = list[Any](), list[Any](), list[Any]()
        self.standings: Standings = {}

    def add(
        self,
        backbone: str,
        values: list[float],
        dataset: str = "d",
        adaptation: str = "linear",
        metric: str = "auc",
        **other: Any,
    ) -> "Study":
        for k, value in enumerate(values):
            text = f"{dataset}/{backbone}/{adaptation}/{k}"
            row = {
                "task": "classification",
                "dataset": dataset,
                "backbone": backbone,
                "adaptation": adaptation,
                "repetition": k,
                "definition": "def",
                "metric": metric,
                "value": value,
                "digest": hashlib.sha256(text.encode()).hexdigest(),
                "pairing": f"{dataset}{k}",
                "varies": "head seed" if len(values) > 1 else "nothing",
                "control": backbone.startswith("random"),
            }
            self.rows.append(row | other)
        return self

    def compare(
        self,
        a: str,
        b: str = "random-vit",
        dataset: str = "d",
        adaptation: str = "linear",
        metric: str = "auc",
        **other: float | str | bool,
    ) -> "Study":
        """Add a comparison for new images and runs, with the verdict that its numbers make."""
        given: dict[str, Any] = {"test": NEW_RUNS, "primary": metric == PRIMARY, **other}
        decided = given["primary"] and given["test"] != "none"
        given = {"difference": 0.1, "family": 2 if decided else 0, **given}
        place = (given.pop("task", "classification"), dataset, adaptation)
        score = (given.pop("definition", "def"), metric)
        row = Comparison(*place, *score, a, b, 3, 3, 0.9, 0.8, **given)
        self.comparisons.append(row if "verdict" in given else judged(row, None, False))
        return self

    def stand(self, place: Place, *backbones: str, dataset: str = "d", **ranks: int) -> "Study":
        """Say where backbones stand among the linear probes of a dataset."""
        for name in backbones:
            key = ("classification", dataset, "linear", name, "def", PRIMARY)
            self.standings[key] = Standing(place, **ranks)
        return self

    def ask(
        self,
        backbone: str,
        states: list[str],
        dataset: str = "d",
        adaptation: str = "linear",
        task: str = "classification",
    ) -> "Study":
        for k, state in enumerate(states):
            self.asked.append((task, dataset, backbone, adaptation, k, state))
        return self

    @property
    def values(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=list(COLUMNS))

    def predictions(self, digest: str) -> Stored:
        """What a record would have stored: values of each case, whose means are its metrics."""
        known: dict[str, dict[str, NDArray[Any]]] = {}
        for row in self.rows:
            if row["digest"] == digest:
                seed = [int(digest[:8], 16), len(known.setdefault(row["definition"], {}))]
                noise = SPREAD * np.random.default_rng(seed).normal(size=CASES)
                of_cases = row["value"] + noise - noise.mean()
                known[row["definition"]][row["metric"]] = of_cases
        return Stored({"test_case": np.arange(CASES)}, lambda name: known.get(name, {}))

    @property
    def expected(self) -> pd.DataFrame | None:
        names = ["task", "dataset", "backbone", "adaptation", "repetition", "state"]
        return pd.DataFrame(self.asked, columns=names) if self.asked else None

    def results(self, **options: Any) -> Any:
        """What `build_results` makes of it; the options are the fields of its parts."""
        options = {"standings": self.standings, **options}
        return build_results(self.values, *parts(self.comparisons, self.expected, options))

    def tables(self, **options: Any) -> list[Table]:
        """The results as they are printed."""
        return [result_table(results) for results in self.results(**options)]

    def reported(self, results: Any, every: Any = None, **facts: Any) -> Any:
        """What a report of some results is made of."""
        baseline = results[0].baseline if results else None
        given: dict[str, Any] = {
            "name": "demo",
            "baseline": baseline,
            "correction": "holm",
            "states": [],
            "rules": RULES,
            "layout": "per-metric",
        }
        given |= {"store": None, "values": self.values, "comparisons": self.comparisons}
        given |= {"chosen": results, "shown": results, "every": every or results}
        return study.Study(**{**given, "predictions": {}.__getitem__, **facts})


def in_full(results: Results) -> str:
    """All that is said beside a table of results."""
    return " ".join((caption(results), *details(results)))


def parts(comparisons: Any, expected: Any, options: Any) -> list[Any]:
    """The arguments of `build_results` after the values, from the fields of all of them."""
    given = {"comparisons": comparisons, "expected": expected} | options
    kinds = (Verdicts, Plan, Scales, Remarks)
    made = [{f.name: given.pop(f.name) for f in fields(k) if f.name in given} for k in kinds]
    assert not given
    return [kind(**some) for kind, some in zip(kinds, made, strict=True)]
