from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from omnibench.errors import StoreError
from omnibench.stats.case_tests import paired_mean
from omnibench.stats.cases import Cases, Stored, read_cases
from omnibench.stats.over_cases import compare_cases
from omnibench.stats.rates import SINGLE_LABEL
from omnibench.stats.result import Answer, RefusedError

METRICS = {"auc", "brier", *SINGLE_LABEL}


def cases(logits: NDArray[Any], labels: NDArray[Any], **arrays: NDArray[Any]) -> Cases:
    stored = {"test_labels": labels, "test_case": np.arange(len(labels))} | arrays
    return read([Stored({"test_logits": logit} | stored) for logit in logits])


def read(parts: list[Stored], scores: Collection[tuple[str, str]] = ()) -> Cases:
    return read_cases(dict(enumerate(map(str, range(len(parts))))), lambda d: parts[int(d)], scores)


def compare(a: Any, b: Cases, metrics: set[str]) -> dict[str, Any]:
    actual = compare_cases(a, b, {("def", metric) for metric in metrics})
    assert {definition for definition, _ in actual} <= {"def"}
    return {metric: item for (_, metric), item in actual.items()}


def images(
    values: NDArray[Any],
    definition: str = "per-image",
    metric: str = "dice",
    count: int | None = None,
    **arrays: NDArray[Any],
) -> Cases:
    """Cases without logits, that have values [R, N] of one metric."""
    stored = {"test_case": np.arange(count or len(values[0]))} | arrays

    def part(one: NDArray[Any]) -> Stored:
        return Stored(stored, lambda d: {metric: one} if d == definition else {})

    return read([part(one) for one in values], {("per-image", "dice"), ("pooled", "dice")})


def test_brier_is_the_paired_t_of_scipy(make_logits: Callable[..., Any]) -> None:
    labels = np.arange(90) % 2
    a, b = (cases(make_logits(s, labels), labels) for s in (0, 1))

    def errors(one: Cases) -> NDArray[Any]:
        assert one.logits is not None
        result: NDArray[Any] = np.mean(
            2 * (one.logits.probabilities[:, :, 1] - labels) ** 2, axis=0
        )
        return result

    found = compare(a, b, {"brier"})["brier"]
    theirs = stats.ttest_rel(errors(a), errors(b))
    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert found.test == "paired t over cases (mean of 3 repetitions)"


