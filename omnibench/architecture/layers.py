"""What a name tells of how a network can be trained: its layers and branches. No torch here."""

from omnibench.architecture.floors import is_floor
from omnibench.cards import BackboneCard

# Of timm's names. Such networks do not say which layer a parameter belongs to (`group_matcher`),
UNLAYERED = ("caformer", "convformer", "csatv2", "pit_", "poolformer")
# and such ones know no rate at which images skip residual branches (`drop_path_rate`).
UNBRANCHED = (
    "convmixer",
    "densenet",
    "dla",
    "dpn",
    "efficientvit_",
    "ghostnet",
    "hrnet",
    "inception_",
    "lcnetv2",
    "legacy_",
    "nasnet",
    "pnasnet",
    "repghostnet",
    "repvit",
    "selecsls",
    "shvit",
    "vgg",
)
# Networks of omnibench's own making, by the sources of their cards, have neither, nor have floors.
OWN = ("omnibench.backbones.astra:inflated_resnet152", "omnibench.backbones.medmnist:resnet18")


def may_have_layers(card: BackboneCard) -> bool:
    """Return whether a backbone may say which layers it has; loading it tells where this does not.

    timm's networks do; those of transformers do not.
    """
    return _is_of_timm(card) and not _timm_name(card).startswith(UNLAYERED)


def may_have_branches(card: BackboneCard) -> bool:
    """Return whether a backbone may have residual branches to drop; as `may_have_layers`."""
    return _is_of_timm(card) and not _timm_name(card).startswith(UNBRANCHED)


def _is_of_timm(card: BackboneCard) -> bool:
    if card.source_kind == "transformers":
        return card.architecture is not None
    return card.source not in OWN and not is_floor(card)


def _timm_name(card: BackboneCard) -> str:
    """Return the name of a card's architecture; "" where only loading tells it."""
    named = card.source_name if card.source_kind in ("timm", "random") else ""
    return card.architecture or named
