"""Contrasts: a class for every pixel of a study, from any subset of its contrasts. No torch."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import register_task
from omnibench.samples import Beside, CaseAnswers
from omnibench.task import Adaptation, Predictions, Task
from omnibench.tasks.segmentation.width import decoder_flops

from .metrics import METRICS
from .options import ContrastOptions
from .recipes import SMALL
from .refusals import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.training.trial import Trial


class ContrastsTask(Task):
    """A class for every pixel of a study, whichever of its contrasts there are."""

    name = "contrasts"
    metrics = METRICS
    budgets = frozenset({"share"})
    own = {  # noqa: RUF012
        "contrast-tokens": Adaptation(
            "contrast-tokens",
            trains="the backbone over the patches of all contrasts of a study, their tokenizer, "
            "and a decoder",
            varies="training seed",
            recipes={"small": SMALL},
            options=ContrastOptions,
            attach="omnibench.adapt.full:whole",
            through_backbone=True,
            live_kind="maps",
            head_flops=decoder_flops,
        )
    }
    pictures = {  # noqa: RUF012
        "overlay": "Overlay sheet: the first contrast of test studies with the outline that was "
        "predicted from all of them laid over the reference: green correct, blue over-predicted, "
        "red missed"
    }

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with a unit, as far as that is known before it is computed."""
        return refusals(unit)

    def case_answers(
        self, predictions: Predictions, dataset: "DatasetCard", beside: Beside
    ) -> CaseAnswers:
        """Return each test study's Dice and, where masks are stored, what paints them."""
        from omnibench.tasks.segmentation.samples import case_answers

        return case_answers(predictions, beside("masks.npz"))

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a training over several contrasts."""
        from .trial import prepare

        return prepare(unit, context, self.adaptations[unit.adaptation])


register_task(ContrastsTask())
