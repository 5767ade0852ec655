"""A suite's backbones: every entry to its cards, and to the units that make them. No torch here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from omnibench.cards import BackboneCard, Identifier
from omnibench.catalogue import allowed_builder, backbones, tasks
from omnibench.cell import Unit
from omnibench.errors import RequestError
from omnibench.pretrained import TrainedEntry, pretraining_unit, training_unit
from omnibench.sources import Sources
from omnibench.validation import validate


class FusedEntry(BaseModel):
    """`{fuse: ...}` among a suite's backbones.

    Attributes:
        id: of the fused backbone.
        fuse: its members in order: ids, those of entries above too, cards, or what the suite makes.
        how: what joins their embeddings: they stand side by side ("concat"), weighed there by an
            attention over them that is trained with the head ("attention").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Identifier
    fuse: list[str | dict[str, Any]] = Field(min_length=1)
    how: Literal["concat", "attention"] = "concat"


@dataclass
class SuiteBackbones:
    """What the entries that were added stand for.

    Attributes:
        base: the folder that paths are relative to.
        seed: of the suite.
        cards: the backbones by id.
        makers: the units that make some of them, by name.
    """

    base: Path
    seed: int
    sources: Sources
    cards: dict[str, BackboneCard] = field(default_factory=dict)
    makers: dict[str, Unit] = field(default_factory=dict)

    def add(self, entry: str | dict[str, Any], where: str) -> None:
        """Add what an id, a glob, a card, a training or a fusion stands for.

        Raises:
            RequestError: a name is unknown or a value is wrong, by its path.
        """
        self.cards.update({card.id: card for card in self._cards_of(entry, where)})

    def _cards_of(self, entry: str | dict[str, Any], where: str) -> list[BackboneCard]:
        if not isinstance(entry, str) and entry.keys() & {"pretrain", "trained"}:
            return [self._made(entry, where)]
        if not isinstance(entry, str) and "fuse" in entry:
            cards = [self._fused(entry, where)]
        elif not isinstance(entry, str):
            cards = [self._inline(entry, where)]
        else:
            try:
                cards = [backbones.get(name) for name in backbones.match(entry)]
            except RequestError as error:
                raise RequestError(f"{where}: {error}") from None
        try:
            return [self.sources.completed(card) for card in cards]
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from None

    def _made(self, entry: dict[str, Any], where: str) -> BackboneCard:
        """Return the backbone that a training leaves, whose unit is noted."""
        if "pretrain" in entry:
            card, unit = pretraining_unit(entry, self.base, self.seed, self.sources, where)
        else:
            named, place = validate(TrainedEntry, entry, where), f"{where}.trained"
            start = self._start(named.trained.backbone, f"{place}.backbone")
            card, unit = training_unit(named, start, self.base, self.seed, self.sources, place)
        if self.makers.setdefault(unit.name, unit) != unit:
            raise RequestError(f"{where}: {unit.name} stands twice with different recipes")
        option = tasks.get(unit.task).adaptations[unit.adaptation].inflates
        is_inflated = option is not None and unit.options[option] is not None
        self.sources.expect(card, unit.backbone, is_inflated)
        return card

    def _start(self, name: str, where: str) -> BackboneCard:
        """Return the backbone that a training starts from.

        Raises:
            RequestError: it is unknown, or the suite is yet to make it.
        """
        try:
            card = self.cards.get(name) or self.sources.completed(backbones.get(name))
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from None
        if any(card.source_name == cell.digest for m in self.makers.values() for cell in m.cells):
            raise RequestError(
                f"{where}: '{name}' is what this suite makes; start from a backbone that is there "
                "before, such as the one that its record left"
            )
        return card

    def _fused(self, entry: dict[str, Any], where: str) -> BackboneCard:
        """Return the card that joins others, which need not be backbones of the suite."""
        named = validate(FusedEntry, entry, where)
        members: list[BackboneCard] = []
        for index, member in enumerate(named.fuse):
            if isinstance(member, str) and member in self.cards:
                members.append(self.cards[member])
            else:
                members += self._cards_of(member, f"{where}.fuse[{index}]")
        ids = [member.id for member in members]
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise RequestError(f"{where}.fuse: '{twice}' stands twice; leave one")
        pretraining = [images for member in members for images in member.pretraining]
        values = dict[str, Any](
            id=named.id,
            family="fused",
            source=f"fuse:{named.how}",
            members=members,
            pretraining=tuple(dict.fromkeys(pretraining)),
        )
        return _of_free_id(validate(BackboneCard, values, where), where)

    def _inline(self, entry: dict[str, Any], where: str) -> BackboneCard:
        """Return a card as it is written, the path of its `file:` relative to the suite."""
        card = validate(BackboneCard, entry, where)
        if card.source_kind == "module" and not allowed_builder(card.source):
            raise RequestError(
                f"{where}.source: '{card.source}' is code that no plug-in holds; name its file "
                "under `plugins:` in the suite, or with --plugin"
            )
        if card.source_kind == "file":
            card = card.model_copy(update={"source": f"file:{self.base / card.source_name}"})
        return _of_free_id(card, where)


def _of_free_id(card: BackboneCard, where: str) -> BackboneCard:
    """Return a card whose id no other backbone has.

    Raises:
        RequestError: one is registered with it.
    """
    if card.id in backbones and backbones.get(card.id) != card:
        raise RequestError(
            f"{where}.id: '{card.id}' is a registered backbone; give yours another id"
        )
    return card
