"""DINO (Caron et al. 2021): self-distilled vision transformers on ImageNet-1k."""

from omnibench import BackboneCard, register_backbone

for size, width in (("small", 384), ("base", 768)):
    register_backbone(
        BackboneCard(
            id=f"dino-{size}",
            family="dino",
            size=size,
            width=width,
            depth=12,
            patch=16,
            prefix_tokens=1,
            pool="cls",
            source=f"timm:vit_{size}_patch16_224.dino",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            licence="Apache-2.0",
            pretraining=("imagenet-1k",),
            citation="arXiv:2104.14294",
            display=f"DINO ViT-{size[0].upper()}/16",
            bib="caron2021dino",
        )
    )
