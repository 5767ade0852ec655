"""`run --until-decided`: repetitions in rounds, until a suite's comparisons are decided."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from omnibench.commands.options import RunOptions
from omnibench.commands.running import Run, prepared
from omnibench.errors import RequestError
from omnibench.frames import predictions_of, rules_of, values_of
from omnibench.monitoring import MOST, Monitoring, key_of, monitoring_of, save
from omnibench.session import Session
from omnibench.states import CellState, Filters, select, states
from omnibench.suite import Suite, SuiteSource
from omnibench.verdicts import tests_of

DEFAULT_MOST = 10  # repetitions


def rounds(
    source: SuiteSource,
    filters: Filters,
    session: Session,
    options: RunOptions,
    tell: Callable[[str], None],
) -> Iterator[Run]:
    """Yield the run of each round; once it is computed, its comparisons are looked at.

    A family whose cells are not all done is not looked at, so that it is not extended either.

    Args:
        tell: takes a line on each family that the filters leave, after each look.

    Raises:
        RequestError: the suite cannot be decided, or was begun with another most.
    """
    if filters.backbones or filters.repetitions:
        raise RequestError(
            "--until-decided decides between all backbones of a family with the repetitions it "
            "chooses; leave --backbones and --repetitions out"
        )
    if options.engine == "slurm":
        raise RequestError(
            "--until-decided looks at what is done and goes on, which --engine slurm leaves to its "
            "queue; take another engine"
        )
    suite, _ = session.suite(source, filters)
    monitoring = _begun(suite, session, options.max_repetitions)
    save(suite.name, monitoring, session.results)
    while True:
        with prepared(source, filters, session, options) as run:
            yield run
        suite, _ = session.suite(source)
        before, monitoring = monitoring, _after_a_look(suite, filters, session, monitoring)
        save(suite.name, monitoring, session.results)
        chosen = {key_of(unit) for unit in select(suite, filters)}
        own = {key: each for key, each in monitoring.families.items() if key in chosen}
        for key, family in own.items():
            tell(f"{key}: {family.words}")
        if monitoring == before or all(family.state != "open" for family in own.values()):
            return
        options = replace(options, force=False, retry_failed=False)


def _begun(suite: Suite, session: Session, most: int | None) -> Monitoring:
    """Return the monitoring of a suite, begun here where it was not.

    Raises:
        RequestError: as `Monitoring.begun`; or it was begun with another most.
    """
    known = monitoring_of(suite.name, session.results)
    if most is not None and most > MOST:
        raise RequestError(f"--max-repetitions: {most} is above {MOST}, the most there may be")
    if known is not None and most not in (None, known.most):
        raise RequestError(
            f"--max-repetitions: the suite '{suite.name}' was begun with {known.most} in these "
            "results, and looks that were planned cannot be planned anew; leave it out, or take "
            "another results folder"
        )
    fresh = Monitoring.begun(suite, known.most if known else most or DEFAULT_MOST)
    if known is None:
        return fresh
    return replace(known, families={**fresh.families, **known.families})


def _after_a_look(
    suite: Suite, filters: Filters, session: Session, monitoring: Monitoring
) -> Monitoring:
    """Return how the families stand that are complete and that the filters leave."""
    store = session.store
    cells = states(suite.units, store)
    records = [(store.path(cell.cell), cell.record) for cell in cells if cell.record]
    values = values_of(records, {card.id: card for card in suite.backbones})
    report = suite.report
    rules = rules_of(values, report.correction, report.equivalence_margin, looks=suite.looks)
    tested = tests_of(suite, cells, values, predictions_of(records), rules)
    chosen = {key_of(unit) for unit in select(suite, filters)}
    looked = {key for key in chosen if _is_whole(key, cells)}
    return monitoring.after_a_look(looked, tested.comparisons, rules.margins)


def _is_whole(key: str, cells: list[CellState]) -> bool:
    return all(cell.state == "done" for cell in cells if key_of(cell.cell.unit) == key)
