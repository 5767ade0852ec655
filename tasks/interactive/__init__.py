"""Interactive segmentation: how many simulated clicks outline an object. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import register_task
from omnibench.label_budget import WHOLE
from omnibench.registry import import_attribute
from omnibench.task import Adaptation, Outcome, Task
from omnibench.tasks.segmentation import OnFrozenMaps
from omnibench.tasks.segmentation.refusals import size_refusal, untrained_class

from .metrics import METRICS
from .options import ClickOptions
from .recipes import SMALL, TRAINED
from .refusals import prompt_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibench.cards import BackboneCard, DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.training.trial import Trial

FLOPS_A_PIXEL = 13_000  # of `clicks`, as counted at 224 px on efficientnet-lite0


def _serves(card: "BackboneCard") -> str:
    """Refuse no backbone."""
    return ""


@dataclass(frozen=True)
class ClickedAt(Adaptation):
    """A method that is clicked at: it varies with where clicks miss, and has a view a rule.

    Attributes:
        methods: "module:function", an `untrained.MethodsOf`; "" of one that is trained.
        refused: the sentence that refuses a backbone; "" for one that serves.
    """

    methods: str = ""
    refused: "Callable[[BackboneCard], str]" = _serves

    def under(self, options: Mapping[str, Any]) -> "ClickedAt":
        """Return what it is under these options."""
        against = options.get("against", "none")
        varies = [] if self.deterministic else [self.varies]
        varies += ["jitter of clicks"] if options.get("jitter") else []
        return replace(
            self,
            varies=" and ".join(varies) or self.varies,
            further_views=() if against == "none" else (str(against),),
        )


@dataclass(frozen=True)
class TrainedOnMaps(ClickedAt, OnFrozenMaps):
    """A method that is clicked at once it was trained on the kept maps of a frozen backbone."""


def click_flops(unit: "Unit") -> float:
    """Return the FLOPs of a forward of what `clicks` trains, after each click of a training."""
    return float(FLOPS_A_PIXEL * unit.recipe["input_size"] ** 2 * unit.recipe["train_clicks"])


class InteractiveTask(Task):
    """An object of an image, outlined by clicks on what is wrong of its mask."""

    name = "interactive"
    metrics = METRICS
    own = {  # noqa: RUF012
        "clicks-knn": ClickedAt(
            "clicks-knn",
            trains="nothing: pixels are like the nearest clicks by the cosine of frozen features",
            varies="nothing",
            recipes={"small": SMALL},
            options=ClickOptions,
            further_work=True,
            frozen_kind="maps",
            methods="omnibench.tasks.interactive.knn:methods",
        ),
        "clicks": TrainedOnMaps(
            "clicks",
            trains="a convolutional prior and a U-shaped decoder on the frozen backbone's maps, "
            "the clicks and the mask before them",
            varies="training seed",
            recipes={"small": TRAINED},
            options=ClickOptions,
            further_work=True,
            frozen_kind="maps",
            head_flops=click_flops,
            head="omnibench.tasks.interactive.click_head:ClickHead",
        ),
        "prompt": ClickedAt(
            "prompt",
            trains="nothing: the backbone is a promptable model, and is clicked at as it is",
            varies="nothing",
            recipes={"small": SMALL},
            options=ClickOptions,
            methods="omnibench.tasks.interactive.prompt:methods",
            refused=prompt_refusal,
        ),
    }
    budgets = frozenset({"share"})
    pictures = {  # noqa: RUF012
        "clicks": "Click sheet: test objects with their true outline (yellow) and the mask (blue) "
        "after 1, 3, 5 and 10 clicks, on the object (green +) and beside it (red -)"
    }

    def judged_on(self, dataset: "DatasetCard") -> bool:
        """Return whether a dataset has masks: whatever serves segmentation does."""
        return super().judged_on(dataset) or "segmentation" in dataset.tasks

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what `run` would refuse.

        That is an input size that the decoder refuses, a label budget of what is not trained, and a
        class that no training mask shows, as a dataset of masks is read as a whole.
        """
        adaptation = self.adaptations[unit.adaptation]
        if isinstance(adaptation, ClickedAt) and (refusal := adaptation.refused(unit.backbone)):
            yield refusal
        if isinstance(adaptation, OnFrozenMaps):
            if refusal := size_refusal(unit.recipe["input_size"]):
                yield refusal
        elif unit.labels != WHOLE:
            yield (
                f"{unit.adaptation} trains nothing, so that a label budget of {unit.labels} "
                "changes nothing; leave it out of the block with `labels`"
            )
        for name in facts.get("untrained_masks", ())[:1]:
            yield untrained_class(name, unit.recipe["limit"])

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        adaptation = self.adaptations[unit.adaptation]
        if not (isinstance(adaptation, ClickedAt) and adaptation.methods):
            return super().run(unit, context)
        from .untrained import run

        return run(unit, context, import_attribute(adaptation.methods))

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of `clicks`."""
        from .trial import prepare

        return prepare(unit, context, self.adaptations[unit.adaptation])


register_task(InteractiveTask())
