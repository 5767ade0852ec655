"""What a task is: its adaptations, its metrics, and how a unit of it is run. No torch here."""

import functools
import inspect
import numbers
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from omnibench import options as adaptation_options
from omnibench.catalogue import adaptations, metrics, tasks
from omnibench.errors import ExtensionError, OmnibenchError, RequestError
from omnibench.recipe import Recipe
from omnibench.validation import validate

if TYPE_CHECKING:
    from omnibench.adapt.trainable import Attach
    from omnibench.cards import BackboneCard, WeightsCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.findings import Finding
    from omnibench.training.trial import Trial

Predictions = Mapping[str, NDArray[Any]]
# What a backbone gives, as the methods of an Encoder are called.
Ability = Literal["embed", "maps", "tokens"]
# What an adaptation needs of a backbone: its frozen features, or the module itself.
Needs = Literal["embed", "maps", "tokens", "module"]
Direction = Literal["up", "down"]
TEXTS, VALUES = "test_text", "values:"
POINTS = "points"  # of fractions, which are printed x 100


class NoOptions(BaseModel):
    """Of an adaptation that takes none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Adaptation:
    """What is trained of a backbone or on top of it.

    A task has its own. One that is registered is offered to every task that takes what it needs.

    Attributes:
        trains: what it trains, in words.
        varies: what differs between repetitions: "head seed", "training seed", or "nothing" for
            a deterministic adaptation, which has one cell only.
        recipes: recipe name -> every field's value; {} of a registered one, which has those of
            each task that it is offered to.
        defaults: of a registered one: fields of the recipe `small` that are other than the task's.
        needs: what it needs of a backbone; None of a task's own, which is offered to no other.
        attach: (encoder, options) -> `omnibench.adapt.Trainable`, or "module:function" that is
            imported when it is called; None of a task's own that its task builds.
        through_backbone: whether gradients go through the backbone.
        decodings: how it generates texts where the suite does not say: "b5-t64" for 5 beams and at
            most 64 tokens; () where it generates none.
        loads: weights it needs besides the backbone's.
        head_flops: FLOPs of one forward of what it adds, for `plan`: (backbone, input size); None
            where they are next to nothing.
        passes: how many forward passes' worth of work a training image costs in an epoch; None for
            three where gradients go through the backbone, one else.
        frozen_kind: the frozen features it keeps; None where it keeps none.
        live_kind: what it takes of a backbone of which it keeps none.
        options: the model its options are validated against.
        changed_since_1: whether what it computes on a backbone is other than what records of schema
            1 hold, so that they are not taken over.
    """

    name: str
    trains: str
    varies: str
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    options: type[BaseModel] = NoOptions
    through_backbone: bool = False
    passes: float | None = None
    frozen_kind: Ability | None = None
    live_kind: Ability = "embed"
    decodings: tuple[str, ...] = ()
    loads: "WeightsCard | None" = None
    head_flops: "Callable[[BackboneCard, int], float] | None" = None
    changed_since_1: "Callable[[BackboneCard], bool] | None" = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs | None = None
    attach: "Attach | str | None" = None

    @property
    def takes(self) -> Ability:
        """What it takes of a backbone."""
        return self.frozen_kind or self.live_kind

    @property
    def deterministic(self) -> bool:
        """Whether every repetition would give the same numbers."""
        return self.varies == "nothing"

    def varying(self, recipe: Mapping[str, Any]) -> str:
        """Return what differs between repetitions under a recipe."""
        if recipe.get("init") != "per-repetition":
            return self.varies
        return "initial weights" if self.deterministic else f"initial weights and {self.varies}"

    def resolve_options(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return every option's value.

        Raises:
            RequestError: an unknown option or a value of the wrong type, by its path.
        """
        return validate(self.options, dict(given), f"{where}.{self.name}").model_dump(mode="json")

    def short(self, options: Mapping[str, Any]) -> str:
        """Return the form in paths and tables: `lora-r8-a16`; see `omnibench.options.short`."""
        return adaptation_options.short(self.name, self.options, options)

    def deciding(
        self,
        options: Mapping[str, Any],
        recipe_name: str,
        recipe: Mapping[str, Any],
        decodings: Sequence[str],
    ) -> dict[str, Any]:
        """Return what differs from the defaults, with the recipe's name: a part of the identity."""
        defaults = self.recipes[recipe_name].model_dump(mode="json")
        changed = {name: value for name, value in recipe.items() if value != defaults[name]}
        parts: dict[str, Any] = {"options": adaptation_options.differing(self.options, options)}
        if tuple(decodings) != self.decodings:
            parts["decodings"] = list(decodings)
        return {**parts, "recipe": {"name": recipe_name, **changed}}


