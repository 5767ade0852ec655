"""Dense targets: a number for every pixel, from a backbone's maps. No torch."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from omnibench.catalogue import register_task
from omnibench.errors import RequestError
from omnibench.samples import Beside, CaseAnswers
from omnibench.task import Adaptation, Predictions, Task
from omnibench.tasks.segmentation import adaptations_on_maps, is_decoded, under_decoder
from omnibench.tasks.segmentation.refusals import size_refusal

from .metrics import GAINS, METRICS
from .recipes import FULL as FULL_RECIPE
from .recipes import LINEAR, ON_MAPS, SMALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.encoders.build import LoadedTrainable
    from omnibench.recipe import Recipe
    from omnibench.training.trained_network import Network
    from omnibench.training.trial import Trial


def is_attached(adaptation: Adaptation) -> bool:
    """Return whether it is registered and brings a model of maps with a loss of its own."""
    return adaptation.needs == "maps"


class DenseTask(Task):
    """A number for every pixel."""

    name = "dense"
    metrics = METRICS
    views = frozenset({"corrupted images"})
    budgets = frozenset({"share"})
    own = adaptations_on_maps(
        decoder={"small": SMALL}, linear={"small": LINEAR}, full={"small": FULL_RECIPE}
    )
    offers = frozenset({"module", "maps"})
    live_kind = "maps"
    recipes = {"small": FULL_RECIPE}  # noqa: RUF012
    pictures = {  # noqa: RUF012
        "maps": "Maps: test images from the smallest to the largest error; from left to right the "
        "image and, of each number of a pixel, what is true, what was predicted, and the error, "
        "white at a quarter of the range"
    }

    def offered(self, adaptation: Adaptation) -> Adaptation:
        """Return a registered adaptation as it is here: a model of maps, or under the decoder."""
        own = super().offered(adaptation)
        return replace(own, frozen_kind="maps") if is_attached(own) else under_decoder(own)

    def recipes_of(self, adaptation: Adaptation) -> "Mapping[str, Recipe]":
        """Return the recipes of this task, or that of a model with a loss of its own."""
        return {"small": ON_MAPS} if is_attached(adaptation) else self.recipes

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield an input size that the decoder refuses, and a card that says nothing of maps."""
        adaptation = self.adaptations[unit.adaptation]
        decoded = is_decoded(adaptation) and not is_attached(adaptation)
        if decoded and (refusal := size_refusal(unit.recipe["input_size"])):
            yield refusal
        if unit.dataset.maps is None:
            yield (
                f"the card of {unit.dataset.id} does not say what its maps are in; give it "
                "`maps`, their unit and range"
            )

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield the baselines that the model does not beat in every repetition."""
        for name in GAINS:
            parts = [
                [record["metrics"].get(f"dense-gain/{name}{bound}") for record in records]
                for bound in ("", "-low", "-high")
            ]
            if all(low is not None and low > 0 for low in parts[1]):
                continue
            mean, low, high = (np.mean([math.nan if v is None else v for v in p]) for p in parts)
            bounds = "no interval" if np.isnan(low) else f"95 % interval {low:.3g} to {high:.3g}"
            yield (
                f"not shown to beat the baseline {name.removeprefix('over-')}, whose MAE is higher "
                f"by {mean:.3g} ({bounds})"
            )

    def case_answers(
        self, predictions: Predictions, dataset: "DatasetCard", beside: Beside
    ) -> CaseAnswers:
        """Return each test image's mean absolute error."""
        from .samples import case_answers

        return case_answers(predictions, dataset.maps.unit if dataset.maps else "")

    def keeps_weights(self, adaptation: Adaptation) -> bool:
        """Return that it does, but for a model of maps that is registered."""
        return not is_attached(adaptation)

    def network(
        self, record: Mapping[str, Any], loaded: "LoadedTrainable", state: "Mapping[str, Tensor]"
    ) -> "Network":
        """Make a record's backbone with its head on maps, in the unit of the truth.

        Raises:
            RequestError: what it learnt is added to its images.
        """
        from omnibench.tasks.segmentation.deployed import network

        adaptation = self.adaptations[record["spec"]["adaptation"]]
        if record["spec"]["recipe"].get("residual"):
            raise RequestError(
                f"{record['path']} learnt what is added to its images (`residual: true`), and no "
                "network adds it; export a cell that learnt its maps themselves"
            )
        fitted, maps = record["notes"]["training_pixels"], record["notes"]["maps"]
        channels = len(maps.get("channels") or ()) or 1
        words = f"maps [B, {channels}, S, S] in {maps['unit']}"
        return network(record, loaded, adaptation, state, words, fitted["std"], fitted["mean"])

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a model on kept maps, or of a backbone under a decoder."""
        from .trial import prepare

        return prepare(unit, context, self.adaptations[unit.adaptation])


register_task(DenseTask())
