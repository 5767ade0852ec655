"""What a task is: its adaptations, its metrics, and how a unit of it is run. No torch here."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from omnibench import options as adaptation_options
from omnibench.catalogue import adaptations, tasks
from omnibench.label_budget import WHOLE, Kind
from omnibench.recipe import DRAW, Recipe
from omnibench.samples import Beside, CaseAnswers
from omnibench.validation import validate
from omnibench.views import Kind as ViewKind
from omnibench.views import draws

if TYPE_CHECKING:
    from torch import Tensor

    from omnibench.adapt.trainable import Attach
    from omnibench.cards import BackboneCard, DatasetCard, WeightsCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.encoders.build import LoadedTrainable
    from omnibench.findings import Finding
    from omnibench.training.trained_network import Network
    from omnibench.training.trial import Trial

Predictions = Mapping[str, NDArray[Any]]
# What a backbone gives, as the methods of an Encoder are called.
Ability = Literal["embed", "embed_volumes", "maps", "tokens"]
# What an adaptation needs of a backbone: its frozen features, or the module itself.
Needs = Literal["embed", "embed_volumes", "maps", "tokens", "module"]
Direction = Literal["up", "down"]
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
        leaves_backbone: whether what it trains is a backbone as it is loaded, which others can be
            judged on.
        pool: of an adaptation of a task that makes backbones: how the embedding of the one that it
            makes summarises an image, as on a card.
        inflates: of such a one: the option by which it makes a backbone of volumes of one of
            images; None where there is none.
        decodings: how it generates texts where the suite does not say: "b5-t64" for 5 beams and at
            most 64 tokens; () where it generates none.
        loads: weights it needs besides the backbone's.
        head_flops: FLOPs of one forward of what it adds for one image, for `plan`; None where they
            are next to nothing.
        trained_parameters: how many a cell trains, roughly, for the disk that `plan` reckons with
            where it keeps them; None where they are next to nothing.
        passes: how many forward passes' worth of work a training image costs in an epoch; None for
            three where gradients go through the backbone, one else.
        further_work: whether it does more than passes, training and probes, whose time neither
            FLOPs nor numbers of images tell.
        frozen_kind: the frozen features it keeps; None where it keeps none.
        live_kind: what it takes of a backbone of which it keeps none.
        attends_to_members: whether it trains the attention over the members of a backbone of
            `how: attention`; of one that does not such a backbone is refused.
        options: the model its options are validated against.
        changed_since_1: whether what it computes on a backbone is other than what records of schema
            1 hold, so that they are not taken over.
        further_views: what stands behind an "@" in the names of arrays that it predicts of its own
            beside those of the test cases, of the same cases.
        refusals: unit -> a sentence for each reason why it will refuse it, as `Task.refusals`; None
            where it refuses none.
        variants: (option, value) -> what it is under that value, where that has another recipe,
            varies otherwise, or needs something else of a backbone.
    """

    name: str
    trains: str
    varies: str
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    options: type[BaseModel] = NoOptions
    through_backbone: bool = False
    leaves_backbone: bool = False
    pool: 'Literal["cls", "mean"]' = "cls"
    inflates: str | None = None
    passes: float | None = None
    further_work: bool = False
    frozen_kind: Ability | None = None
    live_kind: Ability = "embed"
    attends_to_members: bool = False
    decodings: tuple[str, ...] = ()
    loads: "WeightsCard | None" = None
    head_flops: "Callable[[Unit], float] | None" = None
    trained_parameters: "Callable[[Unit], float] | None" = None
    changed_since_1: "Callable[[BackboneCard], bool] | None" = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs | None = None
    attach: "Attach | str | None" = None
    further_views: tuple[str, ...] = ()
    refusals: "Callable[[Unit], Iterable[str]] | None" = None
    variants: "Mapping[tuple[str, Any], Adaptation]" = field(default_factory=dict)

    def under(self, options: Mapping[str, Any]) -> "Adaptation":
        """Return what it is under these options: itself, or one of its variants."""
        for (name, value), variant in self.variants.items():
            if options.get(name) == value:
                return variant
        return self

    @property
    def takes(self) -> Ability:
        """What it takes of a backbone."""
        return self.frozen_kind or self.live_kind

    @property
    def deterministic(self) -> bool:
        """Whether every repetition would give the same numbers."""
        return self.varies == "nothing"

    def varying(
        self, recipe: Mapping[str, Any], labels: str = WHOLE, mix: Mapping[str, Any] | None = None
    ) -> str:
        """Return what differs between repetitions under a recipe, a label budget and a mix."""
        parts = [
            "label subset" if labels != WHOLE else "",
            "images of low quality" if mix and draws(mix) else "",
            "initial weights" if recipe.get("init") == "per-repetition" else "",
            "" if self.deterministic else self.varies,
        ]
        return " and ".join(filter(None, parts)) or "nothing"

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
        if recipe["limit"] is not None:
            parts["draw"] = DRAW
        return {**parts, "recipe": {"name": recipe_name, **changed}}


class Chance(NamedTuple):
    """What a guess that looks at no image scores.

    Attributes:
        value: as of the metric.
        guess: the guess, in words: "the most frequent class".
        baselines: where this is the best of several answers that need no model, what each scores;
            each has a row of its own.
    """

    value: float
    guess: str
    baselines: Mapping[str, float] = {}