def test_mean_by_patient_is_statsmodels_cluster_robust() -> None:
    from statsmodels.api import OLS

    rng = np.random.default_rng(0)
    d, cluster = rng.normal(0.2, 1, size=60), rng.integers(15, size=60)
    fit = OLS(d, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    actual = paired_mean(d, np.zeros(60), cluster)
    assert actual.p == pytest.approx(fit.pvalues[0])
    assert (actual.low, actual.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_every_metric_has_its_test_and_says_how(make_logits: Callable[..., Any]) -> None:
    labels = np.arange(60) % 3
    a = cases(make_logits(0, labels, 2, 3), labels, test_group=np.arange(60) // 2)
    b = cases(make_logits(1, labels, 3, 3), labels, test_group=np.arange(60) // 2)
    actual = compare(a, b, {*METRICS, "ece"})
    how = " by patient (means of 2 and 3 repetitions)"
    assert {name: item.test for name, item in actual.items()} == {
        "accuracy": f"paired bootstrap{how}",
        "balanced-accuracy": f"paired bootstrap{how}",
        "macro-f1": f"paired bootstrap{how}",
        "auc": f"DeLong{how}",
        "brier": f"paired t over cases{how}",
    }


def test_one_repetition_is_not_called_a_mean(make_logits: Callable[..., Any]) -> None:
    labels = np.arange(40) % 2
    a, b = (cases(make_logits(s, labels, 1), labels) for s in (0, 1))
    assert compare(a, b, {"auc"})["auc"].test == "DeLong"


def test_accuracies_of_one_decision_a_case_are_statsmodels_mcnemar(
    make_logits: Callable[..., Any],
) -> None:
    labels = np.arange(200) % 3
    logits = [make_logits(s, labels, 1, 3, signal) for s, signal in enumerate((2.0, 1.0))]
    a, b = (cases(logit, labels) for logit in logits)
    right = [logit[0].argmax(axis=1) == labels for logit in logits]
    table = [[np.sum((right[0] == x) & (right[1] == y)) for y in (1, 0)] for x in (1, 0)]
    actual = compare(a, b, {"accuracy", "macro-f1"})
    few = table[0][1] + table[1][0] < 25
    assert actual["accuracy"].p == pytest.approx(mcnemar(table, exact=few).pvalue)
    assert actual["accuracy"].test.startswith("McNemar")
    assert actual["accuracy"].difference == pytest.approx(right[0].mean() - right[1].mean())
    assert actual["macro-f1"].test == "paired bootstrap"
    assert "smallest p possible" in str(compare(a, cases(flipped(logits[0]), labels), {"accuracy"}))
    # Patients with several cases, several repetitions and several labels a case have no such table.
    shared = [cases(logit, labels, test_group=np.arange(200) // 2) for logit in logits]
    twice = [cases(np.concatenate([logit, logit]), labels) for logit in logits]
    for logit, other in (shared, twice):
        assert "bootstrap" in compare(logit, other, {"accuracy"})["accuracy"].test


def flipped(logits: NDArray[Any]) -> NDArray[Any]:
    """The same logits, but for the decisions of three cases."""
    other = logits.copy()
    other[:, :3] = np.roll(other[:, :3], 1, axis=2)
    return other


def test_multi_label(make_logits: Callable[..., Any]) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((80, 3)) < 0.4).astype(np.int64)
    a, b = (cases(rng.normal(size=(2, 80, 3)) + s * labels, labels) for s in (2, 1))
    actual = compare(a, b, METRICS)
    assert set(actual) == {"accuracy", "macro-f1", "auc"}
    assert all(isinstance(value, Answer) and value.difference > 0 for value in actual.values())


def test_an_absent_class_leaves_the_auc_undefined_by_name(make_logits: Callable[..., Any]) -> None:
    labels = np.arange(40) % 2
    a, b = (cases(make_logits(s, labels, classes=3), labels) for s in (0, 1))
    actual = compare(a, b, {"auc", "accuracy"})
    assert isinstance(actual["auc"], RefusedError)
    assert "no test case is of class [2]" in str(actual["auc"])
    assert isinstance(actual["accuracy"], Answer)


def test_constant_scores_are_refused_where_nothing_varies(make_logits: Callable[..., Any]) -> None:
    labels = np.arange(40) % 2
    flat = cases(np.zeros((2, 40, 2)), labels)
    assert set(map(type, compare(flat, flat, METRICS).values())) == {RefusedError}
    against = compare(cases(make_logits(0, labels), labels), flat, {"auc"})["auc"]
    assert isinstance(against, Answer)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"test_case": np.arange(40)[::-1]}, "not tested on the same cases"),
        ({"test_labels": np.zeros(40, dtype=int)}, "different labels"),
        ({"test_group": np.zeros(40, dtype=int)}, "different patients"),
    ],
)
def test_other_cases_are_refused_by_name(
    make_logits: Callable[..., Any], change: dict[str, NDArray[Any]], reason: str
) -> None:
    labels = np.arange(40) % 2
    a = cases(make_logits(0, labels), labels)
    b = cases(make_logits(1, labels), change.pop("test_labels", labels), **change)
    with pytest.raises(RefusedError, match=reason):
        compare(a, b, {"auc"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"test_logits": np.full((4, 2), np.nan)}, "not finite"),
        ({"test_logits": np.zeros(4)}, "one row of logits"),
        ({"test_logits": np.zeros((0, 2)), "test_labels": np.zeros(0)}, "one row of logits"),
        ({"test_labels": np.array([0, 1, 2, 0])}, "outside the classes"),
        ({"test_labels": np.array([0, 1, -1, 0])}, "outside the classes"),
        ({"test_labels": np.zeros((4, 3), dtype=int)}, "one logit a label"),
        ({"test_case": np.arange(3)}, "one row of logits"),
    ],
)
def test_damaged_predictions_are_refused_by_name(
    change: dict[str, NDArray[Any]], reason: str
) -> None:
    good = {
        "test_logits": np.zeros((4, 2)),
        "test_labels": np.array([0, 1, 1, 0]),
        "test_case": np.arange(4),
    }
    with pytest.raises(RefusedError, match=f"record abcdef01.*{reason}"):
        read_cases({0: "abcdef0123"}, lambda digest: Stored(good | change))


