"""What a table's caption must say so that its numbers become a claim."""

from omnibench.report.numbers import POINTS
from omnibench.report.sentences import CORRECTED
from omnibench.report.table import Table
from omnibench.stats.pair import FROZEN


def caption(table: Table) -> str:
    """Return the caption as plain text.

    It names the unit, the definition, n and what varies, the marks, the tests with their pairing,
    the correction and its family, and what is special about controls and datasets.
    """
    scale = "x 100; " if table.unit == POINTS else ""
    parts = [
        f"{_subject(table)} in {table.unit} ({scale}{_direction(table)}), mean ± standard "
        f"deviation (ddof = 1) over n repetitions, {_definition(table)}.",
        _repetitions(table),
        _published(table),
        _undefined(table),
        _marks(table),
        _tests(table),
        _seen(table),
        _controls(table),
        *(f"{dataset}: {note.rstrip('.')}." for dataset, note in table.notes),
    ]
    return " ".join(part for part in parts if part)


def _subject(table: Table) -> str:
    if table.metric:
        return table.metric
    if table.members:
        return f"Metrics over {len(table.members)} datasets"
    what = "of the texts generated for" if table.decoded else "on"
    return f"Metrics {what} {table.dataset}"


def _definition(table: Table) -> str:
    return (
        "metric definition as named in each row"
        if table.study
        else (f"metric definition {table.definition}")
    )


def _direction(table: Table) -> str:
    falling = sorted(table.lower_is_better)
    if not falling or table.metric:
        return f"{'lower' if falling else 'higher'} is better"
    return f"higher is better, but lower for {', '.join(falling)}"


def _repetitions(table: Table) -> str:
    ns: dict[tuple[str, str], set[int]] = {}
    for row in table.rows:
        found = {cell.n for cell in row.cells if cell.state == "done"}
        if found and not row.published:
            ns.setdefault((row.adaptation, row.varies), set()).update(found)
    parts = [
        f"{adaptation}: n = {_range(n)}, {varies} varies"
        for (adaptation, varies), n in sorted(ns.items())
    ]
    text = f"{'; '.join(parts)}." if parts else ""
    if any(cell.partial for _, _, cell in table.cells):
        text += " (a/b): only a of b repetitions are there."
    if table.decoded:
        text += " The decodings of a backbone and adaptation are of the same trained models."
    return text


def _published(table: Table) -> str:
    if not table.study:
        return ""
    claims: dict[str, set[int]] = {}
    for row in table.rows:
        if row.published:
            claims.setdefault(row.published, set()).update(cell.n for cell in row.cells if cell.n)
    claimed = [f"{role}: {_range(n)}" for role, n in sorted(claims.items()) if n]
    text = f"Published: the numbers of {table.study}, as printed there, "
    text += f"n as claimed ({', '.join(claimed)})" if claimed else "no n claimed"
    text += "; they were not computed here and nothing is tested against them."
    if table.members:
        text += (
            f" Each cell is the mean over all repetitions of {', '.join(table.members)}; ± is the "
            "standard deviation of them all, so of the datasets more than of the runs."
        )
    return text


def _undefined(table: Table) -> str:
    states = {cell.state for _, _, cell in table.cells}
    if "undefined" not in states:
        return ""
    other = "not asked for, or " if "unplanned" in states else ""
    return f"\N{EN DASH}: {other}undefined in at least one repetition."


def _range(n: set[int]) -> str:
    return str(min(n)) if len(n) == 1 else f"{min(n)} to {max(n)}"


def _marks(table: Table) -> str:
    cells = [cell for _, _, cell in table.cells]
    if not any(cell.rank for cell in cells):
        return ""
    same = f"adaptation{' and decoding' if table.decoded else ''}"
    if len({row.backbone for row in table.rows if not row.published}) == 1:
        same = "backbone"
    text = f"Bold: best mean of the column with the same {same}, picked on the test images"
    if any(cell.standing for cell in cells):
        text += (
            "; and all that are not told apart from it (p >= .05 after "
            f"{CORRECTED[table.correction]}'s correction over them); underlined: second mean."
        )
        untested = sum(cell.standing == "untested" for cell in cells)
        return text + (f" Not tested against their best: {untested}." if untested else "")
    return f"{text}; underlined: second; neither claims significance."


def _tests(table: Table) -> str:
    if table.baseline is None:
        return ""
    compared = [cell.against for _, _, cell in table.cells if cell.against is not None]
    tested = [comparison for comparison in compared if comparison.test != "none"]
    if not compared:
        return ""
    if not tested:
        return f"Not tested against {table.baseline}, for reasons given in the CSV."
    family = _range({comparison.family for comparison in tested})
    text = (
        f"† differs from {table.baseline}{' in the same decoding' if table.decoded else ''}: "
        f"p < .05 after {CORRECTED[table.correction]}'s correction over the family of {family} "
        f"comparisons of {'one metric and decoding' if table.decoded else 'this metric'}."
    )
    tests = ", ".join(sorted({comparison.test for comparison in tested}))
    text += f" Tests, two-sided: {tests}."
    if any(row.varies in FROZEN for row in table.rows):
        text += " Frozen probes are compared on the same test cases (paired), not over repetitions."
    if len(tested) < len(compared):
        text += f" Not tested: {len(compared) - len(tested)}, for reasons given in the CSV."
    return text


def _seen(table: Table) -> str:
    seen = sorted({source for _, _, cell in table.cells for source in cell.seen})
    if not seen:
        return ""
    return (
        f"‡ the backbone's pretraining data hold images of the test images' own source "
        f"({', '.join(seen)})."
    )


def _controls(table: Table) -> str:
    controls = sorted({row.backbone for row in table.rows if row.control})
    if not controls:
        return ""
    return f"Random controls are one fixed draw of weights each: {', '.join(controls)}."
