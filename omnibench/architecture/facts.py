"""What an architecture tells of a backbone. No torch here."""

from dataclasses import dataclass
from typing import Literal

from omnibench.cards import BackboneCard, Channels

IMAGE_SIDE = 224


@dataclass(frozen=True)
class Architecture:
    """The facts of an encoder's architecture; a field is None where nothing tells it.

    Attributes:
        kind: `vit` has patch tokens on one grid through all of its blocks; `cnn` has maps of
            growing stride, as hierarchical transformers do; `other` gives no map of the image at
            the end: one vector an image of several branches, or tokens merged after the blocks.
        width: D of what `embed` gives.
        patch, depth: of a ViT.
        prefix_tokens: class and register tokens before the patch tokens.
        class_token: whether the first of them is a class token.
        reductions: the strides of its maps, one a stage of a CNN, one a block of a ViT.
        input_size: (height, width) in pixels that it is built for.
        fixed: whether it takes no other input size.
        flops: of one forward of one 224 px image, or of `input_size` where that is fixed.
        mean, std: the normalisation its weights expect, for images scaled to 0..1.
        trainable: whether it has weights that can be trained.
        staged: whether it gives maps of its stages or blocks, not that of its end alone.
        volumes: whether it sees whole volumes, too.
    """

    kind: Literal["vit", "cnn", "other"]
    width: int | None = None
    patch: int | None = None
    depth: int | None = None
    prefix_tokens: int | None = None
    class_token: bool | None = None
    reductions: tuple[int, ...] = ()
    input_size: tuple[int, int] = (IMAGE_SIDE, IMAGE_SIDE)
    fixed: bool = False
    flops: float | None = None
    mean: Channels | None = None
    std: Channels | None = None
    trainable: bool = True
    staged: bool = True
    volumes: bool = False

    @property
    def gives_maps(self) -> bool:
        """Whether it has maps of the image, of which tokens are made; branches have none."""
        return self.kind != "other" or len(set(self.reductions)) == 1

    @property
    def pool(self) -> Literal["cls", "mean"]:
        """The class token where there is one, else the mean of the patches."""
        return "cls" if self.class_token else "mean"


# Fields of a card that can only be as the architecture has them.
GIVEN = ("width", "depth", "patch", "prefix_tokens")
# Fields of a card that the architecture can tell.
COMPLETED = ("width", "depth", "patch", "prefix_tokens", "pool", "mean", "std", "flops")


def contradiction(card: BackboneCard, architecture: Architecture) -> str | None:
    """Return where a card says something else than its architecture; None where nowhere."""
    for name in GIVEN:
        value, fact = getattr(card, name), getattr(architecture, name)
        is_known = fact is not None or (name == "patch" and architecture.kind == "cnn")
        if value is not None and is_known and value != fact:
            return (
                f"{card.id}: its card says {name}={value}, the model has {fact}; correct the card"
            )
    return None


def completed(card: BackboneCard, architecture: Architecture) -> BackboneCard:
    """Return the card with every field it leaves out that the architecture tells."""
    gaps = {name for name in COMPLETED if getattr(card, name) is None}
    facts = {name: getattr(architecture, name) for name in gaps - {"flops"}}
    # A ViT's follow from its size.
    if "flops" in gaps and architecture.kind != "vit" and architecture.flops:
        height, width = architecture.input_size if architecture.fixed else (IMAGE_SIDE,) * 2
        facts["flops"] = architecture.flops * IMAGE_SIDE**2 / (height * width)
    return card.model_copy(update={name: fact for name, fact in facts.items() if fact is not None})
