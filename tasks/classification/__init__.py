"""Classification: probes on frozen features, and trained heads, LoRA and backbones. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import register_task
from omnibench.registry import import_attribute
from omnibench.samples import Beside, CaseAnswers
from omnibench.task import Ability, Adaptation, Outcome, Predictions, Task

from .metrics import METRICS
from .options import EvidentialOptions, LinearOptions
from .recipes import (
    MEDMNIST,
    OMNIRAD,
    OMNIRAD_RELEASED,
    RETFOUND,
    KnnRecipe,
    LinearRecipe,
    LogisticRecipe,
    TrainedRecipe,
)
from .refusals import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.encoders.build import LoadedTrainable
    from omnibench.training.trained_network import Network
    from omnibench.training.trial import Trial

# Of a recipe under which a frozen backbone makes of an image the same each time.
STILL = {
    "flip": 0,
    "rotation": 0,
    "crop_scale": 1,
    "randaugment": None,
    "erasing": 0,
    "mixup": 0,
    "drop_path": 0,
}


@dataclass(frozen=True)
class Probe(Adaptation):
    """An adaptation on frozen embeddings, whose repetitions are fitted in one pass.

    Attributes:
        fit: "module:function" of (unit, features, cases, context) that yields a
            `probes.Fit` for each repetition.
        keeps_head: whether its fits have a `head`, which a cell can keep.
    """

    fit: str = ""
    keeps_head: bool = False


LOGISTIC = Probe(
    "linear",
    trains="a linear layer on frozen, standardised embeddings to the optimum of its penalised loss",
    varies="nothing",
    recipes={"small": LogisticRecipe()},
    options=LinearOptions,
    frozen_kind="embed",
    fit="omnibench.tasks.classification.logistic_probe:fit_logistic",
    keeps_head=True,
)


class ClassificationTask(Task):
    """A class, or several yes-or-no labels, for every image."""

    name = "classification"
    metrics = METRICS
    views = frozenset({"corrupted images", "moved images", "another dataset", "a mix"})
    budgets = frozenset({"share", "per class"})
    own = {  # noqa: RUF012
        adaptation.name: adaptation
        for adaptation in (
            Probe(
                "linear",
                trains="a linear layer on frozen, standardised embeddings",
                varies="head seed",
                recipes={"small": LinearRecipe()},
                options=LinearOptions,
                frozen_kind="embed",
                attends_to_members=True,
                fit="omnibench.tasks.classification.probes:fit_linear",
                keeps_head=True,
                variants={("solver", "lbfgs"): LOGISTIC},
            ),
            Probe(
                "evidential",
                trains="a linear layer on frozen, standardised embeddings that gives evidence",
                varies="head seed",
                recipes={"small": LinearRecipe()},
                options=EvidentialOptions,
                frozen_kind="embed",
                attends_to_members=True,
                fit="omnibench.tasks.classification.evidential:fit_evidential",
            ),
            Probe(
                "knn",
                trains="nothing: cosine-weighted votes of the nearest training embeddings",
                varies="nothing",
                recipes={"small": KnnRecipe()},
                frozen_kind="embed",
                fit="omnibench.tasks.classification.probes:fit_knn",
            ),
        )
    }
    offers = frozenset({"embed", "module"})
    recipes = {  # noqa: RUF012
        "small": TrainedRecipe(),
        "omnirad": OMNIRAD,
        "omnirad-released": OMNIRAD_RELEASED,
        "medmnist": MEDMNIST,
        "retfound": RETFOUND,
    }

    def frozen_kind(self, unit: "Unit") -> Ability | None:
        """Return the frozen features that a unit keeps: embeddings where nothing changes them."""
        adaptation = self.adaptations[unit.adaptation].under(unit.options)
        still = all(unit.recipe.get(name) == value for name, value in STILL.items())
        return "embed" if still and not adaptation.through_backbone else adaptation.frozen_kind

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with a unit, as far as that is known before it is computed."""
        return refusals(unit, facts)

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield whether a probe that was chosen has not reached its optimum."""
        solved = [r["notes"] for r in records if "lbfgs" in r["notes"]]
        short = sum(notes["chosen"]["C"] in notes["lbfgs"]["not_converged"] for notes in solved)
        if short:
            yield (
                f"L-BFGS has not converged at the chosen C in {short} of {len(solved)} repetitions"
            )

    def case_answers(
        self, predictions: Predictions, dataset: "DatasetCard", beside: Beside
    ) -> CaseAnswers:
        """Return each test case's classes with the probabilities that a model gave them."""
        from .samples import case_answers

        return case_answers(predictions, dataset.classes)

    def keeps_weights(self, adaptation: Adaptation) -> bool:
        """Return whether it is a linear layer, or trained in steps."""
        return not isinstance(adaptation, Probe) or adaptation.keeps_head

    def network(
        self, record: Mapping[str, Any], loaded: "LoadedTrainable", state: "Mapping[str, Tensor]"
    ) -> "Network":
        """Make a record's backbone with what was attached to it, and a linear layer."""
        from .deployed import network

        spec = record["spec"]
        adaptation = self.adaptations[spec["adaptation"]].under(spec["options"])
        return network(spec, loaded, adaptation, state)

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a trained head, LoRA or backbone."""
        from .finetune import prepare

        adaptation = self.adaptations[unit.adaptation].under(unit.options)
        return prepare(unit, context, adaptation)

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        adaptation = self.adaptations[unit.adaptation].under(unit.options)
        if not isinstance(adaptation, Probe):
            return super().run(unit, context)
        from .probes import run

        return run(unit, context, import_attribute(adaptation.fit))


register_task(ClassificationTask())
