"""Make a row of the columns that results/published/README.md describes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnibench.audit.published import Row
from omnibench.audit.uncertainty import IMAGES, RUNS, Range
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean

REQUIRED = ("dataset", "model", "metric", "mean")
# Column -> what stands for it where the table has no such column, said in words.
ASSUMED = {
    "table": "all rows are of one table",
    "role": "no model is the study's own",
    "definition": "a metric's name stands for one definition",
    "n": "n is not stated",
    "std": "no column holds a std",
}
SPREADS = ("std", "se", "ci_low")
# Column -> what stands for it where it is absent or empty.
OPTIONAL = {
    "study": "", "dataset_id": "", "backbone_id": "", "task": "", "test_images": "",
    "unit": "", "primary": "1", "better": "higher", "std": "", "se": "", "ci_low": "",
    "ci_high": "", "ci_level": "95", "ci_over": "",
    "beams": "", "max_tokens": "", "members": "", "adaptation": "", "citation": "",
}  # fmt: skip
NUMBERS = ("mean", "std", "se", "ci_low", "ci_high")
_NAMED = ("table", "dataset", "model", "metric")
_CHOICES = {
    "role": ("own", "rerun", "cited"),
    "primary": ("1", "0"),
    "better": ("higher", "lower"),
    "ci_over": (RUNS, IMAGES, ""),
}
_WHOLE = ("n", "test_images")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def is_long(header: Sequence[str]) -> bool:
    """Tell whether a header is that of a row a number: it has three of the columns for sure."""
    return len({*REQUIRED, *ASSUMED} & set(header)) >= 3


def check_header(header: Sequence[str], path: Path) -> list[str]:
    """Return a sentence for each column that is absent and assumed.

    Raises:
        RequestError: a column stands twice, is lacking, or looks like one that is misspelt.
    """
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise RequestError(f"{path} has the column '{twice[0]}' twice")
    further = [name for name in header if name not in (*REQUIRED, *ASSUMED, *OPTIONAL)]
    absent = [name for name in (*REQUIRED, *ASSUMED) if name not in header]
    if set(SPREADS) & set(header):
        absent = [name for name in absent if name != "std"]
    for name in absent:
        near = did_you_mean(name, further) if len(name) > 1 else ""
        if name not in ASSUMED or near:
            raise RequestError(
                f"{path} has no column '{name}'{near or did_you_mean(name, header)}; it needs "
                f"{', '.join(REQUIRED)} (results/published/README.md describes them)"
            )
    return [ASSUMED[name] for name in absent]


def row_from_texts(texts: Mapping[str, str], source: Path, line: int, place: str) -> Row:
    """Return the row that some columns' texts make.

    Raises:
        RequestError: a text is not what its column holds; named after the place.
    """
    texts = {name: text.strip() for name, text in texts.items()}
    texts = {**OPTIONAL, **{name: text for name, text in texts.items() if text}}
    for name in _NAMED:
        if not texts.get(name):
            raise RequestError(f"{place}: {name} is empty")
    for name, choices in _CHOICES.items():
        if texts.get(name) not in choices:
            raise RequestError(
                f"{place}: {name} is '{texts.get(name, '')}', not one of "
                f"{', '.join(filter(None, choices))}"
            )
    mean = texts.get("mean", "")
    for name in NUMBERS:
        text = texts.get(name, "")
        if not _NUMBER.fullmatch(text) and (text or name == "mean"):
            raise RequestError(f"{place}: {name} is '{text}', not a number such as 91.67")
        if text.startswith("-") and name in ("std", "se"):
            raise RequestError(f"{place}: {name} is '{text}', below 0")
    n, test_images = (_whole(texts.get(name, ""), f"{place}: {name}") for name in _WHOLE)
    interval = texts["ci_low"], texts["ci_high"]
    _check_interval(mean, *interval, place)
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
        unit=texts["unit"] or "percent",
        primary=texts["primary"] == "1",
        higher_is_better=texts["better"] == "higher",
        mean=mean,
        std=texts["std"],
        n=n,
        test_images=test_images,
        members=tuple(part.strip() for part in texts["members"].split(";") if part.strip()),
        task=texts["task"],
        dataset_id=texts["dataset_id"],
        backbone_id=texts["backbone_id"],
        citation=texts["citation"],
        source=source,
        line=line,
        unit_given=bool(texts["unit"]),
        se=texts["se"],
        interval=interval,
        level=_level(texts["ci_level"], place),
        over=texts["ci_over"],
    )


def _check_interval(mean: str, low: str, high: str, place: str) -> None:
    if bool(low) != bool(high):
        raise RequestError(f"{place}: an interval has two bounds, ci_low and ci_high; one is empty")
    if not low:
        return
    if float(low) > float(high):
        raise RequestError(
            f"{place}: the bounds {low} and {high} are swapped; the lower one comes first"
        )
    if Range.from_text(mean).high < Range.from_text(low).low or (
        Range.from_text(mean).low > Range.from_text(high).high
    ):
        raise RequestError(f"{place}: the interval {low} to {high} does not hold the mean {mean}")


def _level(text: str, place: str) -> float:
    number = text.removesuffix("%").strip()
    if _NUMBER.fullmatch(number):
        level = float(number) / (1 if float(number) < 1 else 100)
        if 0.5 <= level < 1:
            return level
    raise RequestError(f"{place}: ci_level is '{text}', not a level such as 95")


def _whole(text: str, place: str) -> int | None:
    """Read a count of at least 1; None of an empty cell. A data frame makes "5.0" of 5."""
    text = text.removesuffix(".0")
    if not text:
        return None
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise RequestError(f"{place} is '{text}', not a whole number from 1")
    return int(text)
