"""Stored predictions as they are read: what is damaged, absent or of other cases is refused."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.errors import StoreError
from omnibench.stats.cases import Cases, Stored, bare, read_cases, refuse_other_cases
from omnibench.stats.result import RefusedError


def cases(logits: NDArray[Any], labels: NDArray[Any], **arrays: NDArray[Any]) -> Cases:
    stored = {"test_labels": labels, "test_case": np.arange(len(labels))} | arrays
    return read([Stored({"test_logits": logit} | stored) for logit in logits])


def read(parts: list[Stored], scores: Collection[tuple[str, str]] = ()) -> Cases:
    return read_cases(dict(enumerate(map(str, range(len(parts))))), lambda d: parts[int(d)], scores)


def images(
    values: NDArray[Any],
    definition: str = "per-image",
    metric: str = "dice",
    count: int | None = None,
    **arrays: NDArray[Any],
) -> Cases:
    """Cases without logits, that have values [R, N] of one metric."""
    stored = {"test_case": np.arange(count or len(values[0]))} | arrays

    def part(dice: NDArray[Any]) -> Stored:
        return Stored(stored, lambda d: {metric: dice} if d == definition else {})

    return read([part(dice) for dice in values], {("per-image", "dice"), ("pooled", "dice")})


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
        refuse_other_cases(a, b, "they")


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


def test_values_of_other_cases_or_patients_are_refused() -> None:
    values = np.zeros((1, 4))
    for change, reason in (
        ({"test_case": np.arange(1, 5)}, "the same cases"),
        ({"test_group": np.zeros(4)}, "different patients"),
    ):
        with pytest.raises(RefusedError, match=reason):
            refuse_other_cases(images(values), images(values, **change), "they")
    with pytest.raises(RefusedError, match="are not one dice a case"):
        images(values, count=5)
    with pytest.raises(RefusedError, match="hold no case"):
        images(np.zeros((1, 0)))


def test_values_are_computed_for_the_definitions_asked_for_only() -> None:
    definitions = []

    def per_case(definition: str) -> dict[str, NDArray[Any]]:
        definitions.append(definition)
        return {"dice": np.zeros(3), "iou": np.ones(3)}

    stored = Stored({"test_case": np.arange(3)}, per_case)
    actual = read([stored], [("x", "dice"), ("x", "iou")])
    assert set(actual.values) == {("x", "dice"), ("x", "iou")}
    assert definitions == ["x"]
    assert set(read([stored], [("y", "iou")]).values) == {("y", "iou")}


def test_what_tells_cases_apart_is_left_without_predictions(
    make_logits: Callable[..., Any],
) -> None:
    labels = np.arange(40) % 2
    whole = cases(make_logits(0, labels), labels)
    refuse_other_cases(bare(whole), whole, "they")
    with pytest.raises(RefusedError, match="different labels"):
        refuse_other_cases(bare(whole), cases(make_logits(0, labels), 1 - labels), "they")
    assert bare(whole).logits is not None
    assert bare(whole).logits.values.size == 0  # type: ignore[union-attr]
