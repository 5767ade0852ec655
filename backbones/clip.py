"""CLIP image towers: LAION-2B (OpenCLIP, Cherti et al. 2022) and OpenAI's (Radford et al. 2021)."""

from omnibench import BackboneCard, register_backbone

for suffix, tag, data, licence, citation, display, bib in (
    (
        "",
        "laion2b",
        "laion-2b",
        "MIT",
        "arXiv:2212.07143",
        "OpenCLIP ViT-B/16",
        "cherti2023openclip",
    ),
    (
        "-openai",
        "openai",
        "wit-400m",
        "MIT",
        "arXiv:2103.00020",
        "CLIP ViT-B/16",
        "radford2021clip",
    ),
):
    register_backbone(
        BackboneCard(
            id=f"clip-base{suffix}",
            family="clip",
            size="base",
            width=768,
            depth=12,
            patch=16,
            prefix_tokens=1,
            pool="cls",
            source=f"timm:vit_base_patch16_clip_224.{tag}",
            mean=(0.48145466, 0.4578275, 0.40821073),
            std=(0.26862954, 0.26130258, 0.27577711),
            licence=licence,
            pretraining=(data,),
            citation=citation,
            display=display,
            bib=bib,
        )
    )
