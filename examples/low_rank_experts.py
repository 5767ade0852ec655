"""An adaptation from outside: a mixture of low-rank experts on a backbone's MLP layers.

    omnibench run SUITE --plugin low_rank_experts.py
    # adaptations: [{low-rank-experts: {experts: 4, r: 2}}]

A frozen layer's output gets the sum of its experts' updates, each weighted by a soft router that
looks at the layer's input. It needs the module itself: every task that trains through a backbone
offers that. The layers stand in `low_rank_layers.py`: torch is imported when a unit runs.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from omnibench import Adaptation, register_adaptation


class ExpertOptions(BaseModel):
    """Options of `low-rank-experts`.

    Attributes:
        experts: how many share a layer.
        r: rank of each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experts: Annotated[int, Field(gt=0)] = 4
    r: Annotated[int, Field(gt=0)] = 2


register_adaptation(
    Adaptation(
        "low-rank-experts",
        trains="low-rank experts and their routers on the backbone's MLP layers, and a head",
        varies="training seed",
        defaults={"lr": 1e-3},
        options=ExpertOptions,
        needs="module",
        attach="low_rank_layers:attach",
        through_backbone=True,
    )
)
