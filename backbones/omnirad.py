"""OmniRad: DINOv2 with global crops only, pretrained on RadImageNet."""

from omnibench import BackboneCard, register_backbone

for size, width in (("small", 384), ("base", 768)):
    register_backbone(
        BackboneCard(
            id=f"omnirad-{size}",
            family="omnirad",
            size=size,
            width=width,
            depth=12,
            patch=14,
            pool="cls",
            source=f"hf_hub:Snarcy/OmniRad-{size}",
            licence="see the hub repository",
            pretraining=("radimagenet",),
            citation="OmniRad, hub repositories Snarcy/OmniRad-*",
            display=f"OmniRad ViT-{size[0].upper()}/14",
            bib="omnirad",
        )
    )
