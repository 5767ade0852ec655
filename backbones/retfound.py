"""RETFound (Zhou et al. 2023, 2025): vision transformers pretrained on retinal images.

Their repositories are gated and hold one checkpoint each, an MAE's with its decoder or DINOv2's
with its teacher. RETFound's code pools the MAE's patch tokens before a fresh norm, here they are
pooled behind the pretrained one; DINOv2's class token is as there.
"""

from omnibench import BackboneCard, register_backbone

FUNDUS, OCT = ("meh-midas", "eyepacs"), ("meh-midas", "kermany-oct")

for name, hub_name, images in (
    ("mae-fundus", "mae_natureCFP", FUNDUS),
    ("mae-oct", "mae_natureOCT", OCT),
    ("mae-meh", "mae_meh", ("meh-midas",)),
    ("mae-shanghai", "mae_shanghai", ("shanghai-fundus",)),
    ("dinov2-meh", "dinov2_meh", ("meh-midas",)),
    ("dinov2-shanghai", "dinov2_shanghai", ("shanghai-fundus",)),
):
    method, _, images_of = name.partition("-")
    by_mae = method == "mae"
    patch, written = (16, "MAE") if by_mae else (14, "DINOv2")
    register_backbone(
        BackboneCard(
            id=f"retfound-{name}",
            family="retfound",
            size="large",
            width=1024,
            depth=24,
            patch=patch,
            prefix_tokens=1,
            pool="mean" if by_mae else "cls",
            source=f"hf_hub:YukunZhou/RETFound_{hub_name}",
            hub_file=f"RETFound_{hub_name}.pth",
            architecture="vit_large_patch16_224" if by_mae else "vit_large_patch14_dinov2",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            licence="CC-BY-NC-4.0",
            pretraining=("imagenet-1k" if by_mae else "lvd-142m", *images),
            citation="doi:10.1038/s41586-023-06555-x" if by_mae else "arXiv:2509.03421",
            display=f"RETFound-{written} ViT-L/{patch} ({images_of})",
            bib="zhou2023retfound" if by_mae else "zhou2025retfound",
        )
    )
