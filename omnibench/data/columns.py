"""Columns of a dataset: what is known of each image beside its targets, such as sex, age and site.

A report compares subgroups by them. They decide no number of a cell, so that no digest holds them.
In `omnibench.csv`, beside `omnibench.yaml` in a folder, the column `image` holds names of images
from the folder on, and `columns:` in the YAML file names which others are read. What is empty, or
written as in `UNKNOWN`, is not known. Names of patients, and whatever else tells one patient from
all others, are refused.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.errors import DataError
from omnibench.files import read_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omnibench.data.split import Split

TABLE, IMAGE = "omnibench.csv", "image"
STORED = "test_column:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
MOST_TEXTS, LONGEST = 20, 64
BEYOND = "cells beyond the columns"
UNKNOWN = ("n/a", "N/A", "NA", "nan", "NaN", "null", "unknown", "Unknown", "?")

Written = Mapping[str, Sequence[str]]  # column -> the text of each image
Columns = dict[str, "NDArray[Any]"]  # column -> [N] texts, "" unknown, or float64, NaN unknown


def table_columns(
    folder: Path, names: Sequence[str], files: Mapping[str, Sequence[str]]
) -> dict[str, Columns]:
    """Return the declared columns of each split that the folder's table has the images of.

    Args:
        names: of the columns; none where nothing is declared, and then no table is looked at.
        files: split -> names of its images from the folder on.

    Raises:
        DataError: the table is absent or no CSV, lacks a column, has an image twice or not all
            images of a split, or a column may not be used (see `checked`).
    """
    if not names:
        return {}
    path = folder / TABLE
    rows = _rows(path, names)
    written: dict[str, Written] = {}
    for split, images in files.items():
        keys = [unicodedata.normalize("NFC", image) for image in images]
        absent = next((key for key in keys if key not in rows), None)
        if absent is not None and (split == "test" or any(key in rows for key in keys)):
            raise DataError(f"{path} has no row for {absent}; add one for each image of {split}")
        if absent is None:
            written[split] = {name: [rows[key][name] for key in keys] for name in names}
    return as_columns(written, {}, str(path))


def _rows(path: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    absent = (
        "but columns are declared beside it; write one row an image, its name under "
        f"'{IMAGE}', or leave `columns` out"
    )
    rows: dict[str, dict[str, str]] = {}
    for row in table_rows(path, (IMAGE, *names), absent):
        image = unicodedata.normalize("NFC", row[IMAGE].strip())
        if image in rows:
            raise DataError(f"{path} has two rows for {image}; leave one")
        rows[image] = row
    return rows


def table_rows(path: Path, names: Sequence[str], absent: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each with the text of every column.

    Args:
        names: of columns that it must have.
        absent: what is said where there is no such file, behind "PATH does not exist, ".

    Raises:
        DataError: the file is absent or no CSV, lacks a column or has two of one name, or a row has
            more cells than there are columns. Nothing but the names of columns is quoted, and
            these only where the first line is one of names: patients may stand in the others.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist, {absent}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); save it as CSV in UTF-8") from error
    try:
        reader = csv.DictReader(
            io.StringIO(text, newline=""), strict=True, restkey=BEYOND, restval=""
        )
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        _check_header(columns, names, path)
        rows = list(reader)
    except csv.Error as error:
        raise DataError(f"{path} is no CSV ({error}); save it as CSV in UTF-8") from error
    for number, row in enumerate(rows, start=2):
        if any(cell.strip() for cell in row.pop(BEYOND, ())):
            raise DataError(
                f"{path}, row {number} has more cells than the first line has columns; put texts "
                "with commas in quotes"
            )
    return rows


def _check_header(columns: Sequence[str], names: Sequence[str], path: Path) -> None:
    """Refuse a first line that lacks one of the names, or has a name twice."""
    lacking = [name for name in names if name not in columns]
    if lacking and len(lacking) < len(names):
        raise DataError(
            f"{path} has no column '{lacking[0]}' (there are: {', '.join(columns)}); add it, or "
            "correct what is declared"
        )
    if lacking:
        raise DataError(
            f"{path} has no column '{lacking[0]}'; its first line names the columns, letter by "
            "letter as here, with commas between them"
        )
    if twice := next((name for name in columns if name and columns.count(name) > 1), None):
        raise DataError(f"{path} has two columns '{twice}'; leave one")


def as_columns(
    written: Mapping[str, Written], groups: Mapping[str, Sequence[str]], where: str
) -> dict[str, Columns]:
    """Return written columns of each split as arrays, of numbers where every known text is one.

    Args:
        written: split -> its columns.
        groups: split -> patient ids, where known.
        where: what a message calls them.

    Raises:
        DataError: as `checked`.
    """
    import numpy as np

    columns: dict[str, Columns] = {split: {} for split in written}
    for name in dict.fromkeys(name for texts in written.values() for name in texts):
        stripped = {split: list(map(known, texts[name])) for split, texts in written.items()}
        every = [text for texts in stripped.values() for text in texts if text]
        numeric = bool(every) and all(_number(text) is not None for text in every)
        for split, texts in stripped.items():
            if numeric:
                values = [_number(text) for text in texts]
                columns[split][name] = np.array(
                    [math.nan if value is None else value for value in values], np.float64
                )
            else:
                columns[split][name] = np.array(texts, np.str_)
    checked(columns, groups, where)
    return columns


def known(text: str) -> str:
    """Return a text without blanks at its ends; "" of what stands for unknown."""
    stripped = text.strip()
    return "" if stripped in UNKNOWN else stripped


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def checked(
    columns: Mapping[str, Columns], groups: Mapping[str, Sequence[str]], where: str
) -> None:
    """Refuse columns that tell patients apart, and names and texts that do not fit a report.

    Raises:
        DataError: a name holds other characters than letters, digits, blanks and . _ -; a column
            is that of the groups; or it holds texts that are all different, more than 20, or
            longer than 64 characters.
    """
    for name in dict.fromkeys(name for some in columns.values() for name in some):
        if not NAME.fullmatch(name):
            raise DataError(
                f"{where}: a column is called '{name[:60]}'; use up to 40 letters, digits, blanks "
                "and . _ -"
            )
        for split, some in columns.items():
            values = some[name].tolist() if name in some else []
            if split in groups and values and list(map(_text, values)) == list(groups[split]):
                raise DataError(
                    f"{where}: the column '{name}' is that of the groups, which tell patients "
                    "apart; leave it out"
                )
        _refuse_names(
            [value for some in columns.values() if name in some for value in some[name].tolist()],
            f"{where}: the column '{name}'",
        )


def _refuse_names(values: Sequence[str | float], what: str) -> None:
    texts = [value for value in values if isinstance(value, str) and value]
    different = len(set(texts))
    if different == len(texts) > 1:
        raise DataError(
            f"{what} holds a text of its own for each image, as names are; leave it out"
        )
    if different > MOST_TEXTS:
        raise DataError(
            f"{what} holds {different} different texts, where a subgroup is one of at most "
            f"{MOST_TEXTS}; group them, correct what is meant as a number, or leave it out"
        )
    if any(len(text) > LONGEST for text in texts):
        raise DataError(f"{what} holds texts of more than {LONGEST} characters; shorten them")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def stored(split: Split) -> Columns:
    """Return the columns of a test split's cases as they are stored beside predictions."""
    return {f"{STORED}{name}": split.by_case(values) for name, values in split.columns.items()}


def columns_in(predictions: Mapping[str, NDArray[Any]]) -> Columns:
    """Return the columns among stored predictions by name, as `Split.columns` has them.

    What is neither a row of texts, of numbers nor of truth values is left out.
    """
    import numpy as np

    columns: Columns = {}
    for key, values in predictions.items():
        if key.startswith(STORED) and values.ndim == 1:
            if values.dtype.kind in "OUb":
                columns[key.removeprefix(STORED)] = values.astype(np.str_)
            elif values.dtype.kind in "iuf":
                columns[key.removeprefix(STORED)] = values.astype(np.float64)
    return columns
