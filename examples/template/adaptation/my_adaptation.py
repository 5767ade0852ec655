"""The adaptation `my-adaptation`, as it is registered: its options, its recipe, what it needs.

omnibench run my_adaptation.yaml && omnibench report my_adaptation.yaml

What it trains stands in `my_adaptation_layers.py`: torch is imported when a unit runs.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from omnibench import Adaptation, register_adaptation


class MyAdaptationOptions(BaseModel):
    """Options of `my-adaptation`, as a suite gives them: `{my-adaptation: {width: 32}}`.

    Attributes:
        width: of the hidden layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: Annotated[int, Field(gt=0)] = 16


register_adaptation(
    Adaptation(
        "my-adaptation",
        trains="a residual layer on the frozen embedding, and the task's head",
        varies="training seed",
        defaults={"epochs": 10, "lr": 1e-3},
        options=MyAdaptationOptions,
        needs="embed",  # or "module": the network itself, which `attach` then changes
        attach="my_adaptation_layers:attach",
    )
)
