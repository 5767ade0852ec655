"""From a training to a backbone: what a suite asks for, what a record left. No torch here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from omnibench.cards import BackboneCard, Identifier
from omnibench.catalogue import backbones, tasks
from omnibench.cell import LEAVES, Unit
from omnibench.data.pool import pool_card
from omnibench.data.sources import resolve as resolve_dataset
from omnibench.errors import RequestError, StoreError
from omnibench.files import inside
from omnibench.matrix import Entry, entry_units
from omnibench.options import located, places
from omnibench.recipe import resolve_recipe
from omnibench.record import read_record
from omnibench.registry import did_you_mean
from omnibench.sources import Sources
from omnibench.task import Adaptation, Task
from omnibench.validation import validate
from omnibench.weights_record import weights_folders


class Pretraining(BaseModel):
    """What `{pretrain: ...}` holds; what it does not name here are options of the method.

    Attributes:
        method: an adaptation of a task that makes backbones; None for the first there is.
        architecture: what it starts from: a backbone's id, the id without `random-` of a random
            control, or a timm name, drawn at random.
        dataset: one or several; labels are ignored.
        recipe: a recipe's name, or overrides with an optional `base:`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    method: str | None = None
    architecture: str
    dataset: str | list[str]
    recipe: str | dict[str, Any] = "small"


class PretrainedEntry(BaseModel):
    """`{pretrain: ...}` among a suite's backbones.

    Attributes:
        pretrain: how it is made.
        id: of the backbone it makes; None for `pretrain-<digest8>`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrain: Pretraining
    id: Identifier | None = None


class Training(BaseModel):
    """What `{trained: ...}` holds: a cell whose trained backbone is used beyond it.

    Attributes:
        task, dataset, adaptation, recipe: as in a block of the matrix, one of each.
        backbone: what it starts from: the id of a backbone that is there before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    dataset: str
    backbone: str
    adaptation: str | dict[str, dict[str, Any] | None] = "full"
    recipe: str | dict[str, Any] = "small"


