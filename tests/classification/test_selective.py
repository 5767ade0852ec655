"""Selective definitions of classification: which rules there are, thresholds, labels, no error."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

from omnibench.scoring import score, values_per_case
from omnibench.tasks.classification.selective import FURTHER, NAMES

Arrays = dict[str, NDArray[Any]]


def drawn(classes: int, cases: int = 120, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}
    for split in ("val", "test"):
        labels = rng.integers(0, classes, cases)
        logits = 1.5 * rng.normal(size=(cases, classes)) + 1.5 * np.eye(classes)[labels]
        arrays |= {f"{split}_logits": logits.astype(np.float32), f"{split}_labels": labels}
    return arrays


def of_labels(cases: int = 120) -> Arrays:
    rng = np.random.default_rng(1)
    arrays: Arrays = {}
    for split in ("val", "test"):
        labels = rng.integers(0, 2, (cases, 3))
        logits = rng.normal(size=(cases, 3)) + labels
        arrays |= {f"{split}_logits": logits.astype(np.float32), f"{split}_labels": labels}
    return arrays


def selective(predictions: Arrays) -> dict[str, dict[str, float | None]]:
    """Return rule -> name -> value."""
    rules: dict[str, dict[str, float | None]] = {}
    for key, value in score("classification", predictions).items():
        definition, _, name = key.partition("/")
        if definition.startswith("selective-"):
            rules.setdefault(definition.removeprefix("selective-"), {})[name] = value
    return rules


def test_each_kind_of_dataset_has_the_rules_that_tell_something_of_their_own() -> None:
    assert list(selective(drawn(2))) == ["msp", "energy"]
    assert list(selective(drawn(4))) == ["msp", "entropy", "margin", "energy"]
    assert list(selective(of_labels())) == ["msp"]
    for rule, names in selective(drawn(4)).items():
        assert set(names) == {*NAMES, *(FURTHER if rule == "msp" else ())}


def test_accuracy_at_a_coverage_is_that_of_the_most_certain_cases() -> None:
    predictions = drawn(3)
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    order = np.argsort(-softmax(logits.astype(np.float64), axis=1).max(axis=1))
    values = selective(predictions)["msp"]
    for coverage in (50, 75, 80, 90, 95):
        chosen = order[: int(np.ceil(1.2 * coverage))]
        expected = accuracy_score(labels[chosen], logits[chosen].argmax(axis=1))
        assert values[f"accuracy-at-coverage-{coverage}"] == pytest.approx(expected)
        assert values[f"risk-at-coverage-{coverage}"] == pytest.approx(1 - expected)


@pytest.mark.parametrize("classes", [2, 3])
def test_selective_auc_is_of_what_a_threshold_of_validation_retains(classes: int) -> None:
    predictions = drawn(classes)
    shares = {s: softmax(predictions[f"{s}_logits"].astype(float), axis=1) for s in ("val", "test")}
    labels, values = predictions["test_labels"], selective(predictions)["msp"]
    for split in ("val", "test"):
        bound = np.sort(shares[split].max(axis=1))[::-1][89]
        chosen = shares["test"].max(axis=1) >= bound
        ranking = shares["test"][:, 1] if classes == 2 else shares["test"]
        expected = roc_auc_score(labels[chosen], ranking[chosen], multi_class="ovr")
        assert values[f"auc-{split}-75"] == pytest.approx(expected)
        if split == "val":
            assert values["coverage-val-75"] == pytest.approx(chosen.mean())
    assert values["coverage-val-75"] != 0.75  # what is realised is another share


def test_without_validation_there_is_no_threshold_of_it() -> None:
    predictions = {k: v for k, v in drawn(2).items() if k.startswith("test")}
    values = score("classification", predictions)
    assert "selective-msp/auc-val-75" not in values
    assert values["selective-msp/auc-test-75"] is not None
    assert not any(name.startswith("at-val") for name in values)


def test_labels_are_problems_of_their_own_whose_mean_is_taken() -> None:
    predictions = of_labels()
    values = selective(predictions)["msp"]
    each = []
    for k in range(3):
        alone = {
            name: np.stack([0 * array[:, k], array[:, k]], axis=1)
            if name.endswith("logits")
            else array[:, k]
            for name, array in predictions.items()
        }
        each.append(selective(alone)["msp"])
    for name in (*NAMES, *FURTHER):
        assert values[name] == pytest.approx(np.array([one[name] for one in each], float).mean())


def test_what_is_undefined_is_none_and_the_rest_a_number() -> None:
    right = drawn(2)
    right["test_logits"] = 4 * np.eye(2)[right["test_labels"]].astype(np.float32)
    values = selective(right)["msp"]
    assert values["failure-auroc"] is None  # there is no error
    assert (values["augrc"], values["eaurc"], values["coverage-at-risk-1"]) == (0, 0, 1)
    alone = {**drawn(2), "test_labels": np.zeros(120, np.int64)}
    values = selective(alone)["msp"]
    assert values["auc-val-75"] is values["auc-test-75"] is None  # one class
    assert values["failure-auroc"] is not None
    points = score("classification", alone)
    assert points["at-val-specificity-90/sensitivity"] is None
    assert points["at-val-specificity-90/specificity"] is not None
    points = score("classification", {**drawn(2), "val_labels": np.zeros(120, np.int64)})
    assert points["at-val-specificity-90/specificity"] is None


def test_values_by_case_have_the_metrics_as_means() -> None:
    for predictions in (drawn(2), drawn(4), of_labels()):
        values = selective(predictions)["msp"]
        rows = values_per_case("classification", "selective-msp", predictions)
        assert set(rows) == {"augrc", "failure-auroc", "coverage-val-75"}
        for name, row in rows.items():
            assert row.mean() == pytest.approx(values[name]), name


def test_an_operating_point_is_chosen_on_validation_and_applied_to_test() -> None:
    predictions = drawn(2)
    odds = {s: np.diff(predictions[f"{s}_logits"].astype(float))[:, 0] for s in ("val", "test")}
    values = score("classification", predictions)
    for percent in (90, 95):
        negatives = odds["val"][predictions["val_labels"] == 0]
        last = np.sort(negatives)[int(np.ceil(len(negatives) * percent / 100)) - 1]
        called = odds["test"] >= odds["val"][odds["val"] > last].min()
        positive = predictions["test_labels"] == 1
        expected = (called[positive], ~called[~positive], positive[called], ~positive[~called])
        for name, cases in zip(("sensitivity", "specificity", "ppv", "npv"), expected, strict=True):
            value = values[f"at-val-specificity-{percent}/{name}"]
            assert value == pytest.approx(cases.mean()), name
    thresholds = np.sort(odds["val"])[::-1]
    truth, answers = predictions["val_labels"] == 1, odds["val"] >= thresholds[:, None]
    best = thresholds[np.argmax(answers[:, truth].mean(axis=1) - answers[:, ~truth].mean(axis=1))]
    (tn, fp), (fn, tp) = confusion_matrix(predictions["test_labels"], odds["test"] >= best)
    rates = {"sensitivity": tp / (tp + fn), "specificity": tn / (tn + fp), "ppv": tp / (tp + fp)}
    for name, rate in {**rates, "npv": tn / (tn + fn)}.items():
        assert values[f"at-val-youden/{name}"] == pytest.approx(rate), name
    assert not any(name.startswith("at-val") for name in score("classification", drawn(3)))
    assert values["omnibench-classification/quadratic-kappa"] is not None


def test_evidence_ranks_where_it_is_of_these_logits() -> None:
    rng = np.random.default_rng(2)
    predictions = drawn(3)
    for split in ("val", "test"):
        evidence = rng.gamma(1, 3, (120, 3))
        evidence[np.arange(120), predictions[f"{split}_labels"]] += 2
        shares = (evidence + 1) / (evidence + 1).sum(axis=1, keepdims=True)
        predictions[f"{split}_evidence"] = evidence.astype(np.float32)
        predictions[f"{split}_logits"] = np.log(shares).astype(np.float32)
    values = selective(predictions)
    assert list(values) == ["msp", "entropy", "margin", "energy", "evidence"]
    assert values["evidence"]["augrc"] != values["msp"]["augrc"]
    # A constant energy says nothing: the order is random.
    wrong = predictions["test_logits"].argmax(axis=1) != predictions["test_labels"]
    assert values["energy"]["augrc"] == pytest.approx(wrong.mean() / 2)
    # Logits of other cases than the evidence, as of another view of the test set.
    other = {**predictions, "test_logits": predictions["test_logits"][::-1]}
    assert "evidence" not in selective(other)
