"""What a task is: its adaptations, its metric definitions, and how a unit of it is run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from omnibench import options as adaptation_options
from omnibench.recipe import Recipe
from omnibench.validation import validate

if TYPE_CHECKING:
    from omnibench.cards import BackboneCard
    from omnibench.cell import Unit
    from omnibench.context import Context

Predictions = Mapping[str, NDArray[Any]]
# What a backbone gives, as the methods of an Encoder are called.
Ability = Literal["embed", "maps", "tokens"]
TEXTS, VALUES = "test_text", "values:"


class NoOptions(BaseModel):
    """Of an adaptation that takes none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Adaptation:
    """What is trained on top of a backbone.

    Attributes:
        trains: what it trains, in words.
        varies: what differs between repetitions: "head seed", "training seed", or "nothing" for
            a deterministic adaptation, which has one cell only.
        recipes: recipe name -> every field's value.
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
    recipes: Mapping[str, Recipe]
    options: type[BaseModel] = NoOptions
    through_backbone: bool = False
    passes: float | None = None
    frozen_kind: Ability | None = None
    live_kind: Ability = "embed"
    decodings: tuple[str, ...] = ()
    loads: "BackboneCard | None" = None
    head_flops: "Callable[[BackboneCard, int], float] | None" = None
    changed_since_1: "Callable[[BackboneCard], bool] | None" = None

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
class Definition:
    """The exact formula of a group of metrics, computed from stored predictions.

    Attributes:
        compute: predictions -> metric name -> value; None where the metric is undefined.
        lower_is_better: the names among them that improve downwards.
        per_case: predictions -> metric name -> [N] whose mean is the metric; None if it is no mean.
        unit: what its values are in: "points" for fractions, printed x 100; else as they are.
    """

    id: str
    compute: Callable[[Predictions], Mapping[str, float | None]]
    lower_is_better: frozenset[str] = frozenset()
    per_case: Callable[[Predictions], Mapping[str, NDArray[Any]]] | None = None
    unit: str = "points"


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


class Task(Protocol):
    """How a backbone is judged on a dataset.

    Attributes:
        version: a part of every cell's identity, raised when what the task computes, or a default
            of a recipe or an option, gives other numbers.
        reported: the "definition/name" keys that get a table, primary first.
    """

    name: str
    version: int
    adaptations: Mapping[str, Adaptation]
    definitions: Mapping[str, Definition]
    reported: tuple[str, ...]

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition, as soon as it is known."""
        ...


def score(definitions: Mapping[str, Definition], predictions: Predictions) -> dict[str, Any]:
    """Return {"definition/name": value} of every definition; undefined metrics are None.

    Of generated texts every decoding has its own: "definition@b5-t64/name".
    """
    return {
        f"{definition.id}{suffix}/{name}": value
        for suffix, decoded in by_decoding(predictions).items()
        for definition in definitions.values()
        for name, value in definition.compute(decoded).items()
    }


def case_values(
    definitions: Mapping[str, Definition], predictions: Predictions
) -> dict[str, NDArray[Any]]:
    """Return {"values:definition/name": [N]} of the metrics that are means over cases."""
    return {
        f"{VALUES}{definition.id}{suffix}/{name}": values
        for suffix, decoded in by_decoding(predictions).items()
        for definition in definitions.values()
        if definition.per_case is not None
        for name, values in definition.per_case(decoded).items()
    }


def by_decoding(predictions: Predictions) -> dict[str, Predictions]:
    """What each decoding predicted, by its suffix "@b5-t64"; without decodings, {"": all}.

    The texts of a decoding are `test_text@b5-t64` in predictions and `test_text` in its part.
    """
    suffixes = [name.removeprefix(TEXTS) for name in predictions if name.startswith(f"{TEXTS}@")]
    if not suffixes:
        return {"": predictions}
    shared = {name: array for name, array in predictions.items() if "@" not in name}
    return {suffix: {**shared, TEXTS: predictions[f"{TEXTS}{suffix}"]} for suffix in suffixes}