class TrainedEntry(BaseModel):
    """`{trained: ...}` among a suite's backbones.

    Attributes:
        trained: how it is made.
        id: of the backbone it makes; None for `trained-<digest8>`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained: Training
    id: Identifier | None = None


def training_unit(
    entry: TrainedEntry, start: BackboneCard, base: Path, seed: int, sources: Sources, where: str
) -> tuple[BackboneCard, Unit]:
    """Return the backbone that `{trained: ...}` stands for, and the unit that makes it.

    Args:
        start: the card of its `backbone`.

    Raises:
        RequestError: a name is unknown, a value is wrong, or the adaptation leaves no backbone.
    """
    request = entry.trained
    block = Entry(
        task=request.task,
        datasets=[request.dataset],
        adaptations=[request.adaptation],
        recipe=request.recipe,
    )
    try:
        units = list(entry_units(block, seed, 1, {start.id: start}, base, sources, where, ()))
    except RequestError as error:
        text = str(error).replace(f"{where}.datasets[0]", f"{where}.dataset")
        text = text.replace(f"{where}.adaptations[0]", f"{where}.adaptation")
        raise RequestError(text) from None
    if len(units) > 1:
        raise RequestError(f"{where}.recipe: one training leaves one backbone; give single values")
    unit, task = units[0], tasks.get(request.task)
    leaving = [own.name for own in task.adaptations.values() if own.leaves_backbone]
    if unit.adaptation not in leaving:
        raise RequestError(
            f"{where}.adaptation: '{unit.adaptation}' of {task.name} leaves no backbone that "
            f"others can load (those that do: {', '.join(leaving) or 'none'})"
        )
    unit = replace(unit, short=unit.short + LEAVES, leaves_backbone=True)
    digest, adaptation = unit.cells[0].digest, task.adaptations[unit.adaptation]
    return made_card(task, adaptation, digest, start, [unit.dataset.id], entry.id), unit


def pretraining_unit(
    entry: dict[str, Any], base: Path, seed: int, sources: Sources, where: str
) -> tuple[BackboneCard, Unit]:
    """Return the backbone that `{pretrain: ...}` stands for, and the unit that makes it.

    Raises:
        RequestError: a field is wrong or a name unknown, by its path.
    """
    named = validate(PretrainedEntry, entry, where)
    request, where = named.pretrain, f"{where}.pretrain"
    task, method = _method(request.method, where)
    try:
        start = sources.completed(starting_card(request.architecture))
    except RequestError as error:
        raise RequestError(f"{where}.architecture: {error}") from None
    names = [request.dataset] if isinstance(request.dataset, str) else request.dataset
    try:
        dataset = pool_card(names, base)
    except RequestError as error:
        raise RequestError(f"{where}.dataset: {error}") from None
    options = _options(request, method, where, base)
    digests, needs = sources.of(dataset, start, task, method, options)
    recipe_name, recipe = resolve_recipe(request.recipe, method.recipes, f"{where}.recipe")
    unit = Unit(
        task=task.name,
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
    return made_card(task, method, unit.cells[0].digest, start, members, named.id), unit


def makers() -> list[Task]:
    """Return the tasks whose cells leave backbones."""
    return [task for task in map(tasks.get, tasks) if task.makes_backbones]


def _method(name: str | None, where: str) -> tuple[Task, Adaptation]:
    """Return the adaptation that a pretraining names, and its task.

    Raises:
        RequestError: there is none of this name.
    """
    methods = {
        method.name: (task, method) for task in makers() for method in task.adaptations.values()
    }
    if name is None and methods:
        return next(iter(methods.values()))
    if name not in methods:
        raise RequestError(
            f"{where}.method: no pretraining is called '{name}' (there are: "
            f"{', '.join(methods) or 'none'}){did_you_mean(str(name), methods)}"
        )
    return methods[name]


def _options(request: Pretraining, method: Adaptation, where: str, base: Path) -> dict[str, Any]:
    """Return the method's options, of what a pretraining names beside its own fields.

    Raises:
        RequestError: one is unknown, or names a dataset that is.
    """
    given = dict(request.model_extra or {})
    known = [*Pretraining.model_fields, *method.options.model_fields]
    for name in given:
        if name not in method.options.model_fields:
            raise RequestError(f"{where}.{name}: unknown field{did_you_mean(name, known)}")
    options = located(method.options, method.resolve_options(given, where), base)
    for name, kind in places(method.options).items():
        if kind.holds == "dataset" and options[name] is not None:
            try:
                resolve_dataset(options[name])
            except RequestError as error:
                raise RequestError(f"{where}.{name}: {error}") from None
    return options


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
    task: Task,
    adaptation: Adaptation,
    digest: str,
    start: BackboneCard,
    datasets: list[str],
    name: str | None = None,
) -> BackboneCard:
    """Return the card of a backbone that a task's cell of this digest leaves."""
    kind, pool = "trained", start.pool
    if task.makes_backbones:
        kind, pool = "pretrain", adaptation.pool
    return BackboneCard(
        id=name or f"{kind}-{digest[:8]}",
        family="pretrained",
        size=start.size,
        source=f"record:{digest}",
        width=start.width,
        depth=start.depth,
        patch=start.patch,
        pool=pool,
        flops=start.flops,
        pretraining=tuple(dict.fromkeys([*start.pretraining, *datasets])),
    )


def register_recorded(results: Path) -> None:
    """Make known what the finished records of trainings below a results folder have left."""
    folders = weights_folders(results)
    for path in (path for folder in folders for path in sorted(folder.rglob("rep-*.safetensors"))):
        try:
            record = read_record(inside(path.with_suffix(".json"), results))
            if record is None or record["status"] != "done":
                continue
            task = tasks.get(record["spec"]["task"])
            adaptation = task.adaptations[record["spec"]["adaptation"]]
            start = starting_card(record["spec"]["backbone"])
            images = list(record["notes"]["images"])
            # A record of the version before is also known by the digest that it had.
            for digest in filter(None, (record["digest"], record["adopted"])):
                card = made_card(task, adaptation, record["digest"], start, images)
                card = card.model_copy(update={"id": card.id[:-8] + digest[:8]})
                if card.id not in backbones:
                    backbones.add(card.id, card)
        except (StoreError, KeyError, TypeError, ValueError, RequestError):
            continue  # a link out, no names, or started from a backbone that is not known here
