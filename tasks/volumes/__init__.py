"""Volumes: a class, or several findings, for every study of many slices and views. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import register_task
from omnibench.registry import import_attribute
from omnibench.samples import Beside, CaseAnswers
from omnibench.task import Ability, Adaptation, Outcome, Predictions, Task
from omnibench.tasks.classification import Probe

from .flops import cross_flops, transformer_flops
from .metrics import METRICS
from .options import AnyMC3DOptions, AttentionOptions, MultiPlaneOptions
from .recipes import PROBE, VolumeRecipe
from .refusals import of_anymc3d, of_multi_plane, refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.training.trial import Trial

STATISTICS = {
    "mean": "a linear layer on the mean of each study's frozen slice embeddings",
    "max": "a linear layer on the largest value of each dimension over a study's slices",
    "median": "a linear layer on the median of each dimension over a study's slices",
}


@dataclass(frozen=True)
class Fused(Adaptation):
    """An adaptation that is trained in steps and fuses slices in a way of its own.

    Attributes:
        fusion: "module:function", a `fusion.FusionOf`.
        trial: "module:class" of a `trial.VolumeTrial`.
        refuses: yields what is wrong with a unit of it alone, as `Task.refusals` does.
    """

    fusion: str = "omnibench.tasks.volumes.fusion:attention"
    trial: str = "omnibench.tasks.volumes.trial:VolumeTrial"
    refuses: "Callable[[Unit, Mapping[str, Any]], Iterator[str]] | None" = None


class VolumesTask(Task):
    """A class, or several yes-or-no findings, for every study.

    Slices are embedded by themselves, once for all adaptations on frozen features; what is
    registered is trained below attention over the slices.
    """

    name = "volumes"
    metrics = METRICS
    budgets = frozenset({"share", "per class"})
    own = {  # noqa: RUF012
        **{
            name: Probe(
                name,
                trains=trains,
                varies="head seed",
                recipes={"small": PROBE},
                frozen_kind="embed",
                attends_to_members=True,
                fit=f"omnibench.tasks.volumes.statistics:fit_{name}",
            )
            for name, trains in STATISTICS.items()
        },
        "attention": Probe(
            "attention",
            trains="attention over frozen slice embeddings, and a linear layer",
            varies="head seed",
            recipes={"small": PROBE},
            frozen_kind="embed",
            fit="omnibench.tasks.volumes.attention:fit_attention",
        ),
        "whole-volume": Probe(
            "whole-volume",
            trains="a linear layer on the frozen embeddings of whole volumes",
            varies="head seed",
            recipes={"small": PROBE},
            frozen_kind="embed_volumes",
            fit="omnibench.tasks.volumes.statistics:fit_studies",
        ),
        "transformer": Fused(
            "transformer",
            trains="a transformer over frozen slice embeddings, and a linear layer",
            varies="training seed",
            recipes={"small": VolumeRecipe()},
            options=AttentionOptions,
            frozen_kind="embed",
            fusion="omnibench.tasks.volumes.fusion:transformer",
            head_flops=transformer_flops,
        ),
        "multi-plane": Fused(
            "multi-plane",
            trains="cross-attention of the views' frozen slice embeddings, and a linear layer",
            varies="training seed",
            recipes={"small": VolumeRecipe()},
            options=MultiPlaneOptions,
            frozen_kind="embed",
            fusion="omnibench.tasks.volumes.multi_plane:multi_plane",
            head_flops=cross_flops,
            refuses=of_multi_plane,
        ),
        "anymc3d": Fused(
            "anymc3d",
            trains="low-rank updates of patch embedding and attention, pooling over slices, and a "
            "linear layer",
            varies="training seed",
            recipes={"small": VolumeRecipe()},
            options=AnyMC3DOptions,
            attach="omnibench.tasks.volumes.anymc3d:attach",
            through_backbone=True,
            fusion="omnibench.tasks.volumes.anymc3d:fusion",
            trial="omnibench.tasks.volumes.anymc3d:AnyMC3DTrial",
            refuses=of_anymc3d,
        ),
    }
    offers = frozenset({"embed", "module"})
    recipes = {"small": VolumeRecipe()}  # noqa: RUF012
    pictures = {  # noqa: RUF012
        "heatmap": "Heat map: of the test studies that the model is surest of, the slice of the "
        "largest weight, the same in red where the class token attends to it, times that weight "
        "(left out where the backbone shows no attention), and the weights of all slices"
    }

    def frozen_kind(self, unit: "Unit") -> Ability | None:
        """Return the frozen features that a unit keeps: embeddings but under a trained backbone."""
        adaptation = self.adaptations[unit.adaptation].under(unit.options)
        return adaptation.frozen_kind or (None if adaptation.through_backbone else "embed")

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with a unit, as far as that is known before it is computed."""
        yield from refusals(unit, facts)
        adaptation = self.adaptations[unit.adaptation]
        if isinstance(adaptation, Fused) and adaptation.refuses is not None:
            yield from adaptation.refuses(unit, facts)

    def case_answers(
        self, predictions: Predictions, dataset: "DatasetCard", beside: Beside
    ) -> CaseAnswers:
        """Return each test study's classes with the probabilities that a model gave them."""
        from omnibench.tasks.classification.samples import case_answers

        return case_answers(predictions, dataset.classes)

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of what is trained in steps."""
        from .trial import prepare

        adaptation = self.adaptations[unit.adaptation].under(unit.options)
        parts = adaptation if isinstance(adaptation, Fused) else Fused
        fusion, trial = import_attribute(parts.fusion), import_attribute(parts.trial)
        return prepare(unit, context, adaptation, fusion, trial)

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        adaptation = self.adaptations[unit.adaptation]
        if not isinstance(adaptation, Probe):
            return super().run(unit, context)
        from omnibench.tasks.classification.embeddings import embeddings
        from omnibench.tasks.classification.probes import run

        from .whole import whole_volumes

        embed = whole_volumes if adaptation.frozen_kind == "embed_volumes" else embeddings
        return run(unit, context, import_attribute(adaptation.fit), embed)


register_task(VolumesTask())
