"""Say what an audit shows, one plain sentence each: first of printed numbers, then of claims."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from omnibench.audit.counts import is_single
from omnibench.audit.implied import Aggregate, by_table, fits
from omnibench.audit.published import Row, in_order
from omnibench.audit.retest import Effect
from omnibench.audit.spreads import NONE_FITS
from omnibench.audit.study import FOUR_DECIMALS, Audit
from omnibench.audit.uncertainty import IMAGES, RUNS
from omnibench.audit.verdicts import MOST_NAMED, few, verdicts
from omnibench.stats.result import ALPHA


def findings(audit: Audit, effects: Sequence[Effect], margin: float) -> Iterator[str]:
    """Yield one sentence for each finding.

    Args:
        effects: of the audit's tests.
        margin: of equivalence, in points.
    """
    yield from _counted(audit)
    yield from _aggregates(audit)
    yield from _implied(audit)
    yield from _untestable(audit)
    yield from _spreads_of_one_run(audit)
    yield from _conversions(audit)
    yield from _across_definitions(audit)
    yield from _picked(audit)
    yield from _counts(audit)
    yield from verdicts(audit, effects, margin)
    if not audit.tests and not audit.count_tests:
        yield (
            "Nothing is compared: no two models have comparable numbers with a spread over runs or "
            "an interval each, or accuracies of a known number of test images (--metric accuracy, "
            "--test-images and --n say what the table does not)."
        )


def _counted(audit: Audit) -> Iterator[str]:
    """Yield what GRIM says, under both roundings of the single runs."""
    claimed = audit.claimed
    rows = [entry.row for entry in audit.rows if entry.decided and entry.row.n == claimed]
    if not rows or claimed is None:
        return
    names = {FOUR_DECIMALS: "each run was rounded to four decimals first", None: "none was"}
    impossible = [f"{len(rows) - _fitting(rows, claimed, d)} if {names[d]}" for d in names]
    yield (
        f"GRIM: {by_table(rows)}: of the {len(rows)} accuracies that test it (k of so few images), "
        f"n = {claimed} makes impossible {', '.join(impossible)}."
    )
    for n in in_order(str(n) for n in (audit.implied, claimed) if n is not None):
        mean, both = (
            " or ".join(str(_fitting(rows, int(n), d, with_std)) for d in names)
            for with_std in (False, True)
        )
        yield (
            f"GRIM: n = {n} allows {mean} of the {len(rows)} means (rounded or not); GRIMMER: "
            f"{both} together with their ± (ddof 1 or 0)."
        )


def _fitting(rows: Iterable[Row], n: int, decimals: int | None, with_std: bool = False) -> int:
    return sum(fits(row, n, decimals, with_std) for row in rows)


def _aggregates(audit: Audit) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Aggregate]] = {}
    for aggregate in audit.aggregates:
        groups.setdefault((aggregate.row.table, aggregate.row.metric), []).append(aggregate)
    for (table, metric), aggregates in groups.items():
        known = [aggregate for aggregate in aggregates if aggregate.spread is not None]
        if not known:
            yield (
                f"Table {table}, {metric}: what the ± is can't be told, as Tables "
                f"{', '.join(aggregates[0].row.members)} hold no {metric} with its ±."
            )
            continue
        for spread, count in Counter(str(aggregate.spread) for aggregate in known).most_common():
            alike = [aggregate for aggregate in known if aggregate.spread == spread]
            if spread == NONE_FITS:
                names = ", ".join(f"{a.row.model} ({a.row.std})" for a in alike)
                yield f"Table {table}, {metric}: no reading of the ± fits {names}."
                continue
            ns = sorted({n for aggregate in alike for n in aggregate.n})
            with_runs = f" with n = {', '.join(map(str, ns))}" if ns else ""
            yield (
                f"Table {table}, {metric}: the ± is {spread}, of {alike[0].datasets} "
                f"datasets{with_runs}, in {count} of {len(known)} rows."
            )
        for aggregate in known:
            if not aggregate.mean_follows:
                yield (
                    f"Table {table}, {metric}: the mean of {aggregate.row.model} "
                    f"({aggregate.row.mean}) is not that of its datasets."
                )


def _implied(audit: Audit) -> Iterator[str]:
    if audit.implied is not None:
        yield (
            f"The study claims n = {audit.claimed}; its printed numbers imply n = {audit.implied}. "
            "Tests are given for both."
        )


def _untestable(audit: Audit) -> Iterator[str]:
    tables: dict[str, list[Row]] = {}
    for entry in audit.rows:
        if entry.row.role != "cited":
            tables.setdefault(entry.row.table, []).append(entry.row)
    for table, rows in tables.items():
        bare = [row for row in rows if not row.uncertainty]
        if bare:
            counted = [row for row in bare if is_single(row)]
            what = "nothing about them can be tested"
            if counted:
                what = (
                    f"over runs {what}; {len(counted)} are accuracies of a known number of images "
                    "and are counted"
                )
            yield (
                f"Table {table}: {len(bare)} of {len(rows)} numbers are printed without ±, so "
                f"{what}."
            )


def _spreads_of_one_run(audit: Audit) -> Iterator[str]:
    """Yield the rows whose spread cannot be what it seems."""
    rows = [entry.row for entry in audit.rows if entry.row.n == 1 and entry.row.over_runs]
    if rows:
        names = in_order(f"{row.model} on {row.dataset} (line {row.line})" for row in rows)
        yield (
            f"n = 1 is claimed with a spread for {few(names)}: one run has none, so "
            "what stands there is not over runs, and the mean is taken as a single number."
        )


def _conversions(audit: Audit) -> Iterator[str]:
    """Yield how a standard error or an interval is taken."""
    known = {
        (row.uncertainty.kind, row.uncertainty.over)
        for row in (entry.row for entry in audit.rows)
        if row.uncertainty
    }
    sentences = {
        ("se", RUNS): "A standard error over runs is taken for std / sqrt(n), std with ddof = 1.",
        ("se", IMAGES): "A standard error over test images is taken as known exactly.",
        (
            "ci",
            RUNS,
        ): "An interval over runs is taken for Student's, mean ± t(n - 1) std / sqrt(n).",
        (
            "ci",
            IMAGES,
        ): "An interval over test images is taken for a normal one: its standard error "
        "is half its width / z, whatever its shape.",
        (
            "ci",
            "",
        ): "An interval that does not say what it is over is not taken as over runs but as "
        "that number's own, over its test images: its standard error is half its width / z.",
    }
    yield from (sentences[kind] for kind in sentences if kind in known)


def _counts(audit: Audit) -> Iterator[str]:
    """Yield what single accuracies show as counts of images."""
    for sentence in audit.uncounted[:MOST_NAMED]:
        yield f"Refused: {sentence}, so it is neither counted nor compared."
    if len(audit.uncounted) > MOST_NAMED:
        yield f"Refused: {len(audit.uncounted) - MOST_NAMED} more such accuracies."
    if any(count.row.n is None for count in audit.counts):
        yield "A single accuracy without n is taken for one run (assumed)."
    shown = [test for test in audit.count_tests if test.corrected.largest < ALPHA]
    if audit.count_tests:
        yield (
            "Over images, unpaired (Fisher): p after Holm over the study's comparisons is below "
            f".05, for all k that print so, on {len(shown)} of {len(audit.count_tests)}. It takes "
            "the two models as tested on different images, and one training of each as all there "
            "is."
        )
    paired = [test for test in audit.count_tests if test.mid is not None]
    never = [test for test in paired if test.mid and test.mid.least >= ALPHA]
    always = [test for test in paired if test.mid and test.mid.largest < ALPHA]
    if paired:
        yield (
            f"Over images, paired (McNemar, mid-p, uncorrected): of {len(paired)} comparisons "
            f"{len(always)} are below .05 however the models' errors overlap, {len(never)} cannot "
            f"be, and of {len(paired) - len(always) - len(never)} only predictions could tell."
        )


def _across_definitions(audit: Audit) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[tuple[str, bool]]] = {}
    for contest in audit.contests:
        for row in contest.elsewhere[:1]:
            key = (row.metric, row.definition, contest.best.definition)
            ahead = row.merit > contest.best.merit
            groups.setdefault(key, []).append((row.dataset, ahead))
    for (metric, cited, own), places in groups.items():
        better = [dataset for dataset, is_ahead in places if is_ahead]
        more = f" It is the better one on {', '.join(better)}, which shows nothing."
        yield (
            f"Refused: {metric} against the strongest single number cited on "
            f"{', '.join(dataset for dataset, _ in places)}: that is {cited}, the study's is "
            f"{own}, and different definitions are never compared.{more if better else ''}"
        )


def _picked(audit: Audit) -> Iterator[str]:
    groups: dict[int, list[str]] = {}
    for contest in audit.contests:
        if len(contest.own) > 1 and contest.rivals:
            groups.setdefault(len(contest.own), []).append(contest.best.dataset)
    for count, datasets in groups.items():
        yield (
            f"Best variant picked on the test set: on {', '.join(datasets)} `a` is the best of "
            f"{count} variants by the test score itself, so its lead and p are too good."
        )
    for contest in audit.contests:
        names = [row.model for row in contest.rivals if row.role == "rerun"]
        if len(names) > 1:
            yield (
                f"{contest.best.dataset}: {' and '.join(names)} are tied as the strongest; in a "
                "family the dataset counts once, with the larger p."
            )
