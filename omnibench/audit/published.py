"""Read published tables from CSV: a row a number, as results/published/README.md describes."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omnibench.audit.grim import Printed
from omnibench.errors import RequestError
from omnibench.files import open_regular
from omnibench.registry import did_you_mean
from omnibench.stats.t_tests import Summary

REQUIRED = ("table", "dataset", "model", "role", "metric", "definition", "mean", "std", "n")
# Column -> what stands for it where it is absent or empty.
OPTIONAL = {
    "study": "", "dataset_id": "", "backbone_id": "", "task": "", "test_images": "",
    "unit": "percent", "primary": "1", "better": "higher",
    "beams": "", "max_tokens": "", "members": "", "adaptation": "", "citation": "",
}  # fmt: skip
_NAMED = ("table", "dataset", "model", "metric")
_CHOICES = {
    "role": ("own", "rerun", "cited"),
    "primary": ("1", "0"),
    "better": ("higher", "lower"),
}
_WHOLE = ("n", "test_images")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


@dataclass(frozen=True)
class Row:
    """One published number, as printed.

    Attributes:
        mean, std: the digits as they stand in the table; std "" where none is printed.
        n: repetitions claimed; None where nothing is.
        role: "own" of the study, "rerun" by it, "cited" from elsewhere.
        definition: id of the metric's formula and, of generated texts, how they were decoded.
        members: tables that an aggregate is made of; () of any other row.
        task, dataset_id, backbone_id: what they are called here; "" where they have no name.
        citation: of a cited number, as the study gives it.
        source: the file it stands in.
    """

    study: str
    table: str
    dataset: str
    model: str
    role: str
    metric: str
    definition: str
    adaptation: str
    unit: str
    primary: bool
    higher_is_better: bool
    mean: str
    std: str
    n: int | None
    test_images: int | None
    members: tuple[str, ...]
    task: str
    dataset_id: str
    backbone_id: str
    citation: str
    source: Path

    @cached_property
    def value(self) -> float:
        """Return the mean in its own unit."""
        return float(self.mean)

    @property
    def place(self) -> tuple[str, ...]:
        """Return what tells this number from any other."""
        number = (self.table, self.dataset, self.model, self.adaptation)
        return (self.study, *number, self.metric, self.definition, self.role, self.citation)

    @property
    def deviation(self) -> float | None:
        """Return the standard deviation in the mean's unit; None where none is printed."""
        return float(self.std) if self.std else None

    @property
    def merit(self) -> float:
        """Return the mean, signed so that more is better."""
        return self.value if self.higher_is_better else -self.value

    def summary(self, n: int | None) -> Summary:
        """Return what a test takes, with n repetitions."""
        return Summary(self.value, self.deviation, n, self.definition)

    @property
    def is_accuracy(self) -> bool:
        """Tell whether the number is k / test_images, so that GRIM applies."""
        return (
            self.metric.lower() == "accuracy"
            and self.test_images is not None
            and self.unit in ("percent", "fraction")
            and not self.members
        )

    def printed(self, text: str) -> Printed:
        """Return a mean or std of this row as a fraction, with its rounding."""
        return Printed.from_text(text, percent=self.unit == "percent")


def read_table(path: Path) -> list[Row]:
    """Read one CSV.

    Raises:
        RequestError: it cannot be read, lacks a column, has no rows, a cell is wrong, or a number
            stands twice: named with its line and column.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with io.TextIOWrapper(open_regular(path), "utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = list(reader.fieldnames or ())
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"{path} cannot be read as CSV: {reason}") from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise RequestError(f"{path} has the column '{twice[0]}' twice")
    for name in REQUIRED:
        if name not in header:
            raise RequestError(
                f"{path} has no column '{name}'{did_you_mean(name, header)}; it needs "
                f"{', '.join(REQUIRED)} (results/published/README.md describes them)"
            )
    if not lines:
        raise RequestError(f"{path} has no rows")
    rows: dict[tuple[str, ...], Row] = {}
    for line, cells in lines:
        row = _row(cells, path, f"{path}: line {line}")
        if row.place in rows:
            raise RequestError(
                f"{path}: line {line}: {row.metric} of {row.model} on {row.dataset} in table "
                f"{row.table} stands twice"
            )
        rows[row.place] = row
    return list(rows.values())


def _row(cells: Mapping[str | None, str | list[str] | None], source: Path, place: str) -> Row:
    if None in cells or None in cells.values():
        raise RequestError(f"{place} has not as many cells as the header")
    texts = {str(name): str(cell).strip() for name, cell in cells.items()}
    texts = {**OPTIONAL, **{name: text for name, text in texts.items() if text}}
    for name in _NAMED:
        if not texts.get(name):
            raise RequestError(f"{place}: {name} is empty")
    for name, choices in _CHOICES.items():
        if texts.get(name) not in choices:
            raise RequestError(
                f"{place}: {name} is '{texts.get(name, '')}', not one of {', '.join(choices)}"
            )
    mean, std = texts.get("mean", ""), texts.get("std", "")
    for name, text in (("mean", mean), ("std", std)):
        if not _NUMBER.fullmatch(text) and (text or name == "mean"):
            raise RequestError(f"{place}: {name} is '{text}', not a number such as 91.67")
    if std.startswith("-"):
        raise RequestError(f"{place}: std is '{std}', below 0")
    n, test_images = (_whole(texts.get(name, ""), f"{place}: {name}") for name in _WHOLE)
    decoding = f"@b{texts['beams']}-t{texts['max_tokens']}" if texts["beams"] else ""
    return Row(
        study=texts["study"],
        table=texts["table"],
        dataset=texts["dataset"],
        model=texts["model"],
        role=texts["role"],
        metric=texts["metric"],
        definition=texts.get("definition", "") + decoding,
        adaptation=texts["adaptation"],
        unit=texts["unit"],
        primary=texts["primary"] == "1",
        higher_is_better=texts["better"] == "higher",
        mean=mean,
        std=std,
        n=n,
        test_images=test_images,
        members=tuple(part.strip() for part in texts["members"].split(";") if part.strip()),
        task=texts["task"],
        dataset_id=texts["dataset_id"],
        backbone_id=texts["backbone_id"],
        citation=texts["citation"],
        source=source,
    )


def _whole(text: str, place: str) -> int | None:
    """Read a count of at least 1; None of an empty cell. A data frame makes "5.0" of 5."""
    text = text.removesuffix(".0")
    if not text:
        return None
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise RequestError(f"{place} is '{text}', not a whole number from 1")
    return int(text)


def in_order(texts: Iterable[str]) -> list[str]:
    """Return names once each, as they first come."""
    return list(dict.fromkeys(texts))
