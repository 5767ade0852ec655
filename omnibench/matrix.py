"""A suite's matrix: each of its blocks to units, one for every point but the repetitions."""

import contextlib
import fnmatch
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from omnibench.axes import Setting, settings
from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.data.sources import resolve as resolve_dataset
from omnibench.errors import RequestError
from omnibench.label_budget import WHOLE, LabelBudget, each_once, normal
from omnibench.options import located
from omnibench.recipe import resolve_recipe, without_budget
from omnibench.registry import did_you_mean
from omnibench.sources import Sources
from omnibench.task import Adaptation, Task
from omnibench.view_requests import CLEAN, MixRequest, TestOn, refused, views_of
from omnibench.views import External, Mix, draws

# Beams and the largest number of new tokens.
Decoding = Annotated[str, StringConstraints(pattern=r"^b[1-9]\d*-t[1-9]\d*$")]
Budgets = Annotated[
    list[Annotated[str, BeforeValidator(normal)]], Field(min_length=1), AfterValidator(each_once)
]

KEEPS_NO_FUSION = (
    "backbone {}: it joins frozen embeddings, and no network can be made of weights on them; leave "
    "it to a block without `keep`"
)


class Entry(BaseModel):
    """One block of the matrix: every dataset with every backbone, adaptation and label budget.

    Attributes:
        task: its name.
        datasets: names, or `READER:PATH` with a path from the suite file on.
        adaptations: names, or `{name: {option: value}}`.
        backbones: ids or globs among the suite's backbones; None for all of them.
        recipe: a recipe's name, or overrides with an optional `base:`; a list where a field takes
            one value is an axis: a unit of each.
        decodings: how texts are generated ("b5-t64"); None for the adaptation's own list.
        repetitions: of this block; None for the suite's.
        labels: label budgets: shares of the training images ("10%") or images of each class
            ("4/class").
        test_on: what else each cell is tested on: corrupted test images, other datasets.
        mix: shares of low quality among the images of training and test; None for no mix.
        keep: `weights` stores what each cell trains beside its record, for `export`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    datasets: Annotated[list[str], Field(min_length=1)]
    adaptations: Annotated[list[str | dict[str, dict[str, Any] | None]], Field(min_length=1)]
    backbones: Annotated[list[str], Field(min_length=1)] | None = None
    recipe: str | dict[str, Any] = "small"
    decodings: Annotated[list[Decoding], Field(min_length=1)] | None = None
    repetitions: Annotated[int, Field(ge=1)] | None = None
    labels: Budgets = [WHOLE]
    test_on: Annotated[list[TestOn], Field(min_length=1)] = [CLEAN]
    mix: MixRequest | None = None
    keep: Literal["weights"] | None = None


def count_cells(entry: Entry, repetitions: int, selected: list[BackboneCard]) -> int:
    """How many cells a block has, told from the lengths of its lists; makes none of them."""
    if entry.task not in tasks:
        return 0  # refused by its path later
    adaptations = tasks.get(entry.task).adaptations
    redrawn = isinstance(entry.recipe, dict) and entry.recipe.get("init") == "per-repetition"
    drawn = sum(card.has_random_weights for card in selected) if redrawn else 0
    each = 0  # cells of one dataset
    mixes = _mixes(entry)
    for request, labels, mix in itertools.product(entry.adaptations, entry.labels, mixes):
        name = request if isinstance(request, str) else next(iter(request), "")
        known = adaptations.get(name)
        if known is not None and isinstance(request, dict):
            known = known.under(request[name] or {})
        once = known is not None and known.deterministic and labels == WHOLE
        once = once and not (mix and draws(mix.as_dict()))
        repeated = drawn if once else len(selected)
        cells = repeated * (entry.repetitions or repetitions) + len(selected) - repeated
        each += cells * (1 if known is None else _combinations(entry, known))
    return len(entry.datasets) * each


def entry_units(
    entry: Entry,
    seed: int,
    repetitions: int,
    cards: dict[str, BackboneCard],
    base: Path,
    sources: Sources,
    where: str,
    extra: tuple[str, ...],
) -> Iterator[Unit]:
    """Yield the units of a block, by dataset, backbone, adaptation, label budget and quality.

    Args:
        seed, repetitions: of the suite, which the block's own come before.
        cards: the suite's backbones by id.
        base: the folder that paths are relative to.
        where: the block's own path in the file, for messages.
        extra: ids of backbones that every block takes.

    Raises:
        RequestError: a name is unknown or a value is wrong, by its path.
    """
    try:
        task = tasks.get(entry.task)
    except RequestError as error:
        raise RequestError(f"{where}.task: {error}") from None
    adaptations: list[tuple[Adaptation, dict[str, Any], Setting]] = []
    for index, request in enumerate(entry.adaptations):
        adaptation, options = _adaptation(task, request, base, f"{where}.adaptations[{index}]")
        if entry.decodings and not adaptation.decodings:
            raise RequestError(f"{where}.decodings: {adaptation.name} generates no texts")
        if entry.keep and not task.keeps_weights(adaptation):
            raise RequestError(
                f"{where}.keep: {task.name} keeps no weights of {adaptation.name}; move it to a "
                "block without `keep`"
            )
        chosen = settings(entry.recipe, adaptation.recipes, f"{where}.recipe")
        adaptations += [(adaptation, options, setting) for setting in chosen]
    _check_budgets(task, entry.labels, f"{where}.labels")
    if entry.mix is not None and "a mix" not in task.views:
        raise RequestError(f"{where}.mix: {refused(task, 'a mix')}")
    selected = select(cards, entry.backbones, f"{where}.backbones", extra)

    @functools.cache
    def shared(index: int, labels: str, mix: Mix | None, is_random: bool) -> dict[str, Any]:
        """Return what an adaptation's units have in common, of drawn backbones or of others."""
        adaptation, options, setting = adaptations[index]
        name, recipe = resolve_recipe(setting.request, adaptation.recipes, f"{where}.recipe")
        if not is_random:
            recipe = {**recipe, "init": "fixed"}
        if labels == WHOLE:
            recipe = without_budget(recipe)
        decodings = tuple(dict.fromkeys(entry.decodings or adaptation.decodings))
        once = adaptation.varying(recipe, labels, mix.as_dict() if mix else None) == "nothing"
        return {
            "task": task.name,
            "adaptation": adaptation.name,
            "short": "".join(
                (
                    adaptation.short(options),
                    LabelBudget.from_text(labels).suffix,
                    mix.suffix if mix else "",
                    setting.suffix,
                )
            ),
            "axes": setting.axes,
            "labels": labels,
            "mix": mix,
            "options": options,
            "recipe": recipe,
            "suite_seed": seed,
            "repetitions": tuple(range(1 if once else entry.repetitions or repetitions)),
            "decodings": decodings,
            "further_views": adaptation.further_views,
            "keeps_weights": entry.keep is not None,
            "deciding": {
                "version": task.version,
                **adaptation.deciding(options, name, recipe, decodings),
            },
        }

    for index, reference in enumerate(entry.datasets):
        try:
            dataset = resolve_dataset(reference, base)
        except RequestError as error:
            raise RequestError(f"{where}.datasets[{index}]: {error}") from None
        # Pretraining leaves labels alone, so that every dataset serves it.
        if dataset.tasks and not task.judged_on(dataset) and not task.makes_backbones:
            raise RequestError(
                f"{where}.datasets[{index}]: '{reference}' serves {', '.join(dataset.tasks)}, "
                f"not {task.name}"
            )
        views = views_of(entry.test_on, task, dataset, base, f"{where}.test_on")
        others = {v.source: sources.of_dataset(v.dataset) for v in views if isinstance(v, External)}
        of_views = {name: digest for name, (digest, _) in others.items()}
        needs_of_views = tuple(need for _, needs in others.values() for need in needs)
        for card in selected:
            for number, (adaptation, options, _) in enumerate(adaptations):
                digests, lacking = sources.of(dataset, card, task, adaptation, options)
                for labels, mix in itertools.product(entry.labels, _mixes(entry)):
                    parts = shared(number, labels, mix, card.has_random_weights)
                    needs = lacking + sources.lacking(card, adaptation, parts["recipe"])
                    if entry.keep and card.members:
                        needs += (KEEPS_NO_FUSION.format(card.id),)
                    yield Unit(
                        dataset=dataset,
                        backbone=card,
                        sources={**digests, **of_views},
                        needs=needs + needs_of_views,
                        views=views,
                        **parts,
                    )


