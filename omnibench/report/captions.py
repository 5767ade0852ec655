"""What a table's caption must say so that its numbers become a claim."""

from omnibench.report.results import Results
from omnibench.report.words import CORRECTED, counted, listed, questions, ranged, span
from omnibench.stats.pair import Comparison
from omnibench.task import POINTS


def caption(results: Results) -> str:
    """Return the caption as plain text.

    It names the unit, the definition, n and what varies, the marks, the tests with their pairing,
    the correction and its family, and what is special about controls and datasets.
    """
    scale = "x 100; " if results.unit == POINTS else ""
    unit = f"{results.unit} ({scale}{_direction(results)}){_others(results)}"
    parts = [
        f"{_subject(results)} in {unit}, mean ± standard deviation (ddof = 1) over n repetitions, "
        f"{_definition(results)}.",
        _repetitions(results),
        _published(results),
        _undefined(results),
        _marks(results),
        _tests(results),
        _seen(results),
        _controls(results),
        *(f"{dataset}: {note.rstrip('.')}." for dataset, note in results.notes),
    ]
    return " ".join(part for part in parts if part)


def _subject(results: Results) -> str:
    if results.metric:
        return results.metric
    if results.members:
        return f"Metrics over {len(results.members)} datasets"
    what = "of the texts generated for" if results.decoded else "on"
    return f"Metrics {what} {results.dataset}"


def _definition(results: Results) -> str:
    return (
        "metric definition as named in each row"
        if results.study
        else (f"metric definition {results.definition}")
    )


def _direction(results: Results) -> str:
    falling = sorted(results.lower_is_better)
    if not falling or results.metric:
        return f"{'lower' if falling else 'higher'} is better"
    return f"higher is better, but lower for {', '.join(falling)}"


def _others(results: Results) -> str:
    """Return what the metrics are in that are not in the table's unit."""
    units = {results.place(c)[1]: results.unit_of(c) for c in results.columns}
    return "".join(f", {name} in {unit}" for name, unit in units.items() if unit != results.unit)


def _repetitions(results: Results) -> str:
    ns: dict[tuple[str, str], set[int]] = {}
    for row in results.rows:
        counts = {cell.n for cell in row.cells if cell.state == "done"}
        if counts and not row.published:
            ns.setdefault((row.adaptation, row.varies), set()).update(counts)
    parts = [
        f"{adaptation}: n = {span(n)}, {varies} varies"
        for (adaptation, varies), n in sorted(ns.items())
    ]
    text = f"{'; '.join(parts)}." if parts else ""
    if any(cell.partial for _, _, cell in results.cells):
        text += " (a/b): only a of b repetitions are there."
    if results.decoded:
        text += " The decodings of a backbone and adaptation are of the same trained models."
    return text


def _published(results: Results) -> str:
    if not results.study:
        return ""
    claims: dict[str, set[int]] = {}
    for row in results.rows:
        if row.published:
            claims.setdefault(row.published, set()).update(cell.n for cell in row.cells if cell.n)
    claimed = [f"{role}: {span(n)}" for role, n in sorted(claims.items()) if n]
    text = f"Published: the numbers of {results.study}, as printed there, "
    text += f"n as claimed ({', '.join(claimed)})" if claimed else "no n claimed"
    text += "; they were not computed here and nothing is tested against them."
    if results.members:
        text += (
            f" Each cell is the mean over all repetitions of {', '.join(results.members)}; ± is "
            "the standard deviation of them all, so of the datasets more than of the runs."
        )
    return text


def _undefined(results: Results) -> str:
    states = {cell.state for _, _, cell in results.cells}
    if "undefined" not in states:
        return ""
    other = "not asked for, or " if "unplanned" in states else ""
    return f"\N{EN DASH}: {other}undefined in at least one repetition."


