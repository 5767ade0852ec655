"""The options of the adaptation of contrasts. No torch here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from .sets import ALL, LEAVE_ONE_OUT, normalised


def _tested(text: str) -> str:
    if not text.strip():
        raise ValueError(
            f"no set is tested; write {ALL}, {LEAVE_ONE_OUT} or sets as in T1w+T2w, PD"
        )
    return text if text in (ALL, LEAVE_ONE_OUT) else normalised(text)


def _text(sets: Any) -> Any:
    return ", ".join(map(str, sets)) if isinstance(sets, list) else sets


Sets = Annotated[str, BeforeValidator(_text), AfterValidator(normalised)]


class ContrastOptions(BaseModel):
    """Options of `contrast-tokens`.

    Sets of contrasts are written as in "T1w+T2w, PD", or as a list of names such as T1w+T2w.

    Attributes:
        tokenizer: what makes tokens of a patch: a projection of each contrast's own
            (`per-contrast`), one of all with a learned code of each (`shared`), or one that a small
            network changes for each contrast (`dynamic`). `zero-filled` is the rival with a fixed
            input: one token a place, of all contrasts as channels, absent ones filled with zeros.
        trained: the sets that training studies are shown by, one drawn of those that a study holds;
            "" for all that a study holds.
        then: the same in the second half of the epochs; "" for no second stage.
        subsets: the sets that test studies are predicted by: `all`, `leave-one-out`, or a list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokenizer: Literal["per-contrast", "shared", "dynamic", "zero-filled"] = "shared"
    trained: Sets = ""
    then: Sets = ""
    subsets: Annotated[str, BeforeValidator(_text), AfterValidator(_tested)] = ALL
