"""Quantitative MRI: the parameters of a signal's model in each voxel, by a network or by a fit.

No torch here. There is no image, and so no backbone: the row of every answer is `pixels`, the floor
that looks at values as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import register_task
from omnibench.data.ivim.protocol import PARAMETERS
from omnibench.exporters.opset import packages_refusal
from omnibench.task import Adaptation, Outcome, Task

from .metrics import METRICS
from .options import FitOptions, NetworkOptions
from .recipes import NETWORK, SMALL

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.context import Context

BACKBONE = "pixels"
WIDTH = 10  # b-values that `plan` reckons with: their number stands on no card


def network_flops(unit: "Unit") -> float:
    """Return the FLOPs of all starts for one voxel."""
    layers = 3 * WIDTH**2 + WIDTH * len(PARAMETERS)
    return float(unit.recipe["starts"] * 2 * layers)


class QmriTask(Task):
    """The parameters of each voxel, from its signals."""

    name = "qmri"
    metrics = METRICS
    own = {  # noqa: RUF012
        "mlp": Adaptation(
            "mlp",
            trains="a network of three hidden layers on the signals of a voxel",
            varies="training seed",
            recipes={"small": NETWORK},
            options=NetworkOptions,
            head_flops=network_flops,
        ),
        "fit": Adaptation(
            "fit",
            trains="nothing: the parameters of maximum likelihood, voxel by voxel",
            varies="nothing",
            recipes={"small": SMALL},
            options=FitOptions,
        ),
    }

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield a backbone that has nothing to look at, and packages that a runtime lacks."""
        if unit.backbone.id != BACKBONE:
            yield (
                f"voxels have signals and no images, so that {unit.backbone.id} has nothing to "
                f"look at; write `backbones: [{BACKBONE}]`, the floor that takes values as they are"
            )
        if unit.options.get("runtime") == "onnx" and (refusal := packages_refusal()):
            yield refusal

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield parameters that vary less than those without bias can, and a graph off torch."""
        for record in records:
            if record["metrics"].get("onnx-parity/passed") == 0:
                yield f"the exported graph is {record['notes']['graph']['verdict']}"
        for name in PARAMETERS:
            values = [record["metrics"].get(f"cramer-rao/below-{name}") for record in records]
            known = [value for value in values if value is not None]
            if known and (share := sum(known) / len(known)) > 0.5:
                yield (
                    f"estimates of {name} are biased: at {share:.0%} of the true parameters they "
                    "vary less than the Cram\N{LATIN SMALL LETTER E WITH ACUTE}r-Rao bound"
                )

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        from .runner import run_fit, run_mlp

        return {"mlp": run_mlp, "fit": run_fit}[unit.adaptation](unit, context)


register_task(QmriTask())
