"""What a task, an adaptation or a metric must have, held when it is registered."""

import inspect
from typing import Any, get_args

from omnibench.catalogue import metrics, tasks
from omnibench.errors import RequestError
from omnibench.task import Adaptation, Metric, Needs, Task

VARYING = ("head seed", "training seed", "nothing")


def file_of(thing: Any) -> str:
    """Return the file that a function, a class or an object's class is written in."""
    thing = inspect.unwrap(getattr(thing, "func", thing))
    if not (inspect.isfunction(thing) or inspect.isclass(thing) or inspect.ismethod(thing)):
        thing = type(thing)
    try:
        return inspect.getsourcefile(thing) or "no file"
    except (TypeError, OSError):
        return "no file"


def check_task(task: Task) -> None:
    """Refuse a task that lacks a member.

    Raises:
        RequestError: naming file and member.
    """
    where = f"the task '{getattr(task, 'name', None)}' ({file_of(task)})"
    if not isinstance(task, Task):
        raise RequestError(f"{where} is no omnibench.Task; derive its class from that")
    _require(where, "name", task.name if hasattr(task, "name") else None, str)
    _require(where, "version", task.version, int)
    _require(where, "metrics", task.metrics, tuple)
    for metric in task.metrics:
        check_metric(metric)
        check_meaning(metric, task.name)
    primary = next((metric for metric in task.metrics if metric.reported), None)
    if primary is not None and primary.direction is None:
        raise RequestError(
            f"{where}: the metric '{primary.id}', its primary, has no `direction`; put "
            "one first that has"
        )
    kind = type(task)
    if kind.prepare is Task.prepare and kind.run is Task.run:
        raise RequestError(f"{where} has no `prepare`, nor a `run` of its own")
    if not task.own and not task.offers:
        raise RequestError(f"{where} has no adaptation: give it `own` ones, or what it `offers`")
    if task.offers and "small" not in task.recipes:
        raise RequestError(f"{where} has no recipe `small` in `recipes` for what it offers")
    if unknown := sorted(map(str, set(task.offers) - set(get_args(Needs)))):
        raise RequestError(
            f"{where}: `offers` has '{unknown[0]}', none of {', '.join(get_args(Needs))}"
        )
    for name, adaptation in task.own.items():
        _require(where, f"own['{name}']", adaptation, Adaptation)
        _check_varies(f"{where}: own['{name}']", adaptation)
        if not adaptation.recipes:
            raise RequestError(f"{where}: own['{name}'] has no `recipes`")


def check_adaptation(adaptation: Adaptation) -> None:
    """Refuse an adaptation that is registered and lacks a member.

    Raises:
        RequestError: naming file and member.
    """
    _require("an adaptation", "it", adaptation, Adaptation)
    attach = adaptation.attach
    source = "" if isinstance(attach, str) else f" ({file_of(attach)})"
    where = f"the adaptation '{adaptation.name}'{source if attach is not None else ''}"
    if not (callable(attach) or (isinstance(attach, str) and ":" in attach)):
        raise RequestError(f"{where} has no `attach`; give it a function (encoder, options)")
    if adaptation.needs is None:
        raise RequestError(f"{where} has no `needs`; name what of a backbone it works on")
    if adaptation.needs not in get_args(Needs):
        raise RequestError(
            f"{where}: `needs` is '{adaptation.needs}', none of {', '.join(get_args(Needs))}"
        )
    _check_varies(where, adaptation)
    if adaptation.recipes:
        raise RequestError(
            f"{where} has `recipes`, which its tasks have; give `defaults` for what differs"
        )
    for variant in adaptation.variants.values():
        check_adaptation(variant)


def _check_varies(where: str, adaptation: Adaptation) -> None:
    """Refuse what no test knows how to read: which variance repetitions show is told by it."""
    if adaptation.varies not in VARYING:
        raise RequestError(
            f"{where}: `varies` is '{adaptation.varies}', none of {', '.join(VARYING)}"
        )


def check_metric(metric: Metric) -> None:
    """Refuse a metric that lacks a member.

    Raises:
        RequestError: naming file and member.
    """
    _require("a metric", "it", metric, Metric)
    where = f"the metric '{metric.id}' ({file_of(metric.compute)})"
    if not metric.definition or not metric.name or "@" in metric.id or ":" in metric.id:
        raise RequestError(f"{where}: `id` is not of the form definition/name")
    for member in ("compute", "per_case", "chance"):
        function = getattr(metric, member)
        if not callable(function) and (member == "compute" or function is not None):
            raise RequestError(f"{where}: `{member}` is no function of predictions")
    if metric.direction not in ("up", "down", None):
        raise RequestError(
            f"{where}: `direction` is '{metric.direction}', neither up nor down, nor None"
        )


def check_meaning(metric: Metric, task: str) -> None:
    """Refuse a metric that has the id of another task's and another unit or direction.

    A table of several tasks tells what a number is in by its id. The later of two is refused, so
    that only what is taken in so far is looked at.

    Raises:
        RequestError: naming the other task.
    """
    others = [(name, own) for name, known in tasks.taken_in().items() for own in known.metrics]
    others += [(key.partition(":")[0], known) for key, known in metrics.taken_in().items()]
    for name, other in others:
        same = (other.unit, other.direction) == (metric.unit, metric.direction)
        if name != task and other.id == metric.id and not same:
            way = f"improves {other.direction}wards" if other.direction else "has no direction"
            raise RequestError(
                f"the metric '{metric.id}' ({file_of(metric.compute)}) is in {other.unit} and "
                f"{way} where {name} has it; give yours another id"
            )


def _require(where: str, member: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise RequestError(f"{where}: `{member}` is {value!r:.60}, where a {kind.__name__} is due")
