"""Classification: frozen features under a linear probe or nearest neighbours. No torch here."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from omnibench.catalogue import register_task
from omnibench.recipe import Recipe
from omnibench.task import Adaptation, Definition, Outcome

from .metrics import DEFINITIONS

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.context import Context

Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


class LinearRecipe(Recipe):
    """Fields of the linear probe.

    Attributes:
        epochs: passes over the training features.
        batch: features a step (all of them where there are fewer).
        lr: AdamW's rates; each repetition keeps the one best on validation macro-F1.
        weight_decay: AdamW's, decoupled.
    """

    epochs: Annotated[int, Field(gt=0)] = 40
    batch: Annotated[int, Field(gt=0)] = 128
    lr: Rates | Annotated[float, Field(gt=0)] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    weight_decay: Annotated[float, Field(ge=0)] = 0.01

    @property
    def rates(self) -> tuple[float, ...]:
        """The rates as a tuple, one or many."""
        return self.lr if isinstance(self.lr, tuple) else (self.lr,)


class KnnRecipe(Recipe):
    """Fields of the nearest-neighbour classifier.

    Attributes:
        k: numbers of neighbours to choose from on validation macro-F1.
        temperature: of the neighbours' weights exp(cosine / temperature).
    """

    k: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = (
        1,
        3,
        5,
        10,
        20,
        50,
        100,
        200,
    )
    temperature: Annotated[float, Field(gt=0)] = 0.07


class ClassificationTask:
    """A class, or several yes-or-no labels, for every image."""

    name = "classification"
    definitions: Mapping[str, Definition] = DEFINITIONS
    reported: tuple[str, ...] = (
        "omnirad-classification/macro-f1",
        "omnirad-classification/accuracy",
        "omnirad-classification/auc",
    )
    adaptations: Mapping[str, Adaptation] = {
        adaptation.name: adaptation
        for adaptation in (
            Adaptation(
                "linear",
                trains="a linear layer on frozen, standardised embeddings",
                varies="head seed",
                recipes={"small": LinearRecipe()},
            ),
            Adaptation(
                "knn",
                trains="nothing: cosine-weighted votes of the nearest training embeddings",
                varies="nothing",
                recipes={"small": KnnRecipe()},
            ),
        )
    }

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        from .runner import run

        return run(unit, context)


register_task(ClassificationTask())
