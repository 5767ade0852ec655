"""A suite file: YAML to a validated suite, and the suite to its units."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from omnibench.audit.shipped import shipped_studies
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import backbones, load_plugin
from omnibench.cell import Unit
from omnibench.errors import RequestError
from omnibench.files import expanded
from omnibench.matrix import Entry, count_cells, entry_units, select
from omnibench.prevalence import refuse_prevalence
from omnibench.refusals import refusals
from omnibench.registry import did_you_mean
from omnibench.sources import Sources
from omnibench.subgrouping import Subgrouping, each_once, subgrouping
from omnibench.suite_backbones import SuiteBackbones
from omnibench.validation import validate
from omnibench.yaml_file import read_yaml


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        raise ValueError(f"the first threshold, {ends[0]}, is not below the last, {ends[1]}")
    return ends


def _layout(name: Any) -> Any:
    known = get_args(Layout)
    if name is not None and name not in known:
        near = did_you_mean(str(name), known)
        raise ValueError(f"'{name}' is none of {', '.join(known)}{near}")
    return name


Layout = Literal["per-metric", "per-task", "per-dataset"]
Threshold = Annotated[float, Field(gt=0, lt=1)]
Thresholds = Annotated[tuple[Threshold, Threshold], AfterValidator(_rising)]

Subgroupings = Annotated[
    list[Annotated[Subgrouping, BeforeValidator(subgrouping)]], AfterValidator(each_once)
]


class TargetSection(_Model):
    """What counts as reached on a curve over label budgets.

    Attributes:
        share: of the way from chance to the reference's score with the most labels.
        of: whose score: the baseline's, or each model's own.
    """

    share: Annotated[float, Field(gt=0, le=1)] = 0.95
    of: Literal["baseline", "own"] = "baseline"


class ReportSection(_Model):
    """How the suite's report compares.

    Attributes:
        baseline: id of the backbone all others are tested against; None for no tests.
        correction: of the p of one table: "holm" bounds the chance of any false difference,
            "benjamini-hochberg" the share of false ones among those found.
        equivalence_margin: in points of the primary metric.
        published: studies whose published numbers stand beside one's own.
        subgroups: columns of the data by whose levels or bands models are compared.
        decision_curves: first and last threshold of the net benefit that is drawn of tasks with two
            classes; None for no such figure.
        target: up to which labels are counted, where models are trained on several label budgets.
        prevalence: dataset of two classes -> share of the second at which predictive values of
            operating points are shown; {} for no such table.
        layout: of the printed tables: one a metric with a column a dataset; one a dataset with a
            column a metric; one a task, the datasets below each other. None for one a dataset.
        thumbnails: pixels of the images on the pages of test cases; 0 shows none.
    """

    baseline: str | None = None
    correction: Literal["holm", "benjamini-hochberg"] = "holm"
    equivalence_margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    published: list[str] = Field(default_factory=list)
    subgroups: Subgroupings = Field(default_factory=list)
    decision_curves: Thresholds | None = None
    target: TargetSection = TargetSection()
    prevalence: dict[str, Threshold] = Field(default_factory=dict)
    layout: Annotated[Layout | None, BeforeValidator(_layout)] = None
    thumbnails: Annotated[int, Field(ge=0, le=512)] = 96


class SuiteFile(_Model):
    """The file as written.

    Attributes:
        name: of the suite, its report's folder and tables.
        seed: of everything that is drawn at random, with the repetition's number.
        repetitions: of each unit, where its block says nothing else.
        plugins: files that register what the suite names, relative to it.
        backbones: ids, globs of ids, cards, what the suite itself makes (`{pretrain: ...}`,
            `{trained: ...}`), or others fused (`{fuse: ...}`).
        matrix: blocks of units; a suite without one only pretrains.
        report: how its report compares.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0)] = 0
    repetitions: Annotated[int, Field(ge=1)] = 1
    plugins: list[str] = Field(default_factory=list)
    backbones: Annotated[list[str | dict[str, Any]], Field(min_length=1)]
    matrix: list[Entry] = Field(default_factory=list)
    report: ReportSection = ReportSection()


# A shipped suite's name, a file's path, or what a file holds.
SuiteSource = str | Path | Mapping[str, Any]

# Of one suite: two and a half times what `plan` and `status` are measured at (`bench.py speed
# scale`). Beyond it they take more than seconds, and a results folder more than a million files.
MOST_CELLS = 250_000

# Stems of what lies beside a suite's own tables in its report's folder.
REPORT_FILES = (
    "report",
    "headlines",
    "references",
    "latent",
    "calibration",
    "subgroups",
    "convergence",
)


@dataclass(frozen=True)
class Suite:
    """A suite whose every name is resolved.

    Attributes:
        looks: (task, dataset, adaptation) -> the numbers of repetitions at which these may be
            looked at, where they are given in rounds until they are decided.
        monitored: of the same, how far that is, in words.
    """

    name: str
    report: ReportSection
    backbones: tuple[BackboneCard, ...]
    units: tuple[Unit, ...]
    plugins: tuple[Path, ...] = ()
    looks: Mapping[tuple[str, str, str], tuple[int, ...]] = field(default_factory=dict)
    monitored: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    @property
    def datasets(self) -> dict[str, DatasetCard]:
        """The datasets of the matrix by id, in its order."""
        return {unit.dataset.id: unit.dataset for unit in self.units}


