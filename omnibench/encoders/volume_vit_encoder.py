"""A vision transformer of volumes as an encoder: of one slice, it sees a volume of equal ones."""

from collections.abc import Sequence

from torch import Tensor

from omnibench.cards import BackboneCard
from omnibench.encoders.pooling import pooled, standardised
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.volume_vit import VolumeViT
from omnibench.errors import RequestError


class VolumeViTEncoder:
    """Embeds volumes by the class token, or by the mean of the boxes' tokens, as the card says."""

    def __init__(self, module: VolumeViT, preprocess: Preprocess, card: BackboneCard) -> None:
        self.module, self.preprocess, self.card = module, preprocess, card
        self.width = module.embed_dim

    def embed(self, images: Tensor) -> Tensor:
        return self.pooled(self.preprocess(images))

    def pooled(self, pixels: Tensor) -> Tensor:
        return self._of_volumes(pixels[:, :, None])

    def embed_volumes(self, volumes: Tensor) -> Tensor:
        return self._of_volumes(self.preprocess.of_volumes(volumes))

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        raise RequestError(f"{self.card.id}: its tokens are of volumes; it gives none of images")

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        raise RequestError(f"{self.card.id}: its tokens are of volumes; it gives no maps of images")

    def _of_volumes(self, pixels: Tensor) -> Tensor:
        after = self.card.norm_after_pool
        tokens = self.module.last_block(pixels) if after else self.module(pixels)
        embeddings = pooled(tokens[:, :1], tokens[:, 1:], self.card.pool or "cls")
        return standardised(embeddings) if after else embeddings
