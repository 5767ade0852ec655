"""What must be said beside a table so that its numbers become a claim: briefly, and in full."""

from omnibench.report.names import NO_NAMES, Names
from omnibench.report.results import ResultRow, Results
from omnibench.report.words import CORRECTED, UNTRAINED, counted, listed, questions, ranged, span
from omnibench.stats.pair import Comparison
from omnibench.stats.units import split_decoding
from omnibench.task import POINTS


def caption(results: Results, names: Names = NO_NAMES) -> str:
    """Return what a reader needs at once: the unit, n, and what the marks mean."""
    scale = "x 100; " if results.unit == POINTS else ""
    unit = f"{results.unit} ({scale}{_direction(results)}){_others(results)}"
    parts = [
        f"{_subject(results, names)} in {unit}, mean ± standard deviation (ddof = 1) over n "
        f"repetitions{_counts(results)}.",
        *_legend(results, names),
    ]
    return " ".join(parts)


def details(results: Results, names: Names = NO_NAMES) -> tuple[str, ...]:
    """Return all that a claim rests on, in sentences.

    They name the definitions, what varies, the marks, the tests with their pairing, the correction
    and its family, and what is special about controls and datasets.
    """
    parts = [
        _definition(results),
        _repetitions(results),
        _published(results),
        _undefined(results),
        _marks(results, names),
        _tests(results, names),
        _seen(results),
        _controls(results, names),
        *(f"{names.dataset(dataset)}: {note.rstrip('.')}." for dataset, note in results.notes),
    ]
    return tuple(part for part in parts if part)


def _counts(results: Results) -> str:
    """Return how many repetitions there are, by adaptation where that differs."""
    counts: dict[str, set[int]] = {}
    for row in results.rows:
        n = {cell.n for cell in row.cells if cell.state == "done"}
        if n and not row.published:
            counts.setdefault(row.adaptation, set()).update(n)
    adaptations: dict[str, list[str]] = {}
    for adaptation, n in counts.items():
        adaptations.setdefault(span(n), []).append(adaptation)
    if len(adaptations) < 2:
        return "".join(f" (n = {n})" for n in adaptations)
    return f" ({'; '.join(f'{listed(names)}: {n}' for n, names in adaptations.items())})"


def _legend(results: Results, names: Names) -> list[str]:
    """Return a sentence for each mark that occurs."""
    cells = [cell for _, _, cell in results.cells if cell.state == "done"]
    bold = [cell for cell in cells if cell.leading]
    parts = []
    if bold:
        of = _within(results)
        sets = [cell.standing is not None for cell in bold]
        best = f"best mean of its {of}"
        if any(sets):
            best = f"may be the best of its {of} (95 % confidence set)" + (
                "" if all(sets) else ", or the best mean where no set was computed"
            )
        parts.append(f"Bold: {best}.")
    places = {cell.standing.place for cell in cells if cell.standing is not None}
    if places & {"undecided", "untested"}:
        parts.append("Where nothing is bold, that is undecided or was not tested.")
    if any(cell.rank == 2 for cell in cells):
        parts.append("Underlined: second mean.")
    if any(cell.significant for cell in cells):
        parts.append(f"† differs from {names.backbone(str(results.baseline))} (corrected p < .05).")
    if any(cell.seen for cell in cells):
        parts.append("‡ pretrained on images of the same source.")
    if any(cell.partial for cell in cells):
        parts.append("(a/b): a of b repetitions.")
    return parts


def _within(results: Results) -> str:
    if len({row.backbone for row in results.rows if not row.published}) == 1:
        return "backbone"
    return f"adaptation{' and decoding' if results.decoded else ''}"


def _subject(results: Results, names: Names) -> str:
    if results.metric:
        return results.metric
    if results.members:
        return f"Metrics over {len(results.members)} datasets"
    what = "of the texts generated for" if results.decoded else "on"
    where = dict.fromkeys(row.dataset or results.dataset for row in results.rows)
    return f"Metrics {what} {listed(map(names.dataset, where)) or results.dataset}"