def shipped() -> dict[str, Path]:
    """The suites that come with omnibench, by name."""
    folder = Path(str(resources.files("omnibench.suites")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find(name: str | Path) -> Path:
    """Return the path of a shipped suite or of a suite file.

    Raises:
        RequestError: neither exists.
    """
    known = shipped()
    if str(name) in known:
        return known[str(name)]
    with contextlib.suppress(OSError):  # a name too long for a file
        path = expanded(str(name))
        if path.is_file():
            return path.resolve()
    raise RequestError(f"unknown suite '{name}'{did_you_mean(str(name), known)} and no such file")


def load(suite: SuiteSource, sources: Sources, extra_backbones: tuple[str, ...] = ()) -> Suite:
    """Read, validate and resolve a suite.

    Args:
        suite: a name, a file, or what a file holds, whose paths are the working directory's.
        sources: tells the source digests and what is absent here.
        extra_backbones: registered ids that join every block unless they are the suite's own
            (`--backbones`, or of a plug-in).

    Raises:
        RequestError: the file is not YAML, a field is wrong or unknown (by its path, with near
            matches), a name is unknown, or the matrix is empty or too large.
    """
    if isinstance(suite, Mapping):
        name, folder, content = "the suite", Path.cwd(), dict(suite)
    else:
        path = find(suite)
        name, folder, content = path.name, path.parent, read_yaml(path)
    try:
        return _resolve(validate(SuiteFile, content), folder, sources, extra_backbones)
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from None


def _resolve(file: SuiteFile, base: Path, sources: Sources, extra: tuple[str, ...]) -> Suite:
    plugins = tuple(base.absolute() / expanded(name) for name in file.plugins)
    for index, plugin in enumerate(plugins):
        try:
            load_plugin(plugin)
        except RequestError as error:
            raise RequestError(f"plugins[{index}]: {error}") from None
    if file.name.lower() in REPORT_FILES:
        raise RequestError(f"name: '{file.name}' is what the report calls a file; take another")
    named = SuiteBackbones(base, file.seed, sources)
    for index, request in enumerate(file.backbones):
        named.add(request, f"backbones[{index}]")
    cards = named.cards
    units = {name: _refused(unit, sources) for name, unit in named.makers.items()}
    makers = {unit.cells[0].digest: unit for unit in units.values()}
    extra = tuple(
        name for name in extra if name not in cards
    )  # its blocks say what takes the others
    cards |= {name: sources.completed(backbones.get(name)) for name in extra}
    for study in file.report.published:
        if study not in shipped_studies():
            raise RequestError(
                f"report.published: no tables of '{study}' come with omnibench; known: "
                f"{', '.join(shipped_studies())}{did_you_mean(study, shipped_studies())}"
            )
    baseline = file.report.baseline
    if baseline is not None and baseline not in cards:
        raise RequestError(
            f"report.baseline: '{baseline}' is not among the suite's backbones"
            f"{did_you_mean(baseline, cards)}"
        )
    count = sum(
        count_cells(
            entry,
            file.repetitions,
            select(cards, entry.backbones, f"matrix[{index}].backbones", extra),
        )
        for index, entry in enumerate(file.matrix)
    )
    if count > MOST_CELLS:
        raise RequestError(
            f"the matrix has {count:,} cells, more than the {MOST_CELLS:,} that one suite may "
            "have; make several suites of it"
        )
    origins: dict[str, DatasetCard] = {}
    for index, entry in enumerate(file.matrix):
        where = f"matrix[{index}]"
        for unit in entry_units(
            entry, file.seed, file.repetitions, cards, base, sources, where, extra
        ):
            made = dict.fromkeys(member.backbone.source_name for member in unit.members)
            if after := tuple(makers[digest] for digest in made if digest in makers):
                unit = replace(unit, after=after)
            unit = _refused(unit, sources)
            other = origins.setdefault(unit.dataset.id, unit.dataset)
            if other != unit.dataset:
                raise RequestError(
                    f"{where}.datasets: {unit.dataset.path} and {other.path} would both be called "
                    f"'{unit.dataset.id}'; rename one file"
                )
            if units.setdefault(unit.name, unit) != unit:
                raise RequestError(
                    f"{where}: {unit.name} stands twice with different recipes or `keep`"
                )
    if not units:
        raise RequestError("matrix: it is empty; name a task, datasets and adaptations")
    refuse_prevalence(file.report.prevalence, origins)
    return Suite(file.name, file.report, tuple(cards.values()), tuple(units.values()), plugins)


def _refused(unit: Unit, sources: Sources) -> Unit:
    """Return a unit that needs what it would be refused for, before anything is computed."""
    refused = refusals(unit, sources)
    return replace(unit, needs=refused) if refused else unit
