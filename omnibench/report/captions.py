"""What a table's caption must say so that its numbers become a claim."""

from omnibench.report.results import Results
from omnibench.report.words import CORRECTED, span
from omnibench.stats.pair import FROZEN
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
    cells = [cell for _, _, cell in results.cells]
    if not any(cell.rank for cell in cells):
        return ""
    same = f"adaptation{' and decoding' if results.decoded else ''}"
    if len({row.backbone for row in results.rows if not row.published}) == 1:
        same = "backbone"
    text = f"Bold: best mean of the column with the same {same}, picked on the test images"
    if any(cell.standing for cell in cells):
        text += (
            "; and all that are not told apart from it (p >= .05 after "
            f"{CORRECTED[results.correction]}'s correction over them); underlined: second mean."
        )
        untested = sum(cell.standing == "untested" for cell in cells)
        return text + (f" Not tested against their best: {untested}." if untested else "")
    return f"{text}; underlined: second; neither claims significance."


def _tests(results: Results) -> str:
    if results.baseline is None:
        return ""
    compared = [cell.against for _, _, cell in results.cells if cell.against is not None]
    tested = [comparison for comparison in compared if comparison.test != "none"]
    if not compared:
        return ""
    if not tested:
        return f"Not tested against {results.baseline}, for reasons given in the CSV."
    family = span({comparison.family for comparison in tested})
    text = (
        f"† differs from {results.baseline}{' in the same decoding' if results.decoded else ''}: "
        f"p < .05 after {CORRECTED[results.correction]}'s correction over the family of {family} "
        f"comparisons of {'one metric and decoding' if results.decoded else 'this metric'}."
    )
    tests = ", ".join(sorted({comparison.test for comparison in tested}))
    text += f" Tests, two-sided: {tests}."
    if any(row.varies in FROZEN for row in results.rows):
        text += " Frozen probes are compared on the same test cases (paired), not over repetitions."
    if len(tested) < len(compared):
        text += f" Not tested: {len(compared) - len(tested)}, for reasons given in the CSV."
    return text


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