@dataclass(frozen=True)
class Metric:
    """One number of a task's predictions, or several that share one pass over them.

    Attributes:
        id: "definition/name"; a name that ends in `*` stands for all that the data decide, such as
            "auc-*" of one for each label.
        compute: predictions -> the value, None where it is undefined; or a mapping of names to
            values, where metrics of one definition have the same function, which is called once.
        unit: what its values are in: POINTS for fractions, printed x 100; else as they are.
        direction: whether more is better ("up") or less ("down").
        per_case: predictions -> [N] whose mean is the metric, or a mapping as of `compute`; None
            if it is no mean.
        reported: whether it gets a table.
    """

    id: str
    compute: Callable[[Predictions], "float | Mapping[str, float | None] | None"]
    unit: str = POINTS
    direction: Direction = "up"
    per_case: "Callable[[Predictions], NDArray[Any] | Mapping[str, NDArray[Any]]] | None" = None
    reported: bool = True

    @property
    def definition(self) -> str:
        """Return the part of the id before the slash."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """Return the part of the id behind the slash."""
        return self.id.partition("/")[2]

    def covers(self, name: str) -> bool:
        """Return whether a name of its definition is this metric's."""
        return name.startswith(self.name[:-1]) if self.name.endswith("*") else name == self.name


def metrics_of_pass(
    definition: str,
    names: Sequence[str],
    compute: Callable[[Predictions], Mapping[str, float | None]],
    *,
    reported: Collection[str] = (),
    down: Collection[str] = (),
    **facts: Any,
) -> tuple[Metric, ...]:
    """Return the metrics of a definition whose values one function gives.

    Args:
        reported: the names that get a table.
        down: the names that improve downwards.
        facts: further attributes of each.
    """
    return tuple(
        Metric(
            f"{definition}/{name}",
            compute,
            direction="down" if name in down else "up",
            reported=name in reported,
            **facts,
        )
        for name in names
    )


@dataclass(frozen=True)
class Outcome:
    """What one repetition left behind.

    Attributes:
        metrics: "definition/name" -> fraction (or pixels); None where it is undefined.
        predictions: arrays that are stored beside the record; texts are arrays of objects.
        cost: phases in seconds, counts of parameters, FLOPs, images a second, as measured.
        digests: hashes of what was really loaded.
        notes: facts for the record, such as weight-key coverage or the chosen rate.
        files: what else is stored beside the record, by its ending ("overlay.png", "safetensors").
    """

    repetition: int
    metrics: Mapping[str, float | None]
    predictions: Mapping[str, NDArray[Any]]
    cost: Mapping[str, Any] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


class Task:
    """How a backbone is judged on a dataset: the base of every task.

    A task prepares trials, which `omnibench.training.trial.run_trained` trains, judges and
    records; or it overrides `run`.

    Attributes:
        version: a part of every cell's identity, raised when what the task computes, or a default
            of a recipe or an option, gives other numbers.
        metrics: its own, the primary first.
        own: its own adaptations, by name.
        offers: what it gives registered adaptations that need it: each joins its own.
        live_kind: what it takes of a backbone under an adaptation that needs its module.
        recipes: of the adaptations that are registered.
        pictures: "Title: what it shows" of each picture of a record, by its name: "overlay" for
            "overlay.png".
        makes_backbones: whether a cell leaves weights that are a backbone for others.
    """

    name: str
    version: int = 1
    metrics: tuple[Metric, ...] = ()
    own: ClassVar[Mapping[str, Adaptation]] = {}
    offers: ClassVar[frozenset[Needs]] = frozenset()
    live_kind: ClassVar[Ability] = "embed"
    recipes: ClassVar[Mapping[str, Recipe]] = {}
    pictures: ClassVar[Mapping[str, str]] = {}
    makes_backbones: bool = False

    def findings(self, data: Path) -> "Iterator[Finding]":
        """Yield what it uses of this machine and omnibench does not install, for `doctor`."""
        return iter(())

    @property
    def adaptations(self) -> Mapping[str, Adaptation]:
        """Return its own adaptations and those registered ones whose needs it meets."""
        return _adaptations(self, adaptations.version) if self.offers else self.own

    def offered(self, adaptation: Adaptation) -> Adaptation:
        """Return a registered adaptation with the recipes of this task.

        Raises:
            RequestError: a default is of no field of the recipe, or of the wrong type.
        """
        small = self.recipes["small"]
        where = f"adaptation {adaptation.name}: defaults"
        own = validate(type(small), {**small.model_dump(), **adaptation.defaults}, where)
        takes = adaptation.needs
        if takes is None or takes == "module":
            takes = self.live_kind
        return replace(adaptation, recipes={**self.recipes, "small": own}, live_kind=takes)

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Read a unit's data and make what its repetitions share.

        Returns:
            What makes the trial of a repetition. It is called once for each, in order; torch's
            global generator is seeded before, so that what is drawn there pairs across backbones.
        """
        raise NotImplementedError

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition, as soon as it is known."""
        from omnibench.training.trial import run_trained

        return run_trained(self.prepare(unit, context), unit, context)


