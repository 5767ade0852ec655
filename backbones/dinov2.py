"""DINOv2 (Oquab et al. 2023): self-supervised vision transformers on LVD-142M."""

from omnibench import BackboneCard, register_backbone

for size, width in (("small", 384), ("base", 768)):
    register_backbone(
        BackboneCard(
            id=f"dinov2-{size}",
            family="dinov2",
            size=size,
            width=width,
            depth=12,
            patch=14,
            prefix_tokens=1,
            pool="cls",
            source=f"timm:vit_{size}_patch14_dinov2.lvd142m",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            licence="Apache-2.0",
            pretraining=("lvd-142m",),
            citation="arXiv:2304.07193",
            display=f"DINOv2 ViT-{size[0].upper()}/14",
            bib="oquab2023dinov2",
        )
    )
