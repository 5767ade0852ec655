"""What a block of the matrix is tested on further, as a suite writes it: `test_on:` and `mix:`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from omnibench.cards import DatasetCard
from omnibench.class_maps import check_classes
from omnibench.data.corruptions import SETS, SEVERITIES, corruption_named
from omnibench.data.corruptions.sets import PLAIN
from omnibench.data.sources import resolve as resolve_dataset
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean
from omnibench.task import Task
from omnibench.views import LOW, Corrupted, External, Kind, Mix, Scored, View

CLEAN = "clean"  # the test set itself, on which every cell is judged


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | None) else [given]


def _each_once(values: list[Any]) -> list[Any]:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands twice; leave one")
    return values


def _severity(given: Any) -> Any:
    if given not in SEVERITIES or isinstance(given, bool):
        raise ValueError(f"{given!r:.20} is no severity; give some of 1, 2, 3, 4, 5")
    return given


def _set_name(given: Any) -> Any:
    if given is not None and given not in SETS:
        near = did_you_mean(str(given), SETS)
        raise ValueError(f"no set of corruptions '{given}'; there are {', '.join(SETS)}{near}")
    return given


def _corruption(given: Any) -> Any:
    try:
        corruption_named(str(given))
    except RequestError as error:
        raise ValueError(str(error)) from None
    return given


def _share(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise ValueError(f"{given!r:.20} is no share of low quality; give numbers from 0 to 1")
    return given


def _class_name(given: Any) -> Any:
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


Severity = Annotated[int, BeforeValidator(_severity)]
Corruption = Annotated[str, BeforeValidator(_corruption)]
Shares = Annotated[
    list[Annotated[float, BeforeValidator(_share)]],
    Field(min_length=1),
    BeforeValidator(_listed),
    AfterValidator(_each_once),
]
ClassName = Annotated[str, BeforeValidator(_class_name)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorruptionRequest(_Model):
    """The test images under corruptions.

    Attributes:
        corruption: names, of `set` where it is given, else as views have them ("gaussian-noise",
            "mri.bias-field"); None for all of the set.
        severity: 1 to 5; all of them where it is left out.
        set: a set of corruptions.
    """

    corruption: Annotated[list[str] | None, BeforeValidator(_listed), Field(min_length=1)] = None
    severity: Annotated[
        list[Severity],
        Field(min_length=1),
        BeforeValidator(_listed),
        AfterValidator(_each_once),
    ] = list(SEVERITIES)
    set: Annotated[str | None, BeforeValidator(_set_name)] = None

    @model_validator(mode="after")
    def _check(self) -> "CorruptionRequest":
        if self.corruption is None and self.set is None:
            raise ValueError("name a corruption, or a set of them")
        for name in self.names(""):
            _corruption(name)
        return self

    def names(self, dataset: str) -> list[str]:
        """Return the corruptions as views call them, of a dataset's own list where it has one."""
        if self.set is None:
            return list(self.corruption or ())
        before = "" if self.set == PLAIN else f"{self.set}."
        names = self.corruption or SETS[self.set].of_dataset(dataset)
        return [f"{before}{name}" for name in names]

    def views(self, dataset: DatasetCard) -> Iterator[Corrupted]:
        """Yield a view for each corruption and severity."""
        for name in self.names(dataset.id):
            moves = corruption_named(name, dataset.id).moves
            kind: Kind = "moved images" if moves else "corrupted images"
            yield from (Corrupted(name, severity, kind) for severity in self.severity)


class ExternalRequest(_Model):
    """The test images of another dataset.

    Attributes:
        dataset: a name, or `READER:PATH` with a path from the suite file on.
        map: its class -> one of the block's dataset, or null for one that is left out; None where
            both have the same classes.
    """

    dataset: str
    map: dict[ClassName, ClassName | None] | None = None


def _form(given: Any) -> str:
    if isinstance(given, Mapping | _Model):
        return "external" if "dataset" in dict(given) else "corrupted"
    return CLEAN


