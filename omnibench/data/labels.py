"""What class labels may look like, and what kind of labels they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from omnibench.cards import DatasetCard
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["binary", "multi-class", "multi-label", "ordinal"]


def primary_metric(kind: str) -> str:
    """Return the metric that comparisons use: macro-F1 as the OmniRad study, AUC per label."""
    return "auc" if kind == "multi-label" else "macro-f1"


def labels_of(values: NDArray[Any], cases: int, where: str) -> NDArray[np.int64]:
    """Return labels as int64: [N] classes from [N] or [N, 1], or [N, L] yes-or-no columns.

    Args:
        cases: N, the number of images or studies they belong to.
        where: file and array, for the message.

    Raises:
        DataError: not integers, negative, not one for each case, or columns of other than 0, 1.
    """
    if values.dtype.kind == "f" and (values != values).any():
        missing = (values != values).reshape(len(values), -1).any(axis=1)
        raise DataError(
            f"{where} holds NaN in {missing.sum()} rows, the first of them row "
            f"{missing.argmax()}; leave out what has no label, or give it a class"
        )
    if values.dtype.kind not in "iub":
        raise DataError(
            f"{where} holds {values.dtype}, not whole numbers; number the classes 0, 1, 2, ... and "
            "save them as int64"
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise DataError(f"{where} is {list(values.shape)}; save labels as [N] or [N, L]")
    if len(values) != cases:
        raise DataError(f"{where} holds {len(values)} labels where {cases} are due; save as many")
    low, high = int(values.min()), int(values.max())
    if low < 0:
        negative = (values < 0).reshape(len(values), -1).any(axis=1)
        raise DataError(
            f"{where} holds the label {low} in {negative.sum()} rows, the first of them row "
            f"{negative.argmax()}; where it stands for 'unknown' leave these out, else number the "
            "classes 0, 1, 2, ..."
        )
    if values.ndim == 2 and high > 1:
        raise DataError(
            f"{where} has {values.shape[1]} columns, which hold 0 or 1 for each label, but there "
            f"is a {high}; save one column of class numbers instead"
        )
    if high > 2**31:
        raise DataError(f"{where} holds the label {high}; number the classes 0, 1, 2, ...")
    return values.astype("int64")


def infer(
    labels: Mapping[str, NDArray[np.int64]], where: str, declared: Kind | None = None
) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of labels and the names of the classes, from the labels of all splits.

    Args:
        declared: the kind that stands beside the data; the labels are held to it.

    Raises:
        DataError: the splits disagree on the number of columns, one class alone occurs, labels do
            not begin at 0, a label is larger than any numbering of classes explains, they are not
            of the declared kind, or columns of one 1 in each row may be of two kinds.
    """
    columns = {split: values.shape[1:] for split, values in labels.items()}
    for split, shape in columns.items():
        if shape != columns["train"]:
            raise DataError(
                f"{where}: the labels of {split} have {_width(shape)} and those of train "
                f"{_width(columns['train'])}; save the same for all splits"
            )
    if columns["train"]:
        names = tuple(str(label) for label in range(columns["train"][0]))
        if declared is None and all((values.sum(axis=1) == 1).all() for values in labels.values()):
            raise DataError(
                f"{where}: every row has exactly one of the {len(names)} labels, and nothing "
                "tells whether they exclude each other; declare `labels: multi-class` or "
                "`labels: multi-label` in a YAML file of its name beside it"
            )
        return declared or "multi-label", names
    high = max(int(values.max()) for values in labels.values())
    low = min(int(values.min()) for values in labels.values())
    if declared == "multi-label":
        raise DataError(
            f"{where} is declared multi-label, but has one class number in each row; save "
            "columns of 0 and 1, one for each label"
        )
    if high == 0:
        raise DataError(f"{where}: the only label is 0; save labels of two classes or more")
    if low > 0:
        raise DataError(
            f"{where}: the labels run from {low} to {high}, but classes are numbered from 0: save "
            f"labels - {low} (a class 0 that no split shows cannot be judged)"
        )
    split = next(split for split, values in labels.items() if int(values.max()) == high)
    if high >= max(2, sum(len(values) for values in labels.values())):
        raise DataError(
            f"{where}: {split} holds the label {high}, more than there are labels; number the "
            "classes 0, 1, 2, ..."
        )
    if declared == "binary" and high > 1:
        raise DataError(f"{where} is declared binary, but {split} holds the label {high}")
    names = tuple(str(label) for label in range(high + 1))
    return declared or ("binary" if high == 1 else "multi-class"), names


def as_declared(values: NDArray[np.int64], declared: Kind | None, where: str) -> NDArray[np.int64]:
    """Return one-hot columns [N, L] as classes [N] where one class each is declared.

    Raises:
        DataError: a row has no 1, or several.
    """
    if declared in (None, "multi-label") or values.ndim == 1:
        return values
    wrong = values.sum(axis=1) != 1
    if wrong.any():
        raise DataError(
            f"{where} is declared {declared}, but row {wrong.argmax()} has "
            f"{values[wrong.argmax()].sum()} labels; give it one, or declare multi-label"
        )
    classes: NDArray[np.int64] = values.argmax(axis=1)
    return classes


def check_labels(labels: NDArray[np.int64], card: DatasetCard, where: str) -> None:
    """Refuse labels that are none of the card's classes.

    Raises:
        DataError: another number of columns than the card's classes, or a label outside them.
    """
    expected = (len(card.classes),) if card.labels == "multi-label" else ()
    if labels.shape[1:] != expected:
        raise DataError(
            f"{where} has {_width(labels.shape[1:])} where '{card.id}' has {_width(expected)}; "
            "name the dataset it belongs to"
        )
    if not expected and int(labels.max()) >= len(card.classes):
        raise DataError(
            f"{where} holds the label {labels.max()}, but '{card.id}' has the classes "
            f"0..{len(card.classes) - 1}; correct the labels"
        )


def _width(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} columns" if shape else "one column"
