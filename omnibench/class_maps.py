"""Which class of a trained dataset each class of another one is, as a suite maps them."""

from collections.abc import Mapping

from omnibench.cards import DatasetCard
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean


def check_classes(
    given: Mapping[str, str | None] | None, dataset: DatasetCard, other: DatasetCard, where: str
) -> None:
    """Refuse labels that are not the dataset's own, as they are or as a map has them.

    Raises:
        RequestError: naming the class.
    """
    several = [card.labels == "multi-label" for card in (dataset, other)]
    if several[0] != several[1]:
        raise RequestError(
            f"{where}: {dataset.id} has {dataset.labels} labels and {other.id} {other.labels} "
            "ones, which no map of classes brings together; test on another dataset"
        )
    if given is None:
        if set(dataset.classes) != set(other.classes):
            raise RequestError(
                f"{where}: {other.id} has the classes {_quoted(other)} and {dataset.id} "
                f"{_quoted(dataset)}; map each of the former to one of the latter, or to null"
            )
        return
    for theirs, ours in given.items():
        if theirs not in other.classes:
            near = did_you_mean(theirs, other.classes)
            raise RequestError(f"{where}: {other.id} has no class '{theirs}'{near}")
        if ours is not None and ours not in dataset.classes:
            near = did_you_mean(ours, dataset.classes)
            raise RequestError(f"{where}.{theirs}: {dataset.id} has no class '{ours}'{near}")
    for name in other.classes:
        if name not in given:
            raise RequestError(
                f"{where}: it says nothing of the class '{name}' of {other.id}; name a class of "
                f"{dataset.id} for it, or null to leave its images out"
            )
    mapped = set(given.values()) - {None}
    if not mapped or (several[0] and mapped != set(dataset.classes)):
        raise RequestError(
            f"{where}: it maps no class of {other.id} to "
            f"{'each label' if several[0] else 'any class'} of {dataset.id}; map one"
        )


def _quoted(card: DatasetCard) -> str:
    names = [f"'{name}'" for name in card.classes[:6]]
    return ", ".join(names) + (", ..." if len(card.classes) > 6 else "")
