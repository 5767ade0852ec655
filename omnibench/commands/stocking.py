"""`data` and `weights`: what is on this machine, and getting what is not."""

import fnmatch
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import typer

from omnibench import catalogue, weights
from omnibench.cards import DatasetCard, WeightsCard
from omnibench.cell import Unit
from omnibench.data import download, sources
from omnibench.errors import DataError, MissingWeightsError, OmnibenchError, RequestError
from omnibench.options import places as option_places
from omnibench.registry import Registry, did_you_mean
from omnibench.session import Places, Session
from omnibench.sources import Sources
from omnibench.store import check_writable
from omnibench.suite import shipped
from omnibench.terminal import columns, echo, echo_json, printable

C = TypeVar("C", WeightsCard, DatasetCard)


def datasets(action: str, names: tuple[str, ...], places: Places, as_json: bool) -> int:
    """Do `data list|fetch|verify`; returns the exit status."""
    check_action(action, ("list", "fetch", "verify", "audit"), "data")
    session = Session.open(places)
    cards = dataset_cards(names, action, session)
    if action == "list":
        rows = [
            {
                "id": card.id,
                "there": not sources.missing(card, session.data),
                "files": sorted(card.files),
                "licence": card.licence,
            }
            for card in cards
        ]
        return _show(rows, as_json)
    if action == "fetch":
        check_writable(session.data)
        return _each(cards, lambda card: _fetch_dataset(card, session.data))
    results = [
        {
            "dataset": card.id,
            "file": finding.file,
            "verdict": finding.verdict,
            "message": finding.message,
        }
        for card in cards
        for finding in [*download.verify(card, session.data), *_looked_over(card, session.data)]
    ]
    _show(results, as_json)
    return int(any(row["verdict"] == "FAIL" for row in results))


def dataset_cards(names: tuple[str, ...], action: str, session: Session) -> list[DatasetCard]:
    """Return the datasets of names, globs, `KIND:PATH` and suites.

    Raises:
        RequestError: one of them is none.
    """
    return _named(catalogue.datasets, names, action, lambda name: _local(name, session))


def _local(name: str, session: Session) -> list[DatasetCard]:
    """Return the dataset of a `KIND:PATH`, or those that a suite asks for."""
    if name.partition(":")[0] in catalogue.readers:
        return [sources.resolve(name)]
    return of_suites(name, session)[0]


def _looked_over(card: DatasetCard, data: Path) -> Iterator[download.Verdict]:
    """Yield what a dataset that is here is taken for, pixels and all, and what looks wrong."""
    from omnibench.data.survey import survey

    if "val" not in card.splits and card.tasks:  # a pool, whose images are read one by one
        return
    try:
        if absent := sources.missing(card, data):
            if card.path is not None:
                yield download.Verdict("(all)", "FAIL", "; ".join(absent))
            return
        seen = survey(card, data, sources.source_digest(card, data), whole=True)
    except DataError as error:
        yield download.Verdict("(all)", "FAIL", str(error))
        return
    yield download.Verdict("(all)", "PASS", seen.line)
    yield from (download.Verdict("(all)", "WARN", warning) for warning in seen.warnings)


def backbone_weights(action: str, names: tuple[str, ...], places: Places, as_json: bool) -> int:
    """Do `weights list|fetch`; returns the exit status."""
    check_action(action, ("list", "fetch"), "weights")
    session = Session.open(places)
    cards = _named(_all_weights(), names, action, lambda name: of_suites(name, session)[1])
    if action == "list":
        return _show([_weights_row(card, session) for card in cards], as_json)
    check_writable(session.data)
    return _each(cards, lambda card: _fetch_weights(card, session))


