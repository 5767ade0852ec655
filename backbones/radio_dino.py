"""Radio DINO (Zedda et al. 2024): DINO vision transformers pretrained on RadImageNet."""

from omnibench import BackboneCard, register_backbone

for size, short, width in (("small", "s", 384), ("base", "b", 768)):
    register_backbone(
        BackboneCard(
            id=f"radio-dino-{size}",
            family="radio-dino",
            size=size,
            width=width,
            depth=12,
            patch=16,
            pool="cls",
            source=f"hf_hub:Snarcy/RadioDino-{short}16",
            licence="see the hub repository",
            pretraining=("radimagenet",),
            citation="Radio DINO, hub repositories Snarcy/RadioDino-*",
            display=f"Radio DINO ViT-{size[0].upper()}/16",
            bib="zedda2024radiodino",
        )
    )
