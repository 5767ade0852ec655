"""Operating points in a report, where a suite states a prevalence."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.report.operating_points import operating_table
from omnibench.report.stored_units import StoredUnits
from omnibench.report.table import DASH
from omnibench.scoring import score
from omnibench.stats.cases import Stored

CASES = 120


def arrays(seed: int, val_classes: int = 2) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    stored: dict[str, NDArray[Any]] = {"test_case": np.arange(CASES)}
    for split, classes in (("val", val_classes), ("test", 2)):
        labels = (rng.random(CASES) < 0.3).astype(np.int64) * (classes - 1)
        logits = rng.normal(size=(CASES, 2)) + 1.5 * np.eye(2)[labels]
        stored |= {f"{split}_logits": logits.astype(np.float32), f"{split}_labels": labels}
    return stored


def units(**models: dict[str, NDArray[Any]]) -> StoredUnits:
    card = DatasetCard(id="dots", reader="a:b", tasks=("classification",), classes=("no", "yes"))
    stored = {name: Stored(own) for name, own in models.items()}
    places = {(name, "linear"): {0: name} for name in models}
    return StoredUnits("classification", card, places, stored.__getitem__)


def test_rates_are_those_of_the_metrics_and_predictive_values_of_the_prevalence() -> None:
    own = arrays(0)
    values = score("classification", own)
    at_own = operating_table(units(good=own), float(own["test_labels"].mean()))
    rare = operating_table(units(good=own), 0.01)
    for number, target in enumerate(
        ("specificity-90", "specificity-95", "sensitivity-90", "sensitivity-95")
    ):
        cells = at_own.rows[number].cells
        assert cells[2].text == f"{target[:-3]} {target[-2:]} %"
        for cell, name in zip(cells[3:], ("sensitivity", "specificity", "ppv", "npv"), strict=True):
            assert cell.value == pytest.approx(values[f"at-val-{target}/{name}"])
        sensitivity, specificity = cells[3].value, cells[4].value
        expected = 0.01 * sensitivity / (0.01 * sensitivity + 0.99 * (1 - specificity))
        assert rare.rows[number].cells[5].value == pytest.approx(expected)
    assert "prevalence of yes of 1 %" in rare.caption


def test_a_model_without_validation_or_of_other_classes_is_left_out_by_name() -> None:
    own = arrays(1)
    bare = {name: array for name, array in own.items() if name.startswith("test")}
    table = operating_table(units(good=own, bare=bare, one=arrays(2, val_classes=1)), 0.2)
    assert {row[0] for row in table.texts} == {"good"}
    assert "bare with linear is left out: its predictions hold no validation" in table.caption
    assert "one with linear is left out: its validation split shows one class" in table.caption
    three = {**own, "test_logits": np.zeros((CASES, 3), np.float32)}
    table = operating_table(units(three=three), 0.2)
    assert not table.rows
    assert "three with linear is left out: it does not tell two classes apart" in table.caption


def test_where_nothing_is_called_positive_there_is_no_ppv() -> None:
    own = arrays(3)
    own["val_logits"] = own["val_logits"] + np.array([0, 50], np.float32)
    table = operating_table(units(good=own), 0.2)
    assert table.texts[0][5] == DASH
    reason = "No PPV: in some repetition no test case is called positive (good with linear"
    assert reason in table.caption
