"""Long values and comparisons by hand, as the store and `compare_pairs` would give them."""

import hashlib

import pandas as pd

from omnibench.report.build import build_tables
from omnibench.stats.pair import Comparison
from omnibench.stats.units import COLUMNS


class Study:
    """Two datasets, a baseline that is a control, and whatever a test adds."""

    def __init__(self):
        self.rows, self.comparisons, self.asked = [], [], []

    def add(self, backbone, values, dataset="d", adaptation="linear", metric="auc", **other):
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

    def compare(self, a, b="random-vit", dataset="d", adaptation="linear", metric="auc", **other):
        given = {"test": "DeLong (mean of 3 repetitions)", "family": 2} | other
        self.comparisons.append(
            Comparison(
                *("classification", dataset, adaptation, "def", metric, a, b, 3, 3, 0.9, 0.8),
                **({"difference": 0.1} | given),
            )
        )
        return self

    def ask(self, backbone, states, dataset="d", adaptation="linear", task="classification"):
        for k, state in enumerate(states):
            self.asked.append((task, dataset, backbone, adaptation, k, state))
        return self

    @property
    def values(self):
        return pd.DataFrame(self.rows, columns=list(COLUMNS))

    @property
    def expected(self):
        names = ["task", "dataset", "backbone", "adaptation", "repetition", "state"]
        return pd.DataFrame(self.asked, columns=names) if self.asked else None

    def tables(self, **options):
        return build_tables(self.values, self.comparisons, self.expected, **options)