def _definition(results: Results) -> str:
    if results.study:
        return "Metric definition as named in each row."
    definitions: dict[str, list[str]] = {}
    for column in results.columns:
        definition, metric = results.score(column)
        definitions.setdefault(split_decoding(definition)[0], []).append(metric)
    if len(definitions) < 2:
        text = f"Metric definition: {next(iter(definitions), results.definition)}"
    else:
        text = "Metric definitions: " + "; ".join(
            f"{listed(metrics)} {definition}" for definition, metrics in definitions.items()
        )
    left = f" Undefined in every row, so left out: {listed(results.left)}." if results.left else ""
    return f"{text}.{left}"


def _direction(results: Results) -> str:
    falling, undirected = sorted(results.lower_is_better), sorted(results.undirected)
    if results.metric and undirected:
        return "no value is better than another"
    if results.metric or not (falling or undirected):
        return f"{'lower' if falling else 'higher'} is better"
    if {results.place(column)[1] for column in results.columns} <= set(falling):
        return "lower is better"
    but = [f"lower for {', '.join(falling)}"] if falling else []
    but += [f"neither for {', '.join(undirected)}"] if undirected else []
    return f"higher is better, but {', '.join(but)}"


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


def _marks(results: Results, names: Names) -> str:
    """Return what bold and underlined mean, where they occur, and what has neither and why."""
    cells = [cell for _, _, cell in results.cells if cell.state == "done"]
    within = f"of the column with the same {_within(results)}"
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
        f"{_place(results, column, row, names)} "
        f"({', '.join(filter(None, (row.adaptation, row.decoding)))})"
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


def _place(results: Results, column: str, row: ResultRow, names: Names) -> str:
    """Return what tells a column's place: its dataset, or its metric and perhaps the dataset."""
    if results.metric:
        return names.dataset(column)
    return f"{column} on {names.dataset(row.dataset)}" if results.several else column


def _tests(results: Results, names: Names) -> str:
    compared = [cell.against for _, _, cell in results.cells if cell.against is not None]
    if results.baseline is None or not compared:
        return ""
    baseline = names.backbone(results.baseline)
    tested = [comparison for comparison in compared if comparison.test != "none"]
    parts = []
    if tested:
        parts = [
            _daggers(results, tested, baseline),
            f"Differences are tested for {questions(c.test for c in tested)}, two-sided, on the "
            "same test images (paired).",
        ]
    runs = sorted({c.test_runs for c in compared if c.test_runs != "none"})
    if runs:
        parts.append(f"On these test images alone, over runs: {listed(runs)}, in the CSV.")
    same = sum(comparison.verdict == "identical" for comparison in tested)
    if same:
        cells = counted(same, "cell")
        parts.append(f"Identical to {baseline}, patient by patient: {cells}.")
    rest = len(compared) - len(tested)
    if rest:
        some = f": {counted(rest, 'cell')}" if tested else ""
        parts.append(f"Not tested against {baseline}{some}, for reasons given in the CSV.")
    return " ".join(parts)


def _daggers(results: Results, tested: list[Comparison], baseline: str) -> str:
    """Return what a dagger marks, over which family, and in which columns if not in all."""
    deciding = [comparison for comparison in tested if comparison.primary]
    if not deciding:
        return "Described, not decided: verdicts and daggers are on the task's primary metric."
    text = (
        f"† differs from {baseline}: p < .05 after {CORRECTED[results.correction]}'s "
        f"correction over its family, the {ranged((c.family for c in deciding), 'backbone')} "
        f"compared with {baseline} on one dataset with one adaptation"
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


def _controls(results: Results, names: Names) -> str:
    controls = sorted({names.backbone(row.backbone) for row in results.rows if row.control})
    if not controls:
        return ""
    return f"{UNTRAINED}: {', '.join(controls)}."
