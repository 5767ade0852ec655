"""What only a model's author can confirm: how its features are taken and its images prepared."""

from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders.pooling import POOLS
from omnibench.encoders.subject import Subject, load_subject


def questions(card: BackboneCard, context: Context) -> dict[str, str]:
    """Return what is asked and how it is done here.

    Raises:
        OmnibenchError: the backbone cannot be loaded.
    """
    subject = load_subject(card, context)
    loaded = subject.loaded
    return {
        "layer": _layer(subject),
        "pooling": _pooling(subject),
        "mean": f"{_numbers(loaded.mean)}, of images scaled to 0..1",
        "std": _numbers(loaded.std),
        "input size": f"{subject.recipe['input_size']} px square, RGB (grey is repeated)",
        "weights": loaded.digest or "not told: the encoder is no module",
        "coverage": str(loaded.coverage or "no weights file: the builder's or a random draw"),
        "verified by": card.verified_by or "nobody",
    }


def _layer(subject: Subject) -> str:
    card = subject.card
    if card.patch is None:
        return f"the last map, D = {card.width or 'not told'}"
    blocks = f", {card.depth} blocks" if card.depth else ""
    return (
        f"tokens after the final norm{blocks}, D = {card.width}, patch {card.patch}, "
        f"{card.prefix_tokens or 0} prefix tokens"
    )


def _pooling(subject: Subject) -> str:
    if subject.card.pool is None:
        return "the encoder's own"
    after = ", before the final norm and standardised" * subject.card.norm_after_pool
    return POOLS[subject.card.pool] + after


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
