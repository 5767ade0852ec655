"""The screen of `power`: a row a comparison, what is not planned and why, and a sentence."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from omnibench.report.words import counted, listed
from omnibench.stats.needed import Needed
from omnibench.stats.sizes import MOST, Size
from omnibench.terminal import columns

_HEADER = (
    "task", "dataset", "adaptation", "metric", "backbone", "n", "cases", "family", "detectable",
    "to detect", "to match", "needed",
)  # fmt: skip
_OVER_RUNS = ("r", "paired", "Welch")


def lines(
    rows: Sequence[Needed], baseline: str, margin: float, left_out: Iterable[str]
) -> Iterator[str]:
    """Yield the screen from top to bottom.

    Args:
        margin: in points.
        left_out: sentences about what a margin in points does not apply to.
    """
    planned = [row for row in rows if not row.note]
    if planned:
        over_runs = any(math.isfinite(row.power_welch) for row in planned)
        header = (*_HEADER, *(_OVER_RUNS if over_runs else ()))
        yield columns([_cells(row)[: len(header)] for row in planned], header)
        yield from _legend(planned, baseline, margin, over_runs)
    yield from _not_planned(row for row in rows if row.note)
    yield from left_out
    yield _conclusion(planned, margin)


def _legend(
    planned: Sequence[Needed], baseline: str, margin: float, over_runs: bool
) -> Iterator[str]:
    yield (
        f"against {baseline}, on new images and with new runs, 80 % power over what these "
        "records leave open about the variances"
    )
    yield (
        f"'to detect' a difference of {margin:g} points, at level .05 / family: the comparisons of "
        "one dataset and adaptation, in the worst case of Holm's correction; 'to match' within "
        f"{margin:g} points where there is no difference, at .05; 'needed' for either answer; "
        "'detectable' in points, with the n and cases at hand"
    )
    if any(row.frozen for row in planned):
        yield "frozen probes: repetitions differ in their head's seed alone, so test cases decide"
    if over_runs:
        yield (
            "'r': correlation of repetitions that share seeds; 'paired', 'Welch': power of tests "
            f"over the n repetitions at {margin:g} points, on these images alone and uncorrected; "
            "pairing loses power where r is near 0, and few repetitions tell r poorly"
        )


def _cells(row: Needed) -> tuple[str, ...]:
    detectable = "-" if math.isnan(row.detectable) else f"{100 * row.detectable:.2f}"
    return (
        *(row.task, row.dataset, row.adaptation, row.metric, row.backbone),
        *(str(row.n), _at_hand(row), str(row.family), detectable),
        *(_size(size, row) for size in (row.to_detect, row.to_match)),
        _needed(row),
        "-" if math.isnan(row.correlation) else f"{row.correlation:.2f} (n = {row.n})",
        *("-" if math.isnan(p) else f"{p:.2f}" for p in (row.power_paired, row.power_welch)),
    )


def _at_hand(row: Needed) -> str:
    return f"{row.cases:,} patients" if row.by_patient else f"{row.cases:,}"


def _size(size: Size, row: Needed) -> str:
    """Return the part of a study that decides: "12 runs", "1,240 test cases", or both."""
    if size.repetitions is None or size.patients is None:
        return f"> {MOST} runs"
    runs, cases = f"{size.repetitions} runs", f"{size.patients:,} {_noun(row)}"
    if _in_runs(size, row):
        return runs
    return cases if size.repetitions == row.n else f"{cases} x {runs}"


def _needed(row: Needed) -> str:
    text = _size(row.needed, row)
    if row.needed.patients is None or _in_runs(row.needed, row):
        return text
    return f"about {text} (it has {row.cases:,})"


def _in_runs(size: Size, row: Needed) -> bool:
    """Tell whether a study has the cases at hand, so that its repetitions are what decides."""
    return size.patients == row.cases and not (row.frozen and size.repetitions == row.n)


def _noun(row: Needed) -> str:
    return "patients" if row.by_patient else "test cases"


def _not_planned(rows: Iterable[Needed]) -> Iterator[str]:
    """Yield a line for each reason, with the places and backbones that it is about."""
    places: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    ordered = sorted(rows, key=lambda row: (row.task, row.dataset, row.adaptation, row.note))
    for place, group in groupby(ordered, lambda r: (r.task, r.dataset, r.adaptation, r.note)):
        members = list(group)
        every = len(members) == members[0].family
        names = () if every else tuple(row.backbone for row in members)
        places.setdefault((place[3], names), []).append((place[1], place[2]))
    for (note, names), where in places.items():
        adaptations: dict[tuple[str, ...], list[str]] = {}
        for dataset in dict.fromkeys(dataset for dataset, _ in where):
            with_it = tuple(adaptation for other, adaptation in where if other == dataset)
            adaptations.setdefault(with_it, []).append(dataset)
        parts = (f"{', '.join(d)} with {listed(a)}" for a, d in adaptations.items())
        about = f": {', '.join(names)}" if names else ""
        yield f"not planned: {note} on {'; '.join(parts)}{about}"


def _conclusion(planned: Sequence[Needed], margin: float) -> str:
    """Return how many comparisons have what they need, and what the others lack."""
    if not planned:
        return "No comparison can be planned."
    enough = sum(row.enough for row in planned)
    lacking = [row for row in planned if not row.enough]
    runs = [row for row in lacking if _in_runs(row.needed, row)]
    beyond = [row for row in lacking if row.needed.patients is None]
    cases = [row for row in lacking if row not in runs and row not in beyond]
    parts = []
    if runs:
        most = max(row.needed.repetitions or 0 for row in runs)
        parts.append(f"{len(runs)} with up to {counted(most, 'repetition')}")
    for noun in dict.fromkeys(map(_noun, cases)):
        sizes = [row.needed.patients or 0 for row in cases if _noun(row) == noun]
        parts.append(f"{len(sizes)} with up to {max(sizes):,} {noun}")
    if beyond:
        parts.append(f"{len(beyond)} with none of up to {MOST} repetitions")
    rest = f"; of the others {listed(parts)}" if parts else ""
    return (
        f"{enough} of {len(planned)} comparisons have what a margin of {margin:g} "
        f"points needs{rest}."
    )
