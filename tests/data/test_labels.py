from typing import Any

import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.data.labels import as_declared, check_labels, infer, labels_of, primary_metric
from omnibench.errors import DataError

BINARY = DatasetCard(
    id="b", reader="m:a", tasks=("classification",), labels="binary", classes=("no", "yes")
)
FINDINGS = BINARY.model_copy(update={"id": "f", "labels": "multi-label"})


@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i2", "bool", "uint64"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_classes_become_one_column_of_int64(dtype: str, shape: tuple[int, ...]) -> None:
    actual = labels_of(np.array([0, 1, 1, 0]).astype(dtype).reshape(shape), 4, "x")
    assert actual.dtype == np.int64
    assert actual.tolist() == [0, 1, 1, 0]


def test_columns_stay() -> None:
    assert labels_of(np.eye(3, dtype=np.uint8), 3, "x").tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(4), "float64, not whole numbers"),
        (np.array(["a", "b", "c", "d"]), "not whole numbers"),
        (np.zeros(3, int), "3 labels where 4 are due"),
        (np.zeros((4, 2, 2), int), r"\[4, 2, 2\]"),
        (np.zeros((4, 0), int), r"\[4, 0\]"),
        (np.array(1), r"\[\]"),
        (np.array([0, -1, -1, 0]), "the label -1 in 2 rows, .* row 1; .*leave these out"),
        (np.array([0, 1, np.nan, 0]), "NaN in 1 rows, .* row 2; leave out what has no label"),
        (np.array([[0, 1], [1, np.nan]] * 2), "NaN in 2 rows, .* row 1"),
        (np.full((4, 2), 2), "there is a 2"),
        (np.full(4, 2**63, np.uint64), "the label 9223372036854775808"),
    ],
)
def test_refusals(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"own: train_labels.*{message}"):
        labels_of(values, 4, "own: train_labels")


def splits(*values: Any) -> dict[str, Any]:
    return {
        name: np.array(array) for name, array in zip(("train", "val", "test"), values, strict=True)
    }


def test_kinds() -> None:
    assert infer(splits([0, 1], [0], [1]), "x") == ("binary", ("0", "1"))
    # the class that only the test split holds counts
    assert infer(splits([0, 1], [0], [2, 0]), "x") == ("multi-class", ("0", "1", "2"))
    assert infer(splits([[0, 1, 0]], [[1, 1, 1]], [[0, 0, 0]]), "x") == (
        "multi-label",
        ("0", "1", "2"),
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (splits([0, 0], [0], [0]), "two classes"),
        (splits([0, 1], [[0, 1]], [0]), "labels of val have 2 columns and those of train one"),
        (splits([0, 1], [0], [1_000_000]), "test holds the label 1000000"),
        (splits([1, 2, 3], [1], [2]), "run from 1 to 3, but classes are numbered from 0: save lab"),
        (splits([[1, 0], [0, 1]], [[0, 1]], [[1, 0]]), "exactly one of the 2 labels.*multi-class"),
    ],
)
def test_refused_kinds(labels: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer(labels, "own.npz")


def test_a_declared_kind_is_held_to() -> None:
    one_hot = splits([[1, 0], [0, 1]], [[0, 1]], [[1, 0]])
    assert infer(one_hot, "x", "multi-label") == ("multi-label", ("0", "1"))
    for kind in ("binary", "multi-class", "ordinal"):
        classes = {name: as_declared(values, kind, name) for name, values in one_hot.items()}
        assert classes["train"].tolist() == [0, 1]
        assert infer(classes, "x", kind) == (kind, ("0", "1"))
    both = np.array([[1, 0], [1, 1]])
    assert as_declared(both, "multi-label", "x") is as_declared(both, None, "x") is both
    with pytest.raises(DataError, match="x is declared ordinal, but row 1 has 2 labels"):
        as_declared(both, "ordinal", "x")
    with pytest.raises(DataError, match="declared multi-label, but has one class number"):
        infer(splits([0, 1], [0], [1]), "x", "multi-label")
    with pytest.raises(DataError, match="declared binary, but test holds the label 2"):
        infer(splits([0, 1], [0], [2]), "x", "binary")


def test_labels_outside_the_classes_are_named() -> None:
    check_labels(np.array([0, 1]), BINARY, "x")
    check_labels(np.array([[0, 1]]), FINDINGS, "x")
    with pytest.raises(DataError, match=r"own: val_labels holds the label 2.*'b'.*0\.\.1"):
        check_labels(np.array([0, 2]), BINARY, "own: val_labels")
    with pytest.raises(DataError, match="3 columns where 'f' has 2 columns"):
        check_labels(np.array([[0, 1, 0]]), FINDINGS, "x")
    with pytest.raises(DataError, match="one column where 'f' has 2 columns"):
        check_labels(np.array([0, 1]), FINDINGS, "x")


def test_primary_metric() -> None:
    assert primary_metric("multi-label") == "auc"
    assert primary_metric("ordinal") == "macro-f1"
