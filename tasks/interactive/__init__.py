"""Interactive segmentation: how many simulated clicks outline an object. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import register_task
from omnibench.task import Adaptation, Outcome, Task
from omnibench.tasks.segmentation.refusals import untrained_class

from .metrics import METRICS
from .options import ClickOptions
from .recipes import SMALL

if TYPE_CHECKING:
    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context


@dataclass(frozen=True)
class ClickedAt(Adaptation):
    """A method that is clicked at: it varies with where clicks miss, and has a view a rule."""

    def under(self, options: Mapping[str, Any]) -> "ClickedAt":
        """Return what it is under these options."""
        against = options.get("against", "none")
        return replace(
            self,
            varies="jitter of clicks" if options.get("jitter") else self.varies,
            further_views=() if against == "none" else (str(against),),
        )


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
            frozen_kind="maps",
        )
    }
    pictures = {  # noqa: RUF012
        "clicks": "Click sheet: test objects with their true outline (yellow) and the mask (blue) "
        "after 1, 3, 5 and 10 clicks, on the object (green +) and beside it (red -)"
    }

    def judged_on(self, dataset: "DatasetCard") -> bool:
        """Return whether a dataset has masks: whatever serves segmentation does."""
        return super().judged_on(dataset) or "segmentation" in dataset.tasks

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield a class that no training mask shows, as a dataset of masks is read as a whole."""
        for name in facts.get("untrained_masks", ())[:1]:
            yield untrained_class(name, unit.recipe["limit"])

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        from .runner import run

        return run(unit, context)


register_task(InteractiveTask())
