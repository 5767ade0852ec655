"""The methods of a study in words, from its records alone: what was not done is left out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from omnibench.architecture.floors import is_floor
from omnibench.catalogue import tasks
from omnibench.report.page.testing import comparison_words, over_datasets
from omnibench.report.study import Study
from omnibench.report.words import counted, listed, span
from omnibench.states import CellState
from omnibench.stats.units import split_decoding
from omnibench.task import makes_backbones

# Fields in their order in a sentence; the others stand in the records.
PHRASES = {
    "input_size": "images of {} pixels",
    "limit": "at most {} images of each split, one fixed draw (by label where they are read)",
    "epochs": "{} epochs",
    "batch": "batches of {}",
    "lr": "learning rate {}",
    "weight_decay": "weight decay {}",
    "k": "k = {}",
    "precision": "precision {}",
    "normalization": "normalised by {} statistics",
}
OWNERS = {"backbone": "each backbone's own", "imagenet": "ImageNet's"}

Done = Sequence[tuple[CellState, Mapping[str, Any]]]


def methods(study: Study, tested: Mapping[tuple[str, str], int]) -> list[str]:
    """Return paragraphs of plain text.

    Args:
        tested: (task, dataset) -> number of test cases in its records.
    """
    done = study.finished
    by_task: dict[str, list[tuple[CellState, Mapping[str, Any]]]] = {}
    for state, record in done:
        by_task.setdefault(state.cell.unit.task, []).append((state, record))
    paragraphs = [" ".join(_design(study, done))]
    paragraphs += [" ".join(_task(study, task, some, tested)) for task, some in by_task.items()]
    paragraphs += [" ".join(part) for part in (_repetitions(study, done), comparison_words(study))]
    paragraphs += [" ".join(over_datasets(study)), _software(done)]
    return [text for text in paragraphs if text]


def _design(study: Study, done: Done) -> Iterator[str]:
    cards = {state.cell.unit.backbone.id: state.cell.unit.backbone for state, _ in done}
    # What a task that makes backbones starts from is no backbone under test.
    judged = {s.cell.unit.backbone.id for s, _ in done if not makes_backbones(s.cell.unit.task)}
    names = [name for name in cards if name in judged] or list(cards)
    yield f"We evaluated {counted(len(names), 'backbone')} ({listed(names)})."
    controls = [name for name in names if cards[name].has_random_weights]
    if controls:
        inits = {
            s.cell.unit.recipe.get("init") for s, _ in done if s.cell.unit.backbone.id in controls
        }
        draws = (
            "drawn anew in each repetition" if "per-repetition" in inits else "one fixed draw each"
        )
        if len(inits) > 1:
            draws = "one fixed draw each, or drawn anew in each repetition where the recipe says so"
        yield (
            f"{listed(controls)} {'is a control' if len(controls) == 1 else 'are controls'} with "
            f"random weights, {draws}."
        )
    if floors := [name for name in names if is_floor(cards[name])]:
        what = "is a floor" if len(floors) == 1 else "are floors"
        yield f"{listed(floors)} {what}: features of the pixels that nothing was trained for."
    for name in names:
        makers = [maker for s, _ in done for maker in s.cell.unit.after]
        for maker in {maker.name: maker for maker in makers}.values():
            if cards[name].source_name in [cell.digest for cell in maker.cells]:
                yield (
                    f"{name} was pretrained within this study on {maker.dataset.id} "
                    f"({maker.adaptation})."
                )
    if len(done) < len(study.states):
        yield (
            f"Of {counted(len(study.states), 'planned run')}, {len(done)} are finished; only "
            "these are described and compared."
        )


def _task(
    study: Study, task: str, done: Done, tested: Mapping[tuple[str, str], int]
) -> Iterator[str]:
    data = []
    for card in {s.cell.unit.dataset.id: s.cell.unit.dataset for s, _ in done}.values():
        cases = tested.get((task, card.id))
        data.append(f"{card.id} ({counted(cases, 'test case')})" if cases else card.id)
    yield (
        f"{task.capitalize()}: datasets {listed(data)}."
        if len(data) > 1
        else (f"{task.capitalize()}: dataset {listed(data)}.")
    )
    units: dict[str, list[tuple[CellState, Mapping[str, Any]]]] = {}
    for state, record in done:
        units.setdefault(state.cell.unit.short, []).append((state, record))
    for short, some in units.items():
        first = some[0][0].cell.unit
        adaptation = tasks.get(task).adaptations[first.adaptation].under(first.options)
        records = [record for _, record in some]
        recipe = "; ".join(filter(None, (recipe_words(records), choices(records))))
        decodings = listed(dict.fromkeys(d for r in records for d in r["spec"]["decodings"]))
        text = f"{short} trains {adaptation.trains}"
        text += f" ({recipe})" if recipe else ""
        text += f"; texts were generated by {_decoding(decodings)}" if decodings else ""
        yield f"{text}."
    scores: dict[str, list[str]] = {}
    for table in study.chosen:
        if table.task == task:
            name = split_decoding(table.definition)[0]
            scores.setdefault(f"{name}, in {table.unit}", []).append(table.metric)
    if scores:
        named = [f"{listed(metrics)} (definition {name})" for name, metrics in scores.items()]
        yield f"Metrics: {'; '.join(named)}."


def _decoding(decodings: str) -> str:
    return f"beam search ({decodings}: beams b, at most t new tokens; one beam is greedy)"


def _repetitions(study: Study, done: Done) -> Iterator[str]:
    seeds = sorted({record["spec"]["seed"] for _, record in done})
    units: dict[tuple[str, str], dict[str, int]] = {}
    for state, _ in done:
        unit = state.cell.unit
        adaptation = tasks.get(unit.task).adaptations[unit.adaptation].under(unit.options)
        mix = unit.mix.as_dict() if unit.mix else None
        varies = adaptation.varying(unit.recipe, unit.labels, mix)
        counts = units.setdefault((varies, unit.short), {})
        counts[unit.name] = counts.get(unit.name, 0) + 1
    parts = []
    for (varies, short), counts in units.items():
        times = span(counts.values())
        often = "once" if times == "1" else f"{times} times"
        why = "deterministic" if varies == "nothing" else f"{varies} varies"
        parts.append(f"{short} {often} ({why})")
    yield f"Repetitions: {listed(parts)}; suite seed {listed(map(str, seeds))}."
    if any(sum(counts.values()) > len(counts) for counts in units.values()):
        yield (
            "Values are means with sample standard deviations (ddof = 1) over repetitions; they "
            "say nothing of other training data."
        )
    if _paired(study):
        yield (
            "Seeds are derived from dataset, task, adaptation and repetition but not from the "
            "backbone, so that repetitions of the same number are paired across backbones."
        )


def _paired(study: Study) -> bool:
    """Return whether backbones share some repetition, and its seeds wherever they do."""
    values = study.values
    if values.empty:
        return False
    groups = values.groupby(["task", "dataset", "adaptation", "repetition"], sort=False)
    counts = groups[["backbone", "pairing"]].nunique()
    shared = counts[counts["backbone"] > 1]
    return bool(len(shared)) and bool((shared["pairing"] == 1).all())


def _software(done: Done) -> str:
    environments = [record["environment"] for _, record in done]
    packages: dict[str, list[str]] = {}
    for environment in environments:
        for name, number in environment.get("packages", {}).items():
            if number != "not installed":
                packages.setdefault(name, []).append(number)
    parts = [f"{name} {listed(numbers, 'or')}" for name, numbers in packages.items()]
    pythons = [str(e["python"]) for e in environments if "python" in e]
    parts += [f"Python {listed(pythons, 'or')}"] if pythons else []
    devices = listed(str(e["device"]) for e in environments if "device" in e)
    text = f"Software: {listed(parts)}." if parts else ""
    text += f" Device: {devices}." if devices else ""
    try:
        return f"{text} Tables and tests were made by omnibench {version('omnibench')}.".strip()
    except PackageNotFoundError:
        return text


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
        # A field that some records leave open is named for those that have it.
        some = " (where limited)" if field == "limit" and len(values) < len(recipes) else ""
        text = phrase.format(listed(texts, "or")) + some
        yield text.replace("1 epochs", "1 epoch") if texts == ["1"] else text


def choices(records: Iterable[Mapping[str, Any]]) -> str:
    """Return what was chosen on the validation images, and by what; "" where nothing was."""
    parts = []
    for record in records:
        chosen = record["notes"].get("chosen")
        if not isinstance(chosen, Mapping):
            continue
        criteria = [name.removeprefix("val_") for name in chosen if name.startswith("val_")]
        what = [_chosen(n, record["spec"]["recipe"]) for n in chosen if not n.startswith("val_")]
        if what and criteria:
            by = listed(criteria).replace("_", " ")
            parts.append(f"{listed(what)} chosen by {by} on the validation images")
    return "; ".join(dict.fromkeys(parts))


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
