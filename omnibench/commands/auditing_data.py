"""`data audit`: labels in doubt, images and patients in two splits, of what is stored."""

from collections.abc import Iterator
from typing import Any

from omnibench.cards import DatasetCard
from omnibench.commands.stocking import dataset_cards
from omnibench.data import sources
from omnibench.errors import DataError
from omnibench.features import FeatureStore
from omnibench.report.dataset_audit import DatasetAudit, audit_dataset
from omnibench.session import Places, Session
from omnibench.terminal import columns, echo, echo_json, hanging

SHOWN = 20  # rows of a list; --json has all of them


def audit(names: tuple[str, ...], places: Places, as_json: bool) -> None:
    """Print what looks wrong with each dataset, by the numbers of images in their splits.

    Raises:
        DataError: a dataset is absent, or has nothing to compare.
        RequestError: there is no such dataset.
    """
    session = Session.open(places)
    cards = dataset_cards(names, "audit", session)
    audits = {card.id: _audit(card, session) for card in cards}
    if as_json:
        echo_json([{"dataset": name, **_as_json(audit)} for name, audit in audits.items()])
        return
    for name, audit in audits.items():
        for line in _lines(name, audit):
            echo(line)


def _audit(card: DatasetCard, session: Session) -> DatasetAudit:
    for need in sources.missing(card, session.data):
        raise DataError(need.removeprefix("data "))
    if "val" not in card.splits:
        raise DataError(f"{card.id} has training images alone, and no split to compare them with")
    features = FeatureStore(session.context("cpu").features)
    source = sources.source_digest(card, session.data)
    return audit_dataset(sources.load(card, session.data), source, session.store, features)


def _lines(name: str, audit: DatasetAudit) -> Iterator[str]:
    counts = ", ".join(f"{count} {split}" for split, count in audit.images.items())
    yield f"{name}: {counts} {audit.nouns[1]}, numbered from 0 in each split"
    yield from _doubts(audit)
    yield from _duplicates(audit)
    for splits, pairs in audit.groups.items():
        yield (
            f"groups (patients) in {splits[0]} and in {splits[1]}: {len(pairs)}, with the first "
            f"{audit.nouns[1]} {', '.join(f'{a} = {b}' for a, b in pairs[:SHOWN])}"
            + _rest(len(pairs)).replace("\n", " ")
        )
    if not audit.groups:
        yield f"groups (patients) in two splits: {'none' if audit.has_groups else 'none is known'}"


def _doubts(audit: DatasetAudit) -> Iterator[str]:
    for split, names in audit.judges.items():
        left = ", ".join(audit.without_opinion[split])
        aside = f" (left out, no better than guessing: {left})" if left else ""
        doubts = sum(doubt.split == split for doubt in audit.doubts)
        yield hanging(
            f"labels of {split} that every backbone contradicts with confidence: {doubts} of "
            f"{audit.images[split]}, by {', '.join(names)}{aside}"
            if names
            else f"labels of {split}: no stored predictions that can judge them{aside}"
        )
    if audit.doubts:
        rows = [(*doubt[:4], f"{doubt.probability:.3f}") for doubt in audit.doubts[:SHOWN]]
        head = ("split", audit.nouns[0], "label", "predicted", "probability of the label")
        yield columns(rows, head) + _rest(len(audit.doubts))


def _duplicates(audit: DatasetAudit) -> Iterator[str]:
    case, cases = audit.nouns
    yield f"{cases} that are in two splits, pixel by pixel: {len(audit.identical)}"
    yield (
        hanging(
            f"near-duplicates in two splits beside them: {len(audit.near)}, by the features of "
            f"{', '.join(audit.sighted)}"
        )
        if audit.sighted
        else "near-duplicates: no stored features of two splits"
    )
    if pairs := [*audit.identical, *audit.near]:
        words = {None: "", False: "same", True: "differ"}
        rows = [
            (
                " / ".join(pair.splits),
                *pair.images,
                "pixels" if pair.cosine is None else f"{pair.cosine:.3f}",
                words[pair.labels_differ],
            )
            for pair in pairs[:SHOWN]
        ]
        yield columns(rows, ("splits", case, case, "cosine", "labels")) + _rest(len(pairs))


def _rest(count: int) -> str:
    return f"\nand {count - SHOWN} more, in --json" if count > SHOWN else ""


def _as_json(audit: DatasetAudit) -> dict[str, Any]:
    return {
        "images": dict(audit.images),
        "numbered": audit.nouns[1],
        "judges": {split: list(names) for split, names in audit.judges.items()},
        "left_out": {split: list(names) for split, names in audit.without_opinion.items()},
        "labels": [doubt._asdict() for doubt in audit.doubts],
        "features": list(audit.sighted),
        "near_duplicates": [pair._asdict() for pair in audit.near],
        "identical": [pair._asdict() for pair in audit.identical],
        "shared_groups": [
            {"splits": splits, "images": pair}
            for splits, pairs in audit.groups.items()
            for pair in pairs
        ],
    }