@functools.lru_cache(maxsize=64)
def _adaptations(task: Task, version: int) -> Mapping[str, Adaptation]:
    """Return a task's adaptations, as long as what is registered is of one version."""
    registered = [adaptations.get(name) for name in adaptations]
    return {
        **{part.name: task.offered(part) for part in registered if part.needs in task.offers},
        **task.own,
    }


def metrics_of(task: str) -> tuple[Metric, ...]:
    """Return a task's metrics, its own first, then those registered for it.

    Raises:
        RequestError: there is no such task.
    """
    own = tasks.get(task).metrics
    return (*own, *(metrics.get(key) for key in metrics if key.partition(":")[0] == task))


def reported_of(task: str) -> tuple[str, ...]:
    """Return the ids of a task's metrics that get a table, the primary first."""
    return tuple(metric.id for metric in metrics_of(task) if metric.reported)


def makes_backbones(task: str) -> bool:
    """Return whether the cells of a task leave backbones; not of one that is not known."""
    return task in tasks and tasks.get(task).makes_backbones


def score(task: str, predictions: Predictions) -> dict[str, float | None]:
    """Return {"definition/name": value} of every metric of a task; undefined ones are None.

    Of generated texts every decoding has its own: "definition@b5-t64/name".

    Raises:
        ExtensionError: a metric raises, or gives no number; or one from outside no row of numbers.
    """
    known = metrics_of(task)
    registered = known[len(tasks.get(task).metrics) :]
    decodings = by_decoding(predictions)
    for decoded in decodings.values():
        # A task's own are looked at by its tests; these would fail in the report, too late.
        for metric, name, values in _computed(registered, "per_case", decoded):
            _row(metric, name, values)
    return {
        f"{metric.definition}{suffix}/{name}": _number(metric, name, value)
        for suffix, decoded in decodings.items()
        for metric, name, value in _computed(known, "compute", decoded)
    }


def case_values(task: str, predictions: Predictions) -> dict[str, NDArray[Any]]:
    """Return {"values:definition/name": [N]} of the metrics that are means over cases.

    Raises:
        ExtensionError: a metric raises, or gives no row of numbers.
    """
    return {
        f"{VALUES}{metric.definition}{suffix}/{name}": _row(metric, name, values)
        for suffix, decoded in by_decoding(predictions).items()
        for metric, name, values in _computed(metrics_of(task), "per_case", decoded)
    }


def values_per_case(
    task: str, definition: str, predictions: Predictions
) -> dict[str, NDArray[Any]]:
    """Return name -> [N] of those metrics of a definition that are means over cases."""
    own = [metric for metric in metrics_of(task) if metric.definition == definition]
    return {
        name: _row(metric, name, values)
        for metric, name, values in _computed(own, "per_case", predictions)
    }


def _computed(
    chosen: Sequence[Metric], function: Literal["compute", "per_case"], predictions: Predictions
) -> Iterator[tuple[Metric, str, Any]]:
    """Yield (metric, name, what its function gives), each function called once."""
    passes: dict[Any, Any] = {}
    for metric in chosen:
        compute = getattr(metric, function)
        if compute is None:
            continue
        if compute not in passes:
            try:
                passes[compute] = compute(predictions)
            except (OmnibenchError, MemoryError):
                raise
            except Exception as error:
                raise ExtensionError(
                    f"the metric {metric.id}: its `{function}` ({file_of(compute)}) raised "
                    f"{type(error).__name__}: {error}"
                ) from error
        values = passes[compute]
        if not isinstance(values, Mapping):
            yield metric, metric.name, values
            continue
        sharing = [other for other in chosen if getattr(other, function) is compute]
        for name, value in values.items():
            if metric.covers(name):
                yield metric, name, value
            elif not any(other.covers(name) for other in sharing):
                raise ExtensionError(
                    f"the metric {metric.id}: its `{function}` ({file_of(compute)}) gave '{name}', "
                    "which no metric of its pass is called; register one of that name"
                )


def _number(metric: Metric, name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, numbers.Real) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise ExtensionError(
        f"the metric {metric.definition}/{name}: its `compute` ({file_of(metric.compute)}) gave a "
        f"{type(value).__name__}, where a number or None is due"
    )