def _marks(results: Results) -> str:
    """Return what bold and underlined mean, where they occur, and what has neither and why."""
    cells = [cell for _, _, cell in results.cells if cell.state == "done"]
    same = f"adaptation{' and decoding' if results.decoded else ''}"
    if len({row.backbone for row in results.rows if not row.published}) == 1:
        same = "backbone"
    within = f"of the column with the same {same}"
    bold = [cell for cell in cells if cell.leading]
    in_a_set = any(cell.standing for cell in bold)
    parts = []
    if in_a_set:
        parts.append(
            f"Bold: what may be the best {within}, by a 95 % confidence set for new images and new "
            "runs."
        )
    if not all(cell.standing for cell in bold):
        where = "Bold where such a set was not computed" if in_a_set else "Bold"
        parts.append(
            f"{where}: best mean {within}, picked on the test images, which claims no significance."
        )
    if any(cell.rank == 2 for cell in cells):
        parts.append(f"Underlined: second mean {within}, which claims nothing.")
    undecided = [
        f"{column} ({', '.join(filter(None, (row.adaptation, row.decoding)))})"
        for column, row, cell in results.cells
        if cell.standing is not None and cell.standing.place == "undecided"
    ]
    if undecided:
        parts.append(f"Undecided, as none can be ruled out as the best: {listed(undecided)}.")
    untested = [cell for cell in cells if cell.standing and cell.standing.place == "untested"]
    for some, what in (
        ([cell for cell in cells if cell.partial], "Neither bold nor ranked, for want of runs"),
        (untested, "Not tested for the best"),
    ):
        parts += [f"{what}: {counted(len(some), 'cell')}."] if some else []
    return " ".join(parts)


def _tests(results: Results) -> str:
    compared = [cell.against for _, _, cell in results.cells if cell.against is not None]
    if results.baseline is None or not compared:
        return ""
    tested = [comparison for comparison in compared if comparison.test != "none"]
    parts = []
    if tested:
        parts = [
            _daggers(results, tested),
            f"Differences are tested for {questions(c.test for c in tested)}, two-sided, on the "
            "same test images (paired).",
        ]
    runs = sorted({c.test_runs for c in compared if c.test_runs != "none"})
    if runs:
        parts.append(f"On these test images alone, over runs: {listed(runs)}, in the CSV.")
    same = sum(comparison.verdict == "identical" for comparison in tested)
    if same:
        cells = counted(same, "cell")
        parts.append(f"Identical to {results.baseline}, patient by patient: {cells}.")
    rest = len(compared) - len(tested)
    if rest:
        some = f": {counted(rest, 'cell')}" if tested else ""
        parts.append(f"Not tested against {results.baseline}{some}, for reasons given in the CSV.")
    return " ".join(parts)


def _daggers(results: Results, tested: list[Comparison]) -> str:
    """Return what a dagger marks, over which family, and in which columns if not in all."""
    deciding = [comparison for comparison in tested if comparison.primary]
    if not deciding:
        return "Described, not decided: verdicts and daggers are on the task's primary metric."
    text = (
        f"† differs from {results.baseline}: p < .05 after {CORRECTED[results.correction]}'s "
        f"correction over its family, the {ranged((c.family for c in deciding), 'backbone')} "
        f"compared with {results.baseline} on one dataset with one adaptation"
    )
    if looks := [c.looks for c in deciding if c.looks]:
        text += f", and for each of {ranged(looks, 'planned look')} while runs were added"
    if len(deciding) == len(tested):
        return f"{text}."
    metrics = listed(f"{c.metric} ({c.definition})" for c in deciding)
    return f"{text}, in {metrics} alone; all else is described, not decided."


def _seen(results: Results) -> str:
    seen = sorted({source for _, _, cell in results.cells for source in cell.seen})
    if not seen:
        return ""
    return (
        f"‡ the backbone's pretraining data hold images of the test images' own source "
        f"({', '.join(seen)})."
    )


def _controls(results: Results) -> str:
    controls = sorted({row.backbone for row in results.rows if row.control})
    if not controls:
        return ""
    return f"Random controls are one fixed draw of weights each: {', '.join(controls)}."
