"""What contrasts refuses, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Iterator

from omnibench.architecture.lookup import named_architecture
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.registry import did_you_mean
from omnibench.tasks.segmentation.refusals import size_refusal

from .sets import ALL, LEAVE_ONE_OUT, MOST_SETS, listed, subsets_of


def refusals(unit: Unit) -> Iterator[str]:
    """Yield what is wrong with a unit, as `Task.refusals` says."""
    contrasts, options = unit.dataset.views, unit.options
    if refusal := contrast_refusal(unit.dataset):
        yield refusal
        return
    lists = {name: options[name] for name in ("trained", "then")}
    if options["subsets"] in (ALL, LEAVE_ONE_OUT):
        if (count := len(subsets_of(options["subsets"], contrasts))) > MOST_SETS:
            yield (
                f"options.subsets: all sets of {len(contrasts)} contrasts are {count}, more than "
                f"{MOST_SETS}; write leave-one-out or list some"
            )
    else:
        lists["subsets"] = options["subsets"]
    for option, text in lists.items():
        for name in sorted({name for own in listed(text) for name in own} - set(contrasts)):
            yield (
                f"options.{option}: no study has the contrast '{name}'; it is one of "
                f"{', '.join(contrasts)}{did_you_mean(name, contrasts)}"
            )
    if options["then"] and unit.recipe["epochs"] < 2:
        yield "options.then trains in the second half of the epochs; give the recipe at least 2"
    if refusal := size_refusal(unit.recipe["input_size"]):
        yield refusal
    if refusal := backbone_refusal(unit.backbone):
        yield refusal


def contrast_refusal(card: DatasetCard) -> str:
    """Return the sentence that refuses a dataset without several contrasts, or ""."""
    if len(card.views) > 1:
        return ""
    return (
        "its studies have one contrast; name a dataset whose card has several `views`, such as "
        "mni152-contrasts"
    )


def backbone_refusal(card: BackboneCard) -> str:
    """Return the sentence that refuses what is no ViT by the name of its architecture, or ""."""
    architecture = named_architecture(card)
    return "" if architecture is None or architecture.kind == "vit" else no_plain_vit(card)


def no_plain_vit(card: BackboneCard) -> str:
    """Return the sentence that refuses a backbone without one sequence of patch tokens."""
    return (
        f"{card.id} is no plain vision transformer, whose patch tokens of several contrasts can "
        "stand in one sequence; take one such as random-vit-tiny"
    )
