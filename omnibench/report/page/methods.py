"""The methods of a study in words, from its records alone: what was not done is left out."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from omnibench.catalogue import tasks
from omnibench.report.across import PAIR, RESAMPLES
from omnibench.report.results import SIGNIFICANT
from omnibench.report.study import Study
from omnibench.report.table import DASH
from omnibench.report.words import CORRECTED, counted, listed, span
from omnibench.states import CellState
from omnibench.stats.pair import FROZEN
from omnibench.stats.units import split_decoding
from omnibench.task import makes_backbones

CORRECTIONS = {
    "holm": "Holm's step-down procedure",
    "benjamini-hochberg": "Benjamini and Hochberg's step-up procedure",
}

# Fields in their order in a sentence; the others stand in the records.
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

_MEANS = re.compile(r" \(means? of [^)]*\)")  # how many repetitions a case's value averages

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
    paragraphs += [" ".join(part) for part in (_repetitions(study, done), _tests(study))]
    paragraphs += [" ".join(over_datasets(study)), _software(done)]
    return [text for text in paragraphs if text]


def _design(study: Study, done: Done) -> Iterator[str]:
    cards = {state.cell.unit.backbone.id: state.cell.unit.backbone for state, _ in done}
    # What a task that makes backbones starts from is no backbone under test.
    judged = {s.cell.unit.backbone.id for s, _ in done if not makes_backbones(s.cell.unit.task)}
    names = [name for name in cards if name in judged] or list(cards)
    yield f"We evaluated {counted(len(names), 'backbone')} ({listed(names)})."
    controls = [name for name in names if cards[name].source_kind == "random"]
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
        adaptation = tasks.get(task).adaptations[some[0][0].cell.unit.adaptation]
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
        varies = tasks.get(unit.task).adaptations[unit.adaptation].varying(unit.recipe)
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


def _tests(study: Study) -> Iterator[str]:
    tested = [c for c in study.comparisons if c.test != "none"]
    if not tested:
        yield "No difference from a baseline was tested."
        return
    yield (
        f"Differences from {study.baseline} were tested two-sided, with 95 % intervals, by "
        f"{listed(sorted({_MEANS.sub('', c.test) for c in tested}))}."
    )
    varies = {
        (row.backbone, row.adaptation): row.varies for table in study.chosen for row in table.rows
    }
    if any(varies.get((c.backbone_a, c.adaptation)) in FROZEN for c in tested):
        yield (
            "Frozen probes, whose repetitions differ in next to nothing, were compared over the "
            "same test cases, and trained models over repetitions."
        )
    how = CORRECTIONS[study.correction]
    yield (
        f"P values were corrected by {how} over families of {span(c.family for c in tested)} "
        "comparisons: all those of one task, definition and metric; a dagger marks a corrected "
        f"p below {f'{SIGNIFICANT:g}'.removeprefix('0')}."
    )
    if any(math.isfinite(c.effect) for c in tested):
        yield "Effect sizes over repetitions are Hedges g with the exact small-sample factor."
    if len(tested) < len(study.comparisons):
        yield (
            f"{counted(len(study.comparisons) - len(tested), 'comparison')} could not be tested, "
            "for the reasons given beside them."
        )
    yield from study.beyond_margin


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


def over_datasets(study: Study) -> Iterator[str]:
    """Yield sentences for the methods; none where nothing was complete on several datasets."""
    standings = [table for table in study.across if table.rows and table.heads[0] != PAIR]
    if not standings:
        return
    text = "Over datasets, backbones that are complete on all of them were ranked by their means"
    if any(len(block.means.columns) > 2 for block in study.complete):
        text += (
            " and compared by Friedman's test with Iman and Davenport's F and by Nemenyi's "
            "critical difference at .05"
        )
    yield f"{text}."
    if any(table.heads[0] == PAIR for table in study.across if table.rows):
        yield (
            "Every two were compared by the exact Wilcoxon signed-rank test over datasets, its p "
            f"corrected by {CORRECTED[study.correction]} over all pairs of an adaptation."
        )
    if any(texts[2] != DASH for table in standings for texts in table.texts):
        improved = any(len(table.heads) > 4 for table in standings)
        what = f" and probabilities of improvement over {study.baseline}" if improved else ""
        yield (
            f"Interquartile means{what} have 95 % intervals of a bootstrap of the repetitions "
            f"within each dataset ({RESAMPLES:,} resamples)."
        )


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
