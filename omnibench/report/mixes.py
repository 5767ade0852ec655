"""What shares of low quality in training and in testing do, dataset by dataset."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.cell import Unit, digest_of
from omnibench.report.results import Results
from omnibench.report.stored_units import Model
from omnibench.report.viewed import Finished, Shown, finished_units
from omnibench.stats.result import RefusedError
from omnibench.stats.shift import Grid, Measured, interaction
from omnibench.views import LOW, Corrupted, Mix, share_name

if TYPE_CHECKING:
    from omnibench.report.study import Study

Place = tuple[float, float]  # shares of low quality in training and in testing


@dataclass(frozen=True, eq=False)
class Matched:
    """Means of a grid where both shares are equal and where they are not, and their difference."""

    same: Measured
    other: Measured
    difference: Measured


@dataclass(frozen=True, eq=False)
class Lead:
    """A model's difference from the baseline at one share in testing.

    Attributes:
        low, high: trained on the lowest share of low quality, and on the highest.
        interaction: the first less the second.
    """

    test: float
    low: Measured
    high: Measured
    interaction: Measured


@dataclass(frozen=True, eq=False)
class Mixed:
    """One model trained on several shares.

    Attributes:
        cells: the metric.
        best: share in testing -> the share in training that is best there.
        matched: None where too few shares are both trained and tested on.
        leads: over the baseline; () of the baseline itself.
        reason: why nothing has an interval.
    """

    cells: Mapping[Place, Measured]
    best: Mapping[float, float]
    matched: Matched | None
    leads: Sequence[Lead] = ()
    reason: RefusedError | None = None


@dataclass(frozen=True, eq=False)
class MixedDataset:
    """The models of one dataset under the same way of low quality.

    Attributes:
        results: of the metric, which say its unit and direction.
        low: what images of low quality are, in words.
        copies: whether each test image is predicted in both qualities.
        train, test: the shares of low quality, ascending.
        models: backbone and adaptation, without the share in training.
    """

    results: Results
    dataset: str
    low: str
    copies: bool
    baseline: str | None
    train: Sequence[float]
    test: Sequence[float]
    models: Mapping[Model, Mixed]

    @property
    def falling(self) -> bool:
        """Return whether less is better."""
        return self.results.metric in self.results.lower_is_better


@dataclass(frozen=True, eq=False)
class _Read:
    grid: Grid
    reason: RefusedError | None


def mixed_datasets(study: "Study") -> Iterator[MixedDataset]:
    """Yield the primary metric of each dataset whose models were trained on mixes."""
    for results in study.primary.values():
        groups: dict[tuple[str, str], tuple[Mix, dict[Model, list[Finished]]]] = {}
        for finished in finished_units(study, results):
            unit = finished.unit
            if unit.mix is not None:
                place = (unit.dataset.id, digest_of(unit.mix.low.as_dict()))
                models = groups.setdefault(place, (unit.mix, {}))[1]
                models.setdefault((unit.backbone.id, _plain(unit, unit.mix)), []).append(finished)
        for (dataset, _), (mix, models) in groups.items():
            yield _dataset(study, results, dataset, mix, models)


def _plain(unit: Unit, mix: Mix) -> str:
    """Return a unit's adaptation without its share of low quality."""
    return unit.short.replace(mix.suffix, "", 1)


def _in_words(mix: Mix) -> str:
    if isinstance(mix.low, Corrupted):
        return f"{mix.low.corruption} at severity {mix.low.severity}"
    if mix.low.below is None:
        return "a score of quality below the median of the training images"
    return f"a score of quality below {mix.low.below:g}"


def _dataset(
    study: "Study",
    results: Results,
    dataset: str,
    mix: Mix,
    models: Mapping[Model, Sequence[Finished]],
) -> MixedDataset:
    falling = results.metric in results.lower_is_better
    read = {model: _read(study, results, units) for model, units in models.items()}
    shares = [place for own in read.values() for place in own.grid.cells]
    made = {}
    for model, own in read.items():
        rival = None if model[0] == study.baseline else read.get((study.baseline or "", model[1]))
        made[model] = _mixed(own, rival, falling)
    return MixedDataset(
        results,
        dataset,
        _in_words(mix),
        isinstance(mix.low, Corrupted),
        study.baseline if any(mixed.leads for mixed in made.values()) else None,
        sorted({train for train, _ in shares}),
        sorted({test for _, test in shares}),
        made,
    )


def _read(study: "Study", results: Results, units: Sequence[Finished]) -> _Read:
    """Return a model's grid; without influences where a cell of it has none."""
    score = (results.definition, results.metric)
    views = {
        f"{LOW}-q{share_name(share)}": share
        for finished in units
        for share in (finished.unit.mix.test if finished.unit.mix else ())
    }
    every = [finished.read(score, views, study.predictions, blocks=True) for finished in units]
    reason = next((viewed.reason for viewed in every if viewed.reason is not None), None)
    if len({tuple(sorted(finished.records)) for finished in units}) > 1:
        reason = RefusedError("its shares in training have different repetitions")
    if reason is not None:
        every = [finished.recorded(score, views, reason) for finished in units]
    cells = {
        (viewed.unit.mix.train, share): viewed.metrics[view]
        for viewed in every
        if viewed.unit.mix is not None
        for view, share in views.items()
    }
    return _Read(Grid(cells), reason)


def _mixed(own: _Read, rival: _Read | None, falling: bool) -> Mixed:
    shown = Shown(own.reason)
    grid = own.grid
    matched = grid.matched()
    return Mixed(
        cells={place: shown(metric) for place, metric in grid.cells.items()},
        best={test: best for test in grid.test if (best := grid.best(test, falling)) is not None},
        matched=None if matched is None else Matched(*map(shown, matched)),
        leads=() if rival is None else tuple(_leads(own, rival)),
        reason=own.reason,
    )


def _leads(own: _Read, rival: _Read) -> Iterator[Lead]:
    low, high = own.grid.train[0], own.grid.train[-1]
    if low == high:
        return
    reason = own.reason or rival.reason
    grids = own.grid, rival.grid
    if reason is None and len({cell.rows.shape[1] for g in grids for cell in g.cells.values()}) > 1:
        reason = RefusedError("it was not tested on the same patients as the baseline")
    if reason is not None:
        grids = own.grid.bare, rival.grid.bare
    for test in own.grid.test:
        if all((train, test) in grid.cells for grid in grids for train in (low, high)):
            numbers = interaction(*grids, test, low, high)
            yield Lead(test, *(_refused(number, reason) for number in numbers))


def _refused(number: Measured, reason: RefusedError | None) -> Measured:
    return number if reason is None else Measured(number.value, reason)
