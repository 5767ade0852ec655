"""Supervised vision transformers (Steiner et al. 2021, "augreg") and their random controls."""

from omnibench import BackboneCard, register_backbone

for size, width, tag in (
    ("small", 384, "augreg_in21k_ft_in1k"),
    ("base", 768, "augreg2_in21k_ft_in1k"),
):
    register_backbone(
        BackboneCard(
            id=f"vit-{size}",
            family="vit",
            size=size,
            width=width,
            depth=12,
            patch=16,
            prefix_tokens=1,
            pool="cls",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            source=f"timm:vit_{size}_patch16_224.{tag}",
            licence="Apache-2.0",
            pretraining=("imagenet-21k", "imagenet-1k"),
            citation="arXiv:2106.10270",
            display=f"AugReg ViT-{size[0].upper()}/16",
            bib="steiner2021augreg",
        )
    )

for size, width in (("tiny", 192), ("small", 384)):
    register_backbone(
        BackboneCard(
            id=f"random-vit-{size}",
            family="random",
            size=size,
            width=width,
            depth=12,
            patch=16,
            prefix_tokens=1,
            pool="cls",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            source=f"random:vit_{size}_patch16_224",
            licence="Apache-2.0",
            citation="arXiv:2010.11929",
            display=f"Random ViT-{'Ti' if size == 'tiny' else size[0].upper()}/16",
            bib="dosovitskiy2020vit",
        )
    )

# timm's smallest ViT, which it ships for its own tests: 0.4 M parameters.
register_backbone(
    BackboneCard(
        id="random-vit-nano",
        family="random",
        size="nano",
        width=64,
        depth=6,
        patch=16,
        prefix_tokens=1,
        pool="mean",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        source="random:test_vit",
        licence="Apache-2.0",
        citation="arXiv:2010.11929",
        display="Random ViT-nano/16",
        bib="dosovitskiy2020vit",
    )
)

# Of volumes, in boxes of 8 and 16 voxels a side: where `mae3d` starts from.
for size, width, depth, patch in (("tiny", 192, 12, 8), ("large", 1024, 24, 16)):
    register_backbone(
        BackboneCard(
            id=f"random-vit3d-{size}",
            family="random",
            size=size,
            width=width,
            depth=depth,
            pool="mean",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            source=f"random:vit3d-{size}",
            licence="Apache-2.0",
            citation="arXiv:2010.11929",
            display=f"Random ViT3D-{'Ti' if size == 'tiny' else 'L'}/{patch}",
            bib="dosovitskiy2020vit",
        )
    )
