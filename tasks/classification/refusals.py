"""What classification refuses, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnibench.architecture.layers import may_have_branches, may_have_layers
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.label_budget import WHOLE


def refusals(unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a unit, as `Task.refusals` says."""
    images, recipe, card = unit.images.get("train"), unit.recipe, unit.dataset
    several = card.labels == "multi-label"
    whole = unit.labels == WHOLE
    if whole and images is not None and (ks := recipe.get("k")) and images < min(ks):
        yield too_few_neighbours(ks, images)
    for choices in (recipe.get("k"), recipe.get("lr"), recipe.get("C")):
        if recipe.get("selection") == "last" and isinstance(choices, list) and len(choices) > 1:
            yield nothing_to_choose_by(len(choices))
    if sentence := class_weights_refusal(recipe.get("class_weights", "none"), several):
        yield sentence
    if recipe.get("label_smoothing") and several:
        yield SMOOTHING_OF_CLASSES
    yield from _of_network(unit)
    if recipe.get("train_labels") == "noisy" and not card.noisy_labels:
        yield NO_NOISY_STUDIES if card.images_per_study else NO_NOISY_LABELS
    select = recipe.get("select", "macro-f1")
    if select != "macro-f1" and "val" in facts.get("undefined", ()):
        yield no_validation_auc(select)
    if select == "retfound-score" and several:
        yield SCORE_OF_CLASSES
    limit, untrained = recipe["limit"], facts.get("untrained", ())
    if limit is not None and not several and limit < len(card.classes):
        yield too_small_limit(limit, len(card.classes))
    elif untrained:
        yield untrained_class(untrained[0], limit)


def _of_network(unit: Unit) -> Iterator[str]:
    """Yield fields by which a network is trained that is known to have nothing for them."""
    adaptation = tasks.get(unit.task).adaptations[unit.adaptation].under(unit.options)
    backbone, decay = unit.backbone, unit.recipe.get("layer_decay")
    if decay is not None and adaptation.through_backbone and not may_have_layers(backbone):
        yield f"recipe.layer_decay: nothing says which layers {backbone.id} has; leave it out"
    if unit.recipe.get("drop_path") and not may_have_branches(backbone):
        yield f"recipe.drop_path: {backbone.id} has no branches to drop; set it to 0"


NO_NOISY_LABELS = (
    "recipe.train_labels: 'noisy' asks for labels beside the clean ones, and the dataset has none; "
    "save it as an npz file with train_labels_noisy and val_labels_noisy, or leave 'noisy' out"
)
NO_NOISY_STUDIES = (
    "recipe.train_labels: 'noisy' asks for labels beside the clean ones, which no dataset of "
    "studies has; leave 'noisy' out"
)

SMOOTHING_OF_CLASSES = (
    "recipe.label_smoothing: it is of one class an image, and the dataset has several labels; "
    "leave it out"
)

SCORE_OF_CLASSES = (
    "recipe.select: 'retfound-score' is of one class an image, and the dataset has several labels; "
    "use 'auc'"
)


def no_validation_auc(select: str) -> str:
    """Return the sentence that refuses a choice of epochs by an AUC that is undefined."""
    return (
        f"recipe.select: '{select}' is undefined on the validation images, which show a class on "
        "none or on all of them; use 'macro-f1', or add some"
    )


def class_weights_refusal(kind: str, several: bool) -> str:
    """Return the sentence that refuses class weights of the other sort of labels; "" for none."""
    sort = "multi-label" if several else "single-label"
    defined = ("none", "prevalence") if several else ("none", "sqrt-inverse")
    if kind in defined:
        return ""
    return (
        f"recipe.class_weights: for {sort} datasets '{kind}' is not defined; use "
        f"'{defined[1]}' or 'none'"
    )


def too_few_neighbours(ks: Sequence[int], images: int) -> str:
    """Return the sentence that refuses numbers of neighbours beyond the training images."""
    return f"recipe.k: the smallest k is {min(ks)}, the training split has {images} images"


def too_small_limit(limit: int, classes: int) -> str:
    """Return the sentence that refuses a limit at which a class is left without an image."""
    return f"recipe.limit {limit} leaves fewer training cases than the {classes} classes; raise it"


def untrained_class(name: str, limit: int | None) -> str:
    """Return the sentence that refuses a class that no training case shows."""
    way_out = (
        "add some, or take the class out of every split"
        if limit is None
        else f"raise the recipe's limit of {limit}, or add some"
    )
    return f"no training case shows the class '{name}'; {way_out}"


def nothing_to_choose_by(candidates: int) -> str:
    """Return the sentence that refuses a choice of several which no validation image makes."""
    return (
        f"recipe.selection: 'last' chooses by no validation image, and the recipe has {candidates} "
        "values of lr, k or C to choose from; give one"
    )