def _combinations(entry: Entry, adaptation: Adaptation) -> int:
    """Return how many settings a block's recipe has for an adaptation; 1 where it is refused."""
    with contextlib.suppress(RequestError):
        return len(settings(entry.recipe, adaptation.recipes, ""))
    return 1


def _mixes(entry: Entry) -> list[Mix | None]:
    return [None] if entry.mix is None else [*entry.mix.mixes()]


def _check_budgets(task: Task, budgets: list[str], where: str) -> None:
    """Refuse a label budget that a task has no use for.

    Raises:
        RequestError: naming its path.
    """
    for index, text in enumerate(budgets):
        kind = LabelBudget.from_text(text).kind
        if text == WHOLE or kind in task.budgets:
            continue
        if not task.budgets:
            raise RequestError(
                f"{where}[{index}]: {task.name} takes no label budget such as {text}; leave "
                "`labels` out of this block"
            )
        raise RequestError(
            f"{where}[{index}]: {task.name} counts no images of a class, so that {text} says "
            "nothing; give shares such as 10%"
        )


def _adaptation(
    task: Task, request: str | dict[str, dict[str, Any] | None], base: Path, where: str
) -> tuple[Adaptation, dict[str, Any]]:
    """A name, or {name: options}, to the adaptation and all its options."""
    if isinstance(request, dict) and len(request) != 1:
        raise RequestError(
            f"{where}: give one adaptation with its options, as in {{lora: {{r: 8}}}}"
        )
    name, given = (request, {}) if isinstance(request, str) else next(iter(request.items()))
    if name not in task.adaptations:
        raise RequestError(
            f"{where}: {task.name} has no adaptation '{name}' (there are: "
            f"{', '.join(task.adaptations)}){did_you_mean(name, task.adaptations)}"
        )
    adaptation = task.adaptations[name]
    options = adaptation.resolve_options(given or {}, where)
    variant = adaptation.under(options)
    if variant.needs is not None and variant.needs not in task.offers:
        raise RequestError(
            f"{where}: {task.name} does not offer what {adaptation.short(options)} needs of a "
            f'backbone ("{variant.needs}"); leave these options of {name} to other tasks'
        )
    return variant, located(adaptation.options, options, base)


def select(
    cards: dict[str, BackboneCard], globs: list[str] | None, where: str, extra: tuple[str, ...]
) -> list[BackboneCard]:
    """The suite's backbones that an entry's globs name; those added on the command line always."""
    if globs is None:
        return list(cards.values())
    chosen = set(extra)
    for glob in globs:
        names = [name for name in cards if fnmatch.fnmatchcase(name, glob)]
        if not names:
            raise RequestError(
                f"{where}: '{glob}' is not among the suite's backbones{did_you_mean(glob, cards)}"
            )
        chosen.update(names)
    return [card for name, card in cards.items() if name in chosen]
