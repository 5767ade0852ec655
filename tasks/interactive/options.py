"""The options of interactive segmentation's adaptations. No torch here."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Simulated = Literal["edt", "component-centre"]


class ClickOptions(BaseModel):
    """Options of every adaptation that is clicked at.

    Attributes:
        clicks: how many are made on an object that is not outlined exactly before.
        start: what is known before the first click: nothing, or the object's bounding box.
        simulate: the rule by which clicks are made.
        jitter: by how many pixels in each direction a click may miss, drawn anew in each
            repetition; 0 is deterministic.
        against: another rule, under which every object is outlined again: a view `@RULE` of the
            predictions, by which it is seen how much a method hangs on the rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clicks: Annotated[int, Field(ge=1, le=100)] = 20
    start: Literal["none", "box"] = "none"
    simulate: Simulated = "edt"
    jitter: Annotated[int, Field(ge=0, le=50)] = 0
    against: Literal["none", "edt", "component-centre"] = "none"

    @model_validator(mode="after")
    def _check(self) -> "ClickOptions":
        if self.against == self.simulate:
            raise ValueError(
                f"`against: {self.against}` is the rule that is simulated; give the other one"
            )
        return self

    @property
    def further(self) -> tuple[Simulated, ...]:
        """Return the rules under which objects are outlined again."""
        return () if self.against == "none" else (self.against,)
