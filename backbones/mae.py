"""MAE (He et al. 2021): vision transformer pretrained by reconstructing masked patches."""

from omnibench import BackboneCard, register_backbone

register_backbone(
    BackboneCard(
        id="mae-base",
        family="mae",
        size="base",
        width=768,
        depth=12,
        patch=16,
        prefix_tokens=1,
        pool="cls",
        source="timm:vit_base_patch16_224.mae",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        licence="CC-BY-NC-4.0",
        pretraining=("imagenet-1k",),
        citation="arXiv:2111.06377",
        display="MAE ViT-B/16",
        bib="he2021mae",
    )
)
