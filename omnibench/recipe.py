"""Recipes: the named sets of training fields, and how a suite's overrides are laid over them."""

import functools
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from omnibench.errors import RequestError
from omnibench.registry import did_you_mean
from omnibench.validation import validate
from omnibench.window import Window

if TYPE_CHECKING:
    from omnibench.cards import BackboneCard

# Fields every task understands; an adaptation that has no use for one (epochs of a kNN) leaves
# it out of its cells' identity, so one recipe can be given to a whole matrix.
COMMON_FIELDS = (
    "epochs",
    "batch",
    "lr",
    "weight_decay",
    "input_size",
    "normalization",
    "precision",
    "limit",
    "init",
    "evaluate",
    "selection",
    "budget",
    "pool",
    "window",
)

# Of the draw that `limit` makes, in the identity of what it limits: raised when other images come.
DRAW = 2

Precision = Literal["auto", "fp32", "bf16", "fp16"]

# By which validation images a rate, a number of neighbours or an epoch is chosen: all of them, as
# many as the label budget leaves of the training images, or none, so that the last epoch counts.
Selection = Literal["full-val", "matched-val", "last"]
# What stays under a label budget: passes over the images that are left, or steps of the optimiser.
StepBudget = Literal["epochs", "steps"]


class Recipe(BaseModel):
    """Fields of every recipe: how images reach the backbone.

    Attributes:
        input_size: side of the square the images are resized to, in pixels.
        normalization: the backbone's own mean and std, or ImageNet's for all.
        precision: of the frozen backbone's weights and activations; `auto` is what the machine
            that computes does well, the same for every backbone, and stays `auto` in the identity.
        limit: images a split, for trials, drawn as `omnibench.data.subset` says; None for all.
        init: of a backbone with random weights: one draw for all repetitions (`fixed`), or each
            repetition's own (`per-repetition`); other backbones have no use for it.
        pool: what an embedding is: as the backbone's card says, its class token, the mean of its
            patch tokens, or the two side by side.
        window: what a dataset's stored values are seen through, as `omnibench.window` says;
            None for what the dataset declares.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input_size: int = Field(default=224, gt=0)
    normalization: Literal["backbone", "imagenet"] = "backbone"
    precision: Precision = "auto"
    limit: int | None = Field(default=None, gt=0)
    init: Literal["fixed", "per-repetition"] = "fixed"
    pool: Literal["card", "cls", "mean", "cls+mean"] = "card"
    window: Window | None = None


CARD = "card"  # of a recipe's `pool`: as the backbone's card says


def pooled_as(card: "BackboneCard", recipe: Mapping[str, Any]) -> "BackboneCard":
    """Return a backbone's card with the pooling that a recipe asks for."""
    pool = recipe.get("pool", CARD)
    return card if pool == CARD else card.model_copy(update={"pool": pool})


@functools.cache
def native_precision(device: str) -> Literal["fp32", "bf16"]:
    """Return bf16 where a device multiplies it natively, else fp32; told without importing torch.

    An NVIDIA GPU is taken for one that does (Ampere and later), and so is a CPU with AVX512-BF16 or
    AMX-BF16; for an older GPU the recipe must say `precision: fp32`.
    """
    if device.startswith("cuda"):
        return "bf16"
    if device == "cpu" and platform.system() == "Linux":
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if "avx512_bf16" in flags or "amx_bf16" in flags:
            return "bf16"
    return "fp32"


def resolve_recipe(
    request: str | Mapping[str, Any], recipes: Mapping[str, Recipe], where: str
) -> tuple[str, dict[str, Any]]:
    """Return the name a recipe is based on, and its every field, overrides applied.

    Args:
        request: a recipe's name, or overrides with an optional `base:` name (`small`).
        recipes: the adaptation's recipes by name.
        where: path of the recipe in the suite file, for messages.

    Raises:
        RequestError: unknown recipe or field (with near matches), or a value of the wrong type.
    """
    overrides = {} if isinstance(request, str) else dict(request)
    base = request if isinstance(request, str) else overrides.pop("base", "small")
    if not isinstance(base, str) or base not in recipes:
        raise RequestError(
            f"{where}: unknown recipe '{base}' (there are: {', '.join(recipes)})"
            f"{did_you_mean(str(base), recipes)}"
        )
    model = recipes[base]
    fields = type(model).model_fields
    for name in overrides:
        if name not in fields and name not in COMMON_FIELDS:
            raise RequestError(
                f"{where}.{name}: unknown field{did_you_mean(name, {*fields, *COMMON_FIELDS})}"
            )
    used = {name: value for name, value in overrides.items() if name in fields}
    resolved = validate(type(model), {**model.model_dump(), **used}, where)
    return base, resolved.model_dump(mode="json")


def without_budget(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe for all labels, where what it says of a budget is what is done anyway."""
    neutral = {"budget": "epochs"}
    if recipe.get("selection") == "matched-val":
        neutral["selection"] = "full-val"
    return {name: neutral.get(name, value) for name, value in recipe.items()}
