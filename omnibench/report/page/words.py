"""Lists and counts in words."""

from collections.abc import Iterable, Sequence


def listed(parts: Iterable[str], last: str = "and") -> str:
    """Return "a", "a and b", "a, b and c"."""
    texts = list(dict.fromkeys(parts))
    return f" {last} ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def span(numbers: Sequence[int]) -> str:
    """Return "3", or "2 to 5"."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
