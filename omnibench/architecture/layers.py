"""What a name tells of how a network can be trained: layers, branches, attention. No torch here."""

from omnibench.architecture.floors import is_floor
from omnibench.architecture.table import timm_facts
from omnibench.architecture.volume_vits import VOLUME_VITS
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
# Of the table's names such ones, and those that end so, have attention with linear projections.
ATTENDING = (
    *("aimv2", "beit", "caformer", "cait", "coat_", "convit", "crossvit", "csatv2", "davit"),
    *("deepseek", "deit", "edgenext", "efficientformer_", "eva", "fastvit_m", "fastvit_sa"),
    *("flexivit", "gcvit", "hiera", "maxvit", "maxxvit", "mobilevit_", "mvitv2", "naflexvit"),
    *("nest", "nextvit", "pit_", "pvt", "qwen", "sam", "swin", "test_maxvit", "test_vit", "tiny_"),
    *("tnt", "twins", "vit", "volo", "xcit"),
)
POOLED_BY_ATTENTION = "_clip"
# Of those with attention, such ones do not make its tokens by one convolution of patches.
STEMMED = (
    *("caformer", "crossvit_15_dagger", "crossvit_18_dagger", "crossvit_9_dagger", "davit"),
    *("edgenext_small_rw", "efficientformer_", "fastvit_", "gcvit", "hiera", "maxvit", "maxxvit"),
    *("mobilevit_", "mvitv2", "naflexvit", "nextvit", "pit_", "pvt", "resnet", "sam2", "test_max"),
    *("tiny_vit", "tnt", "vit_base_r", "vit_large_r", "vit_small_r", "vit_tiny_r", "vitamin"),
    *("volo", "xcit"),
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


def may_attend(card: BackboneCard) -> bool:
    """Return whether a backbone may have attention for low-rank updates; as `may_have_layers`."""
    name = _base_name(card)
    if not name or name in VOLUME_VITS:
        return not card.source.startswith("omnibench.")  # builders of ours make CNNs and floors
    known = timm_facts(name) is not None
    return not known or name.startswith(ATTENDING) or name.endswith(POOLED_BY_ATTENTION)


def may_begin_with_patches(card: BackboneCard) -> bool:
    """Return whether one convolution may make tokens of patches; as `may_have_layers`."""
    return may_attend(card) and not _base_name(card).startswith(STEMMED)


def _base_name(card: BackboneCard) -> str:
    """Return the name of a card's architecture without weights and draw; "" as `_timm_name`."""
    return _timm_name(card).partition("@")[0].partition(".")[0]


def _is_of_timm(card: BackboneCard) -> bool:
    if card.source_kind == "transformers":
        return card.architecture is not None
    return card.source not in OWN and not is_floor(card)


def _timm_name(card: BackboneCard) -> str:
    """Return the name of a card's architecture; "" where only loading tells it."""
    named = card.source_name if card.source_kind in ("timm", "random") else ""
    return card.architecture or named