def _fetch_dataset(card: DatasetCard, data: Path) -> str:
    def progress(stage: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            share = f"{100 * done / total:.0f} %" if total else f"{done / 1e6:.0f} MB"
            typer.echo(f"\r{printable(stage)}: {share}", nl=done >= total > 0, err=True)

    if card.package is not None or card.request is not None or card.path is not None:
        for need in sources.missing(card, data):
            raise DataError(need.removeprefix(f"data {card.id}: "))
        return f"there, shipped by the package {card.package}" if card.package else "there"
    if not card.files and card.hub is None:
        return "made when it is read; there is nothing to fetch"
    download.fetch(card, data, progress)
    return "there"


def _fetch_weights(card: WeightsCard, session: Session) -> str:
    if weights.hub_repository(card) is not None:
        return str(weights.fetch(card, session.data).weights)
    for need in Sources(session.data, session.results).of_backbone(card)[1]:
        raise MissingWeightsError(need.removeprefix(f"weights {card.id}: "))
    return "there, without a download"


def _weights_row(card: WeightsCard, session: Session) -> dict[str, Any]:
    needs = Sources(session.data, session.results).of_backbone(card)[1]
    return {"id": card.id, "there": not needs, "source": card.source, "licence": card.licence}


def _all_weights() -> Registry[WeightsCard]:
    """Return the backbones, and what adaptations load besides them (language models)."""
    known: Registry[WeightsCard] = Registry("weights")
    for name in catalogue.backbones:
        known.add(name, catalogue.backbones.get(name))
    for task in catalogue.tasks:
        for adaptation in catalogue.tasks.get(task).adaptations.values():
            if adaptation.loads is not None:
                known.add(adaptation.loads.id, adaptation.loads)
    return known


def _named(
    known: Registry[C],
    names: tuple[str, ...],
    action: str,
    of_suites: Callable[[str], list[C]],
) -> list[C]:
    """Return the cards of names and globs; of another name those that its suites ask for."""
    if not names and action in ("fetch", "audit"):
        raise RequestError(
            f"name what to {action}, as in `{action} breastmnist`, or a suite (globs are welcome)"
        )
    cards: dict[str, C] = {}
    for name in names or ("*",):
        try:
            matches = [known.get(match) for match in known.match(name)]
        except RequestError:
            matches = of_suites(name)
            if not matches:
                raise
        cards |= {card.id: card for card in matches}
    return list(cards.values())


def _each(cards: list[Any], act: Callable[[Any], str]) -> int:
    """Do it for every card; a failure is named and the rest go on."""
    failed = 0
    for card in cards:
        try:
            echo(f"{card.id}: {act(card)}")
        except OmnibenchError as error:
            failed += 1
            echo(f"{card.id}: {str(error).removeprefix(f'{card.id}: ')}", err=True)
    return int(failed > 0)


def _show(rows: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        echo_json(rows)
    elif rows:
        echo(columns([[_words(value) for value in row.values()] for row in rows], tuple(rows[0])))
    else:
        echo("nothing there")
    return 0


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def check_action(action: str, actions: tuple[str, ...], command: str) -> None:
    """Refuse what a command does not do.

    Raises:
        RequestError: naming what it does.
    """
    if action not in actions:
        raise RequestError(
            f"`{command}` knows {', '.join(actions)}, not '{action}'{did_you_mean(action, actions)}"
        )


def of_suites(name: str, session: Session) -> tuple[list[DatasetCard], list[WeightsCard]]:
    """Return what the suites of a name, a glob or a file ask for, each card once.

    Nothing where no suite is called so. Weights that a suite makes itself are not among them.

    Raises:
        RequestError: the suite's file is wrong.
    """
    names = [suite for suite in shipped() if fnmatch.fnmatchcase(suite, name)]
    if not names and Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        names = [name]
    datasets: dict[str, DatasetCard] = {}
    backbones: dict[str, WeightsCard] = {}
    for suite in names:
        for unit in session.suite(suite)[1]:
            datasets |= {card.id: card for card in _datasets(unit)}
            backbones |= {card.id: card for card in _weights(unit)}
    return list(datasets.values()), list(backbones.values())


def _datasets(unit: Unit) -> list[DatasetCard]:
    """Return its dataset, or the members of a pool; and those that its options name."""
    kinds = option_places(catalogue.tasks.get(unit.task).adaptations[unit.adaptation].options)
    named = [unit.options[name] for name, kind in kinds.items() if kind.holds == "dataset"]
    return [
        *(unit.dataset.members or (unit.dataset,)),
        *(sources.resolve(name) for name in named if name is not None),
    ]


def _weights(unit: Unit) -> list[WeightsCard]:
    """Return its backbones but those that the suite makes, and what else its adaptation loads."""
    loads = catalogue.tasks.get(unit.task).adaptations[unit.adaptation].loads
    made = {cell.digest for maker in unit.after for cell in maker.cells}
    cards = [member.backbone for member in unit.members]
    return [*(card for card in cards if card.source_name not in made), *([loads] if loads else [])]
