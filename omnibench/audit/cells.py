"""Read a number as people print it in a table, with what stands beside it."""

import functools
import re
from dataclasses import dataclass

from omnibench.audit.markup import plain, unmarked
from omnibench.errors import RequestError

_ABSENT = {
    "", "-", "--", "---", "\u2013", "—", "——", "/", "n/a", "na", "n.a.", "n.a", "nan", "none",
    "null", "\u00d7", "·", "…", "...", "n/r", "nr", "n.r.", "not reported",
}  # fmt: skip
_LEVEL = r"(?:(?P<level>[0-9]{2}(?:\.[0-9]+)?) ?% ?(?:CI)? ?[:,;]? ?|CI ?[:,;]? ?)?"


def _patterns(mark: str) -> tuple[re.Pattern[str], ...]:
    """Return how a cell may look under one decimal mark, the plainest first."""
    digits = rf"(?:[0-9]{{1,15}}(?:[{mark}][0-9]{{1,15}})?|[{mark}][0-9]{{1,15}})"
    mean = rf"(?P<mean>[-+]?{digits}) ?(?P<percent>%)?"
    size = rf"(?P<size>-?{digits}) ?(?P<inner>%)?"
    low, high = (rf"(?P<{name}>[-+]?{digits}) ?%?" for name in ("low", "high"))
    between = "(?:-|\u2013|—|to|,|;|\\.\\.|:)"
    texts = (
        mean,
        rf"{mean} ?± ?{size}",
        rf"\( ?{mean} ?± ?{size} ?\) ?(?P<outer>%)?",
        rf"{mean} ?\( ?± ?{size} ?\) ?(?P<outer>%)?",
        rf"{mean} ?(?P<bracket>\() ?{size} ?\) ?(?P<outer>%)?",
        # LaTeX writes an en dash as two hyphens; behind a bound below 0 the second is a minus.
        rf"{mean} ?[\[(] ?{_LEVEL}(?P<low>\+?{digits}) ?%? ?-{{2,3}} ?{high} ?[\])] ?(?P<outer>%)?",
        rf"{mean} ?[\[(] ?{_LEVEL}{low} ?{between} ?{high} ?[\])] ?(?P<outer>%)?",
    )
    return tuple(re.compile(text, re.IGNORECASE) for text in texts)


_STYLES = {".": _patterns("."), ",": _patterns(",")}


@dataclass(frozen=True)
class Value:
    """A number as printed, its digits with a decimal point.

    Attributes:
        size: what stands behind ± or alone in brackets; "" where nothing does.
        bracketed: whether it stood in brackets, which say nothing of what it is.
        low, high: bounds of an interval; level: of it, in percent; "" where none is printed.
        percent: whether a percent sign stands behind it.
        mark: the decimal mark; "" of whole numbers.
    """

    mean: str
    size: str = ""
    bracketed: bool = False
    low: str = ""
    high: str = ""
    level: str = ""
    percent: bool = False
    mark: str = ""


def value(text: str) -> Value | None:
    """Read a cell; None of one that stands for an absent number.

    Raises:
        RequestError: it is neither; the message goes on after the cell's place and text.
    """
    read = _read(text)
    if isinstance(read, str):
        raise RequestError(read)
    return read


@functools.lru_cache(maxsize=100_000)
def _read(text: str) -> Value | str | None:
    """Return what `value` does, or the reason why there is none."""
    bare = plain(text)
    if bare.casefold() in _ABSENT or unmarked(bare).casefold() in _ABSENT:
        return None
    bare = " ".join(re.sub(r"\+ ?/ ?-|\+ ?-(?=[ 0-9.,])", "±", unmarked(bare)).split())
    for mark, patterns in _STYLES.items():
        for pattern in patterns:
            match = pattern.fullmatch(bare)
            if match:
                return _value(match.groupdict(), mark)
    return "is no number such as 80.1, 80.1 ± 0.3, 80.1 (0.3) or .887 (.884-.889)"


def is_value(text: str) -> bool:
    """Tell whether a cell holds a number."""
    return isinstance(_read(text), Value)


def is_absent(text: str) -> bool:
    """Tell whether a cell stands for an absent number."""
    return _read(text) is None


def _value(parts: dict[str, str | None], mark: str) -> Value | str:
    numbers = {name: _digits(parts.get(name) or "") for name in ("mean", "size", "low", "high")}
    if numbers["size"].startswith("-"):
        return "has a spread below 0"
    printed = "".join(parts.get(name) or "" for name in ("mean", "size", "low", "high"))
    return Value(
        **numbers,
        bracketed=bool(parts.get("bracket")),
        level=parts.get("level") or "",
        percent=any(parts.get(sign) for sign in ("percent", "inner", "outer")),
        mark=mark if mark in printed else "",
    )


def _digits(text: str) -> str:
    """Return a number's digits as in "0.801", from ".801", "0,801" or "+0.801"."""
    text = text.replace(",", ".").removeprefix("+")
    sign, number = ("-", text[1:]) if text.startswith("-") else ("", text)
    return f"{sign}0{number}" if number.startswith(".") else sign + number