def test_absent_predictions_are_refused_by_name() -> None:
    def fail(error: FileNotFoundError | KeyError | StoreError) -> Callable[..., Any]:
        def predictions(digest: str) -> None:
            raise error

        return predictions

    for error in (FileNotFoundError("gone.npz"), StoreError("damaged"), KeyError("digest")):
        with pytest.raises(RefusedError, match="no test predictions of record 0123"):
            read_cases({0: "0123"}, fail(error))
    arrays = {"test_case": np.zeros(1), "test_logits": np.zeros((1, 2))}
    with pytest.raises(RefusedError, match="test_labels"):
        read_cases({0: "0123"}, lambda digest: Stored(arrays))


def test_repetitions_of_other_cases_are_refused() -> None:
    parts = [
        Stored({"test_logits": np.zeros((4, 2)), "test_labels": np.arange(4) % 2, "test_case": c})
        for c in (np.arange(4), np.arange(1, 5))
    ]
    with pytest.raises(RefusedError, match="the repetitions were not tested on the same cases"):
        read(parts)


def test_means_over_cases_are_tested_by_definition_and_by_patient() -> None:
    rng = np.random.default_rng(2)
    a, b = (np.clip(rng.normal(m, 0.1, size=(3, 50)), 0, 1) for m in (0.8, 0.7))
    scores = {("per-image", "dice"), ("pooled", "dice"), ("per-image", "auc")}
    actual = compare_cases(images(a), images(b), scores)
    assert set(actual) == {("per-image", "dice")}
    item: Any = actual["per-image", "dice"]
    assert item.test == "paired bootstrap (mean of 3 repetitions)"
    assert item.difference == pytest.approx(a.mean() - b.mean())
    patients: Any = {"test_group": np.arange(50) // 2}
    (item,) = compare_cases(images(a, **patients), images(b[:1], **patients), scores).values()
    assert item.test == "paired bootstrap by patient (means of 3 and 1 repetitions)"


def test_values_of_other_cases_or_patients_are_refused() -> None:
    values = np.zeros((1, 4))
    for change, reason in (
        ({"test_case": np.arange(1, 5)}, "the same cases"),
        ({"test_group": np.zeros(4)}, "different patients"),
    ):
        with pytest.raises(RefusedError, match=reason):
            compare_cases(images(values), images(values, **change), {("per-image", "dice")})
    with pytest.raises(RefusedError, match="are not one dice a case"):
        images(values, count=5)
    with pytest.raises(RefusedError, match="hold no case"):
        images(np.zeros((1, 0)))


def test_a_metric_that_some_case_lacks_is_refused_with_their_number() -> None:
    values = np.array([[0.5, np.nan, np.nan, 1.0]])
    (item,) = compare_cases(images(values), images(values * 0.9), {("per-image", "dice")}).values()
    assert str(item) == "dice is undefined in 2 test cases"


def test_values_are_computed_for_the_definitions_asked_for_only() -> None:
    asked = []

    def per_case(definition: str) -> dict[str, NDArray[Any]]:
        asked.append(definition)
        return {"dice": np.zeros(3), "iou": np.ones(3)}

    stored = Stored({"test_case": np.arange(3)}, per_case)
    actual = read([stored], [("x", "dice"), ("x", "iou")])
    assert set(actual.values) == {("x", "dice"), ("x", "iou")}
    assert asked == ["x"]
    assert set(read([stored], [("y", "iou")]).values) == {("y", "iou")}