def _clean(given: Any) -> Any:
    if given != CLEAN:
        raise ValueError(
            f"{given!r:.40} is no test set; write {CLEAN}, {{corruption: ...}} or {{dataset: ...}}"
        )
    return given


TestOn = Annotated[
    Annotated[str, BeforeValidator(_clean), Tag(CLEAN)]
    | Annotated[CorruptionRequest, Tag("corrupted")]
    | Annotated[ExternalRequest, Tag("external")],
    Discriminator(_form),
]


class MixRequest(_Model):
    """Shares of low quality in training and in testing.

    Attributes:
        corruption, severity: what an image of low quality is.
        by: `quality`, where images have scores of it (`train_quality`, ... in an npz file).
        below: what scores of low quality lie below; the median of the training images where it is
            left out.
        train: shares of low quality among the training images, each a unit of its own.
        test: shares among the test images.
    """

    corruption: Corruption | None = None
    severity: Severity | None = None
    by: Literal["quality"] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    train: Shares
    test: Shares

    @model_validator(mode="after")
    def _check(self) -> "MixRequest":
        copies = self.corruption is not None and self.severity is not None
        some = self.corruption is not None or self.severity is not None
        if self.by is None and (not copies or self.below is not None):
            raise ValueError(
                "give a corruption and its severity, or `by: quality` of scored images"
            )
        if self.by is not None and some:
            raise ValueError(f"`by: {self.by}` takes images as they are; leave the corruption out")
        return self

    def mixes(self) -> Iterator[Mix]:
        """Yield one mix for each share in training."""
        low: Corrupted | Scored = Scored(self.below, tuple(self.train))
        if self.corruption is not None and self.severity is not None:
            low = Corrupted(self.corruption, self.severity)
        yield from (Mix(low, share, tuple(self.test)) for share in self.train)


def views_of(
    requests: Sequence[Any], task: Task, dataset: DatasetCard, base: Path, where: str
) -> tuple[View, ...]:
    """Return the views of a block's dataset.

    Args:
        requests: as `TestOn`.
        base: the folder that paths are relative to.
        where: path of `test_on` in the suite file, for messages.

    Raises:
        RequestError: the task serves none of them, a dataset is unknown or has other classes, or a
            view stands twice; by its path.
    """
    views: dict[str, View] = {}
    for index, request in enumerate(requests):
        place = f"{where}[{index}]"
        if isinstance(request, str):
            continue
        own = (
            request.views(dataset)
            if isinstance(request, CorruptionRequest)
            else [_external(request, task, dataset, base, place)]
        )
        for view in own:
            if view.kind not in task.views:
                raise RequestError(f"{place}: {refused(task, view.kind)}")
            if view.name in views:
                raise RequestError(f"{place}: '{view.name}' stands twice; leave one")
            if view.name.partition("-")[0] == LOW:
                raise RequestError(
                    f"{place}.dataset: '{view.name}' is what a mix calls its test images; rename "
                    "the file"
                )
            views[view.name] = view
    return tuple(views.values())


def refused(task: Task, kind: str) -> str:
    """Return the sentence that a task is not tested on a kind of view."""
    if not task.views:
        return f"{task.name} is tested on its own test images alone; leave it out of this block"
    return f"{task.name} is not tested on {kind}, but on {' and '.join(sorted(task.views))}"


def _external(
    request: ExternalRequest, task: Task, dataset: DatasetCard, base: Path, where: str
) -> External:
    try:
        other = resolve_dataset(request.dataset, base)
    except RequestError as error:
        raise RequestError(f"{where}.dataset: {error}") from None
    if other.id == dataset.id:
        raise RequestError(f"{where}.dataset: '{other.id}' is what the block is trained on")
    if other.tasks and not task.judged_on(other):
        raise RequestError(
            f"{where}.dataset: '{other.id}' serves {', '.join(other.tasks)}, not {task.name}"
        )
    if dataset.classes and other.classes:
        check_classes(request.map, dataset, other, f"{where}.map")
    return External(other, request.map or {})
