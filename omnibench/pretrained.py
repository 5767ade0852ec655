"""From a pretraining to a backbone: what a suite asks for, what a record left. No torch here."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from omnibench.cards import BackboneCard, Identifier
from omnibench.catalogue import backbones, tasks
from omnibench.cell import Unit
from omnibench.data.pool import pool_card
from omnibench.errors import RequestError, StoreError
from omnibench.files import inside
from omnibench.options import located
from omnibench.recipe import resolve_recipe
from omnibench.record import read_record
from omnibench.registry import did_you_mean
from omnibench.sources import Sources
from omnibench.validation import validate

TASK = "pretraining"


class Pretraining(BaseModel):
    """What `{pretrain: ...}` holds.

    Attributes:
        method: an adaptation of the task pretraining.
        architecture: what it starts from: a backbone's id, the id without `random-` of a random
            control, or a timm name, drawn at random.
        dataset: one or several; labels are ignored.
        knn: a labelled dataset that it is watched by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = "dinov2-global"
    architecture: str
    dataset: str | list[str]
    recipe: str | dict[str, Any] = "small"
    knn: str | None = None


class PretrainedEntry(BaseModel):
    """`{pretrain: ...}` among a suite's backbones.

    Attributes:
        id: of the backbone it makes; None for `pretrain-<digest8>`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrain: Pretraining
    id: Identifier | None = None


def pretraining_unit(
    entry: dict[str, Any], base: Path, seed: int, sources: Sources, where: str
) -> tuple[BackboneCard, Unit]:
    """Return the backbone that `{pretrain: ...}` stands for, and the unit that makes it.

    Raises:
        RequestError: a field is wrong or a name unknown, by its path.
    """
    named = validate(PretrainedEntry, entry, where)
    request, where = named.pretrain, f"{where}.pretrain"
    task = tasks.get(TASK)
    if request.method not in task.adaptations:
        raise RequestError(
            f"{where}.method: pretraining has no '{request.method}' (there are: "
            f"{', '.join(task.adaptations)}){did_you_mean(request.method, task.adaptations)}"
        )
    method = task.adaptations[request.method]
    try:
        start = sources.completed(starting_card(request.architecture))
    except RequestError as error:
        raise RequestError(f"{where}.architecture: {error}") from None
    names = [request.dataset] if isinstance(request.dataset, str) else request.dataset
    try:
        dataset = pool_card(names, base)
    except RequestError as error:
        raise RequestError(f"{where}.dataset: {error}") from None
    options = located(method.options, method.resolve_options({"knn": request.knn}, where), base)
    try:
        digests, needs = sources.of(dataset, start, method, options)
    except RequestError as error:
        raise RequestError(f"{where}.knn: {error}") from None
    recipe_name, recipe = resolve_recipe(request.recipe, method.recipes, f"{where}.recipe")
    unit = Unit(
        task=TASK,
        dataset=dataset,
        backbone=start,
        adaptation=method.name,
        short=method.short(options),
        options=options,
        recipe=recipe,
        suite_seed=seed,
        sources=digests,
        repetitions=(0,),
        needs=needs,
        deciding={
            "version": task.version,
            **method.deciding(options, recipe_name, recipe, method.decodings),
        },
    )
    members = [card.id for card in dataset.members or (dataset,)]
    return made_card(unit.cells[0].digest, start, members, named.id), unit


def starting_card(name: str) -> BackboneCard:
    """Return the card of what a pretraining starts from.

    Raises:
        RequestError: it is neither a backbone nor has the form of a timm name.
    """
    for known in (name, f"random-{name}"):
        if known in backbones:
            return backbones.get(known)
    if "_" not in name:  # as all timm's names of vision transformers have
        raise RequestError(
            f"'{name}' is no backbone, nor an architecture of timm{did_you_mean(name, backbones)}"
        )
    return BackboneCard(id=name, family="random", source=f"random:{name}", pool="cls")


def made_card(
    digest: str, start: BackboneCard, datasets: list[str], name: str | None = None
) -> BackboneCard:
    """The card of a backbone that the pretraining cell of this digest leaves."""
    return BackboneCard(
        id=name or f"pretrain-{digest[:8]}",
        family="pretrained",
        size=start.size,
        source=f"record:{digest}",
        width=start.width,
        depth=start.depth,
        patch=start.patch,
        pool="cls",
        pretraining=tuple(dict.fromkeys([*start.pretraining, *datasets])),
    )


def register_recorded(results: Path) -> None:
    """Make known what the finished pretraining records below a results folder have left."""
    for path in sorted((results / "records" / TASK).rglob("rep-*.safetensors")):
        try:
            record = read_record(inside(path.with_suffix(".json"), results))
            if record is None or record["status"] != "done":
                continue
            start = starting_card(record["spec"]["backbone"])
            images = list(record["notes"]["images"])
            # A record of the version before is also known by the digest that it had.
            for digest in filter(None, (record["digest"], record["adopted"])):
                card = made_card(record["digest"], start, images, f"pretrain-{digest[:8]}")
                if card.id not in backbones:
                    backbones.add(card.id, card)
        except (StoreError, KeyError, TypeError, ValueError, RequestError):
            continue  # a link out, no names, or started from a backbone that is not known here