@dataclass(frozen=True)
class Metric:
    """One number of a task's predictions, or several that share one pass over them.

    Attributes:
        id: "definition/name"; a name that ends in `*` stands for all that the data decide, such as
            "auc-*" of one for each label.
        compute: predictions -> the value, None where it is undefined; or a mapping of names to
            values, where metrics of one definition have the same function, which is called once.
        unit: what its values are in: POINTS for fractions, printed x 100; else as they are.
        direction: whether more is better ("up") or less ("down"); None where neither is, as of a
            coefficient or a signed bias: it is printed, but ranks nothing and decides nothing.
        per_case: predictions -> [N] whose mean is the metric, or a mapping as of `compute`; None
            if it is no mean.
        reported: whether it gets a table.
        chance: predictions -> what a guess scores on the same test cases, of which only the truth
            is read, or a mapping as of `compute`; None where that is not known.
        weighted: whether `compute` takes the weights of test cases, `test_weight` [N], where there
            are some; of test sets of mixed quality no other metric is computed.
    """

    id: str
    compute: Callable[[Predictions], "float | Mapping[str, float | None] | None"]
    unit: str = POINTS
    direction: Direction | None = "up"
    per_case: "Callable[[Predictions], NDArray[Any] | Mapping[str, NDArray[Any]]] | None" = None
    reported: bool = True
    chance: "Callable[[Predictions], Chance | Mapping[str, Chance] | None] | None" = None
    weighted: bool = False

    @functools.cached_property
    def definition(self) -> str:
        """Return the part of the id before the slash."""
        return self.id.partition("/")[0]

    @functools.cached_property
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
    neither: Collection[str] = (),
    **facts: Any,
) -> tuple[Metric, ...]:
    """Return the metrics of a definition whose values one function gives.

    Args:
        reported: the names that get a table.
        down: the names that improve downwards.
        neither: the names of which no value is better than another.
        facts: further attributes of each.
    """
    return tuple(
        Metric(
            f"{definition}/{name}",
            compute,
            direction=None if name in neither else "down" if name in down else "up",
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
        budgets: the kinds of label budgets that it keeps to, as `omnibench.data.label_subset`
            draws them; a suite's `labels` of another kind is refused.
        views: on what else than the test images of its dataset a cell of it can be tested; a
            suite's `test_on` or `mix` of another kind is refused.
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
    budgets: ClassVar[frozenset[Kind]] = frozenset()
    views: ClassVar[frozenset[ViewKind]] = frozenset()

    def judged_on(self, dataset: "DatasetCard") -> bool:
        """Return whether a dataset has the targets that this task needs, as its card says."""
        return self.name in dataset.tasks

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield what looks wrong in a unit's records, for the report's head; in few words.

        Args:
            records: the done ones, at least one; cases: of each test, 0 where it has none.
        """
        return iter(())

    def case_answers(
        self, predictions: Predictions, dataset: "DatasetCard", beside: Beside
    ) -> CaseAnswers | None:
        """Return what one record's model answered for each test case; None shows no samples.

        Args:
            predictions: that the record stored.
            beside: reads what else it stored.
        """
        return None

    def findings(self, data: Path) -> "Iterator[Finding]":
        """Yield what it uses of this machine and omnibench does not install, for `doctor`."""
        return iter(())

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> "Iterator[str]":
        """Yield a sentence for each reason why this task will refuse a unit.

        `plan` asks for every unit, so that `run` computes nothing in vain: from the recipe, the
        options, the cards and `unit.images`, without torch. The dataset is named before it.

        Args:
            facts: what was seen of a local dataset (`omnibench.data.survey.Survey.facts`), such as
                the `untrained` classes; {} of another.
        """
        return iter(())

    def frozen_kind(self, unit: "Unit") -> Ability | None:
        """Return the frozen features that a unit keeps, for `plan`; None where it keeps none."""
        return self.adaptations[unit.adaptation].under(unit.options).frozen_kind

    @property
    def adaptations(self) -> Mapping[str, Adaptation]:
        """Return its own adaptations and those registered ones whose needs it meets."""
        return _adaptations(self, adaptations.version) if self.offers else self.own

    def recipes_of(self, adaptation: Adaptation) -> Mapping[str, Recipe]:
        """Return the recipes, one of them `small`, that a registered adaptation has here."""
        return self.recipes

    def offered(self, adaptation: Adaptation) -> Adaptation:
        """Return a registered adaptation with the recipes of this task.

        Raises:
            RequestError: a default is of no field of the recipe, or of the wrong type.
        """
        recipes = self.recipes_of(adaptation)
        small = recipes["small"]
        where = f"adaptation {adaptation.name}: defaults"
        own = validate(type(small), {**small.model_dump(), **adaptation.defaults}, where)
        takes = adaptation.needs
        if takes is None or takes == "module":
            takes = self.live_kind
        return replace(
            adaptation,
            recipes={**recipes, "small": own},
            live_kind=takes,
            variants={key: self.offered(each) for key, each in adaptation.variants.items()},
        )

    def keeps_weights(self, adaptation: Adaptation) -> bool:
        """Return whether a cell can keep what an adaptation trains, for `network` to load."""
        return False

    def network(
        self, record: Mapping[str, Any], loaded: "LoadedTrainable", state: "Mapping[str, Tensor]"
    ) -> "Network":
        """Make the network of a record that kept its weights, which the caller loads into it.

        Args:
            loaded: the record's backbone.
            state: the weights, by which shapes are known.
        """
        raise NotImplementedError

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


def makes_backbones(task: str) -> bool:
    """Return whether the cells of a task leave backbones; not of one that is not known."""
    return task in tasks and tasks.get(task).makes_backbones