def _row(metric: Metric, name: str, values: Any) -> NDArray[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return values
    form = (
        f"shape {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
    )
    raise ExtensionError(
        f"the metric {metric.definition}/{name}: its `per_case` ({file_of(metric.per_case)}) gave "
        f"{form}, where an array [N] of one number a case is due"
    )


def file_of(thing: Any) -> str:
    """Return the file that a function, a class or an object's class is written in."""
    thing = inspect.unwrap(getattr(thing, "func", thing))
    if not (inspect.isfunction(thing) or inspect.isclass(thing) or inspect.ismethod(thing)):
        thing = type(thing)
    try:
        return inspect.getsourcefile(thing) or "no file"
    except (TypeError, OSError):
        return "no file"


def check_task(task: Task) -> None:
    """Refuse a task that lacks a member.

    Raises:
        RequestError: naming file and member.
    """
    where = f"the task '{getattr(task, 'name', None)}' ({file_of(task)})"
    if not isinstance(task, Task):
        raise RequestError(f"{where} is no omnibench.Task; derive its class from that")
    _require(where, "name", task.name if hasattr(task, "name") else None, str)
    _require(where, "version", task.version, int)
    _require(where, "metrics", task.metrics, tuple)
    for metric in task.metrics:
        check_metric(metric)
    kind = type(task)
    if kind.prepare is Task.prepare and kind.run is Task.run:
        raise RequestError(f"{where} has no `prepare`, nor a `run` of its own")
    if not task.own and not task.offers:
        raise RequestError(f"{where} has no adaptation: give it `own` ones, or what it `offers`")
    if task.offers and "small" not in task.recipes:
        raise RequestError(f"{where} has no recipe `small` in `recipes` for what it offers")
    if unknown := sorted(map(str, set(task.offers) - set(get_args(Needs)))):
        raise RequestError(
            f"{where}: `offers` has '{unknown[0]}', none of {', '.join(get_args(Needs))}"
        )
    for name, adaptation in task.own.items():
        _require(where, f"own['{name}']", adaptation, Adaptation)
        if not adaptation.recipes:
            raise RequestError(f"{where}: own['{name}'] has no `recipes`")


def check_adaptation(adaptation: Adaptation) -> None:
    """Refuse an adaptation that is registered and lacks a member.

    Raises:
        RequestError: naming file and member.
    """
    _require("an adaptation", "it", adaptation, Adaptation)
    attach = adaptation.attach
    source = "" if isinstance(attach, str) else f" ({file_of(attach)})"
    where = f"the adaptation '{adaptation.name}'{source if attach is not None else ''}"
    if not (callable(attach) or (isinstance(attach, str) and ":" in attach)):
        raise RequestError(f"{where} has no `attach`; give it a function (encoder, options)")
    if adaptation.needs is None:
        raise RequestError(f"{where} has no `needs`; name what of a backbone it works on")
    if adaptation.needs not in get_args(Needs):
        raise RequestError(
            f"{where}: `needs` is '{adaptation.needs}', none of {', '.join(get_args(Needs))}"
        )
    if adaptation.recipes:
        raise RequestError(
            f"{where} has `recipes`, which its tasks have; give `defaults` for what differs"
        )


def check_metric(metric: Metric) -> None:
    """Refuse a metric that lacks a member.

    Raises:
        RequestError: naming file and member.
    """
    _require("a metric", "it", metric, Metric)
    where = f"the metric '{metric.id}' ({file_of(metric.compute)})"
    if not metric.definition or not metric.name or "@" in metric.id or ":" in metric.id:
        raise RequestError(f"{where}: `id` is not of the form definition/name")
    for member in ("compute", "per_case"):
        function = getattr(metric, member)
        if not callable(function) and (member == "compute" or function is not None):
            raise RequestError(f"{where}: `{member}` is no function of predictions")
    if metric.direction not in ("up", "down"):
        raise RequestError(f"{where}: `direction` is '{metric.direction}', neither up nor down")


def _require(where: str, member: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise RequestError(f"{where}: `{member}` is {value!r:.60}, where a {kind.__name__} is due")


def by_decoding(predictions: Predictions) -> dict[str, Predictions]:
    """What each decoding predicted, by its suffix "@b5-t64"; without decodings, {"": all}.

    The texts of a decoding are `test_text@b5-t64` in predictions and `test_text` in its part.
    """
    suffixes = [name.removeprefix(TEXTS) for name in predictions if name.startswith(f"{TEXTS}@")]
    if not suffixes:
        return {"": predictions}
    shared = {name: array for name, array in predictions.items() if "@" not in name}
    return {suffix: {**shared, TEXTS: predictions[f"{TEXTS}{suffix}"]} for suffix in suffixes}
