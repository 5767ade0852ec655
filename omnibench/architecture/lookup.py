"""From a card to its architecture's facts, whatever its source. No torch here."""

from pathlib import Path

from omnibench import weights
from omnibench.architecture.config_files import folder_facts, timm_config_facts
from omnibench.architecture.facts import Architecture
from omnibench.architecture.shipped import SHIPPED
from omnibench.architecture.table import timm_facts
from omnibench.architecture.volume_vits import VOLUME_VITS, volume_vit_facts
from omnibench.cards import BackboneCard
from omnibench.errors import OmnibenchError
from omnibench.weights_record import find_weights_record

TIMM_NAMED = ("timm", "random")


def architecture_of(card: BackboneCard, data: Path, results: Path) -> Architecture | None:
    """Return the facts of a backbone's architecture; None where nothing here tells them.

    Args:
        data: the data folder, in which a hub repository's files may lie.
        results: the results folder, for a `record:` source.

    Raises:
        RequestError: the card names an architecture that timm has not.
    """
    kind, name = card.source_kind, card.source_name
    if kind in TIMM_NAMED:
        return named_architecture(card)
    if kind == "record":
        return _recorded(card, results)
    if card.architecture is not None:
        return timm_facts(card.architecture)
    if kind == "file":
        return folder_facts(Path(name))
    if kind in ("hf_hub", "transformers"):
        return _of_hub(card, data)
    return named_architecture(card)


def named_architecture(card: BackboneCard) -> Architecture | None:
    """Return what a backbone's source tells by its name alone, without a look at files.

    Raises:
        RequestError: as `architecture_of`.
    """
    if card.source_kind in TIMM_NAMED:
        # Without the number of a random one's draw.
        name = card.source_name.partition("@")[0]
        return volume_vit_facts(name) if name in VOLUME_VITS else timm_facts(name)
    return SHIPPED.get(card.source)


def _of_hub(card: BackboneCard, data: Path) -> Architecture | None:
    try:
        files = weights.locate(card, data)
    except OmnibenchError:
        return None  # the search for its weights says what is wrong
    return folder_facts(files.config.parent) if files and files.config else None


def _recorded(card: BackboneCard, results: Path) -> Architecture | None:
    try:
        notes = find_weights_record(results, card.source_name)["notes"]
    except (OmnibenchError, OSError):
        return None  # absent, which the search for its weights says
    name = card.architecture or notes.get("architecture")
    if name in VOLUME_VITS:
        return volume_vit_facts(name, notes.get("model_args"))
    return timm_config_facts({**notes, "architecture": name, "pretrained_cfg": notes})
