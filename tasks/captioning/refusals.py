"""What captioning refuses, a sentence each, for `plan` and for what computes. No torch."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from omnibench.cell import Unit

POSITIONS = 1024  # of a language model that is built here


def refusals(unit: Unit, own: bool) -> Iterator[str]:
    """Yield what is wrong with a unit, as `Task.refusals` says.

    Args:
        own: whether its language model is built here, not loaded.
    """
    positions = POSITIONS if own else None
    if "path" in unit.options:
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            text = (Path(unit.options["path"]) / "config.json").read_text(encoding="utf-8")
            positions = int(json.loads(text).get("max_position_embeddings"))
    if positions and (refusal := length_refusal(unit, positions)):
        yield refusal


def length_refusal(unit: Unit, positions: int) -> str:
    """Return the sentence that refuses more tokens than a language model has positions, or ""."""
    recipe = unit.recipe
    longest = max(recipe["visual_tokens"], recipe["max_tokens"], *_lengths(unit.decodings))
    if longest <= positions:
        return ""
    return (
        f"{unit.adaptation} has {positions} positions and {longest} are asked for; lower "
        "recipe.max_tokens, recipe.visual_tokens or the decodings"
    )


def parse(decoding: str) -> tuple[int, int]:
    """Beams and the most new tokens of "b5-t64"."""
    beams, tokens = decoding.split("-")
    return int(beams[1:]), int(tokens[1:])


def _lengths(decodings: Sequence[str]) -> list[int]:
    return [parse(decoding)[1] + 1 for decoding in decodings]
