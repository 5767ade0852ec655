"""DINOv3 (Siméoni et al. 2025): rotary positions and four register tokens, on LVD-1689M."""

from omnibench import BackboneCard, register_backbone

for size, width in (("small", 384), ("base", 768)):
    register_backbone(
        BackboneCard(
            id=f"dinov3-{size}",
            family="dinov3",
            size=size,
            width=width,
            depth=12,
            patch=16,
            prefix_tokens=5,
            pool="cls",
            source=f"timm:vit_{size}_patch16_dinov3_qkvb.lvd1689m",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            licence="DINOv3 License",
            pretraining=("lvd-1689m",),
            citation="arXiv:2508.10104",
            display=f"DINOv3 ViT-{size[0].upper()}/16",
            bib="simeoni2025dinov3",
        )
    )
