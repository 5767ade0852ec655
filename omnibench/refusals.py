"""What `run` would refuse of a unit, told by `plan` from its data, its card and its recipe."""

from collections.abc import Iterator

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.data.declaration import declaration_of
from omnibench.data.sources import takes_window
from omnibench.errors import OmnibenchError, RequestError, one_line
from omnibench.label_budget import WHOLE
from omnibench.sources import Sources
from omnibench.task import Task
from omnibench.training.plan import batch_refusal
from omnibench.views import QUALITY, SEVERAL_LABELS, External, Scored, no_scores

NO_WINDOW = (
    "its images are grey levels already, or are read as declared beside them, so that `window` in "
    "the recipe says nothing of it; leave that out"
)


def refusals(unit: Unit, sources: Sources) -> tuple[str, ...]:
    """Return a sentence for each reason why a unit would be refused; () for one that lacks things.

    Raises:
        RequestError: the task's own `refusals` fails.
    """
    if unit.needs:
        return ()
    # Of a pool without val and test, which is read image by image, and of a dataset that is asked
    # for its images alone, nothing but their number counts.
    task = tasks.get(unit.task)
    whole = task.judged_on(unit.dataset) and "val" in unit.dataset.splits
    refusal, facts = sources.survey_of(unit.dataset) if whole else ("", {})
    if refusal:
        return (refusal,)
    for view in unit.views:
        if isinstance(view, External) and (refusal := sources.survey_of(view.dataset)[0]):
            return (refusal,)
    if unit.recipe.get("window") is not None:
        tested = [view.dataset for view in unit.views if isinstance(view, External)]
        for card in (unit.dataset, *tested):
            if not (whole and takes_window(card)):
                return (f"{card.id}: {NO_WINDOW}",)
    if unit.mix is not None and isinstance(unit.mix.low, Scored) and unit.dataset.tasks:
        if unit.dataset.labels == "multi-label":
            return (f"{unit.dataset.id}: {SEVERAL_LABELS}",)
        declared = declaration_of(unit.dataset).columns  # these are no part of the identity
        if QUALITY not in facts.get("columns", ()) or QUALITY in declared:
            return (f"{unit.dataset.id}: {no_scores()}",)
    try:
        refuse = task.adaptations[unit.adaptation].under(unit.options).refusals
        reasons = [*_of_batch(unit, task), *task.refusals(unit, facts)]
        reasons += [] if refuse is None else refuse(unit)
    except OmnibenchError:
        raise
    except Exception as error:
        raise RequestError(
            f"the task '{task.name}': refusals failed with {type(error).__name__}: "
            f"{one_line(error)}; correct it"
        ) from error
    return tuple(dict.fromkeys(f"{unit.dataset.id}: {reason}" for reason in reasons))


def _of_batch(unit: Unit, task: Task) -> Iterator[str]:
    """Yield a batch that no training split of this size fills.

    Probes of embeddings cut theirs, and so does what is trained on a label budget.
    """
    batch, images = unit.recipe.get("batch"), unit.images.get("train")
    cut = (
        task.adaptations[unit.adaptation].frozen_kind in ("embed", "embed_volumes")
        or unit.labels != WHOLE
    )
    if batch is not None and images is not None and not cut and batch > images:
        yield batch_refusal(batch, images)
