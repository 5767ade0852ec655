"""What a table's caption must say so that its numbers become a claim."""

from omnibench.report.numbers import POINTS
from omnibench.report.table import Table
from omnibench.stats.pair import FROZEN


def caption(table: Table) -> str:
    """Return the caption as plain text.

    It names the unit, the definition, n and what varies, the marks, the tests with their pairing,
    the correction and its family, and what is special about controls and datasets.
    """
    scale = "x 100; " if table.unit == POINTS else ""
    what = table.metric or f"Metrics of the texts generated for {table.dataset}"
    parts = [
        f"{what} in {table.unit} ({scale}{_direction(table)}), mean ± standard deviation "
        f"(ddof = 1) over n repetitions, metric definition {table.definition}.",
        _repetitions(table),
        _undefined(table),
        _marks(table),
        _tests(table),
        _controls(table),
        *(f"{dataset}: {note.rstrip('.')}." for dataset, note in table.notes),
    ]
    return " ".join(part for part in parts if part)


def _direction(table: Table) -> str:
    falling = sorted(table.lower_is_better)
    if not falling or table.metric:
        return f"{'lower' if falling else 'higher'} is better"
    return f"higher is better, but lower for {', '.join(falling)}"


def _repetitions(table: Table) -> str:
    ns: dict[tuple[str, str], set[int]] = {}
    for row in table.rows:
        found = {cell.n for cell in row.cells if cell.state == "done"}
        if found:
            ns.setdefault((row.adaptation, row.varies), set()).update(found)
    parts = [
        f"{adaptation}: n = {_range(n)}, {varies} varies"
        for (adaptation, varies), n in sorted(ns.items())
    ]
    text = f"{'; '.join(parts)}." if parts else ""
    if any(cell.partial for _, _, cell in table.cells):
        text += " (a/b): only a of b repetitions are there."
    if table.dataset:
        text += " The decodings of a backbone and adaptation are of the same trained models."
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
    if not any(cell.rank for _, _, cell in table.cells):
        return ""
    return "Bold: best mean of the column; underlined: second; neither claims significance."


def _tests(table: Table) -> str:
    if table.baseline is None:
        return ""
    compared = [cell.against for _, _, cell in table.cells if cell.against is not None]
    tested = [comparison for comparison in compared if comparison.test != "none"]
    if not tested:
        return f"Not tested against {table.baseline}, for reasons given in the CSV."
    family = _range({comparison.family for comparison in tested})
    text = (
        f"† differs from {table.baseline}{' in the same decoding' if table.dataset else ''}: "
        f"p < .05 after Holm's correction over the family of {family} comparisons of "
        f"{'one metric and decoding' if table.dataset else 'this metric'}."
    )
    tests = ", ".join(sorted({comparison.test for comparison in tested}))
    text += f" Tests, two-sided: {tests}."
    if any(row.varies in FROZEN for row in table.rows):
        text += " Frozen probes are compared on the same test cases (paired), not over repetitions."
    if len(tested) < len(compared):
        text += f" Not tested: {len(compared) - len(tested)}, for reasons given in the CSV."
    return text


def _controls(table: Table) -> str:
    controls = sorted({row.backbone for row in table.rows if row.control})
    if not controls:
        return ""
    return f"Random controls are one fixed draw of weights each: {', '.join(controls)}."
