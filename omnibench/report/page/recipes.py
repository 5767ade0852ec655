"""The recipe of an adaptation in words, from the records that were made with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from omnibench.report.page.words import listed

# Fields in the order they are said; the others stand in the records.
PHRASES = {
    "input_size": "images of {} pixels",
    "limit": "the first {} images of each split",
    "epochs": "{} epochs",
    "batch": "batches of {}",
    "lr": "learning rate {}",
    "weight_decay": "weight decay {}",
    "k": "k = {}",
    "precision": "precision {}",
    "normalization": "normalised by {} statistics",
}
OWNERS = {"backbone": "each backbone's own", "imagenet": "ImageNet's"}


def recipe_words(records: Iterable[Mapping[str, Any]]) -> str:
    """Return the fields that matter most, with every value that occurs among the records."""
    recipes = [record["spec"]["recipe"] for record in records]
    return ", ".join(_phrases(recipes))


def _phrases(recipes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for field, phrase in PHRASES.items():
        values = [recipe[field] for recipe in recipes if recipe.get(field) is not None]
        texts = list(dict.fromkeys(map(_text, values)))
        if not texts:
            continue
        # A field that some records leave open is said of those that have it.
        some = " (where limited)" if field == "limit" and len(values) < len(recipes) else ""
        text = phrase.format(listed(texts, "or")) + some
        yield text.replace("1 epochs", "1 epoch") if texts == ["1"] else text


def choices(records: Iterable[Mapping[str, Any]]) -> str:
    """Return what was chosen on the validation images, and by what; "" where nothing was."""
    said = []
    for record in records:
        chosen = record["notes"].get("chosen")
        if not isinstance(chosen, Mapping):
            continue
        criteria = [name.removeprefix("val_") for name in chosen if name.startswith("val_")]
        what = [_chosen(n, record["spec"]["recipe"]) for n in chosen if not n.startswith("val_")]
        if what and criteria:
            by = listed(criteria).replace("_", " ")
            said.append(f"{listed(what)} chosen by {by} on the validation images")
    return "; ".join(dict.fromkeys(said))


def _chosen(name: str, recipe: Mapping[str, Any]) -> str:
    among = recipe.get(name)
    word = {"lr": "learning rate"}.get(name, name)
    if isinstance(among, list) and len(among) > 1:
        return f"{word} (of {len(among)} candidates)"
    return word


def _text(value: Any) -> str:
    if isinstance(value, list):
        return listed(map(_text, value), "or")
    if isinstance(value, str):
        return OWNERS.get(value, value)
    return f"{value:g}" if isinstance(value, float) else str(value)
