"""The papers behind shipped backbones and datasets, as BibTeX and as a list that LaTeX prints."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from omnibench.cards import Card
from omnibench.report.latex import breakable


class Reference(NamedTuple):
    """One paper.

    Attributes:
        authors: as BibTeX takes them, in ASCII.
        where: "arXiv:NUMBER" or "doi:NUMBER".
    """

    authors: str
    title: str
    year: int
    where: str


REFERENCES: Mapping[str, Reference] = {
    "caron2021dino": Reference(
        "Caron, Mathilde and others",
        "Emerging Properties in Self-Supervised Vision Transformers",
        2021,
        "arXiv:2104.14294",
    ),
    "oquab2023dinov2": Reference(
        "Oquab, Maxime and others",
        "DINOv2: Learning Robust Visual Features without Supervision",
        2023,
        "arXiv:2304.07193",
    ),
    "simeoni2025dinov3": Reference(
        r"Sim{\'e}oni, Oriane and others", "DINOv3", 2025, "arXiv:2508.10104"
    ),
    "he2021mae": Reference(
        "He, Kaiming and others",
        "Masked Autoencoders Are Scalable Vision Learners",
        2021,
        "arXiv:2111.06377",
    ),
    "zhou2023retfound": Reference(
        "Zhou, Yukun and others",
        "A Foundation Model for Generalizable Disease Detection from Retinal Images",
        2023,
        "doi:10.1038/s41586-023-06555-x",
    ),
    "zhou2025retfound": Reference(
        "Zhou, Yukun and others",
        "Generalist versus Specialist Vision Foundation Models for Ocular Disease and Oculomics",
        2025,
        "arXiv:2509.03421",
    ),
    "radford2021clip": Reference(
        "Radford, Alec and others",
        "Learning Transferable Visual Models From Natural Language Supervision",
        2021,
        "arXiv:2103.00020",
    ),
    "cherti2023openclip": Reference(
        "Cherti, Mehdi and others",
        "Reproducible Scaling Laws for Contrastive Language-Image Learning",
        2022,
        "arXiv:2212.07143",
    ),
    "steiner2021augreg": Reference(
        "Steiner, Andreas and others",
        "How to Train Your ViT? Data, Augmentation, and Regularization in Vision Transformers",
        2021,
        "arXiv:2106.10270",
    ),
    "dosovitskiy2020vit": Reference(
        "Dosovitskiy, Alexey and others",
        "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        2020,
        "arXiv:2010.11929",
    ),
    "he2015resnet": Reference(
        "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "Deep Residual Learning for Image Recognition",
        2015,
        "arXiv:1512.03385",
    ),
    "huang2016densenet": Reference(
        "Huang, Gao and Liu, Zhuang and van der Maaten, Laurens and Weinberger, Kilian Q.",
        "Densely Connected Convolutional Networks",
        2016,
        "arXiv:1608.06993",
    ),
    "tan2019efficientnet": Reference(
        "Tan, Mingxing and Le, Quoc V.",
        "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        2019,
        "arXiv:1905.11946",
    ),
    "sandler2018mobilenetv2": Reference(
        "Sandler, Mark and others",
        "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        2018,
        "arXiv:1801.04381",
    ),
    "yang2023medmnist": Reference(
        "Yang, Jiancheng and others",
        "MedMNIST v2: A Large-Scale Lightweight Benchmark for 2D and 3D Biomedical Image "
        "Classification",
        2021,
        "arXiv:2110.14795",
    ),
    "blankemeier2024merlin": Reference(
        "Blankemeier, Louis and others",
        "Merlin: A Vision Language Foundation Model for 3D Computed Tomography",
        2024,
        "arXiv:2406.06512",
    ),
    "kus2024medsegbench": Reference(
        "Kus, Zeki and Aydin, Musa",
        "MedSegBench: A comprehensive benchmark for medical image segmentation in diverse data "
        "modalities",
        2024,
        "doi:10.1038/s41597-024-04159-2",
    ),
    "fonov2011mni152": Reference(
        "Fonov, Vladimir and others",
        "Unbiased average age-appropriate atlases for pediatric studies",
        2011,
        "doi:10.1016/j.neuroimage.2010.07.033",
    ),
    "mei2022radimagenet": Reference(
        "Mei, Xueyan and others",
        "RadImageNet: An Open Radiologic Deep Learning Research Dataset for Effective Transfer "
        "Learning",
        2022,
        "doi:10.1148/ryai.210315",
    ),
    "ruckert2024rocov2": Reference(
        r"R{\"u}ckert, Johannes and others",
        "ROCOv2: Radiology Objects in COntext Version 2, an Updated Multimodal Image Dataset",
        2024,
        "arXiv:2405.10004",
    ),
}


def cited(cards: Iterable[Card]) -> dict[str, str]:
    """Return key -> what the first card with it gives as its source, in order."""
    keys: dict[str, str] = {}
    for card in cards:
        if card.bib:
            keys.setdefault(card.bib, card.citation or card.display or card.id)
    return keys


def to_bibtex(cards: Iterable[Card]) -> str:
    """Return an entry for each paper that the cards cite and that is known here.

    Of another key only its source stands there, as a comment.
    """
    parts = []
    for key, source in cited(cards).items():
        paper = REFERENCES.get(key)
        if paper is None:
            text = " ".join(source.split()).encode("ascii", "backslashreplace").decode()
            parts.append(f"% {key}: {text}\n")
            continue
        kind, _, number = paper.where.partition(":")
        where = (
            f"  eprint = {{{number}}},\n  archiveprefix = {{arXiv}},\n"
            if kind == "arXiv"
            else f"  doi = {{{number}}},\n"
        )
        parts.append(
            f"@misc{{{key},\n  author = {{{paper.authors}}},\n  title = {{{{{paper.title}}}}},\n"
            f"  year = {{{paper.year}}},\n{where}}}\n"
        )
    return "\n".join(parts)


def to_bibliography(cards: Iterable[Card]) -> str:
    r"""Return a thebibliography with an item for each key, so that no \cite is left open."""
    items = [
        rf"\bibitem{{{key}}} {_item(REFERENCES.get(key), source)}"
        for key, source in cited(cards).items()
    ]
    if not items:
        return ""
    return "\n".join([r"\begin{thebibliography}{99}", *items, r"\end{thebibliography}"])


def _item(paper: Reference | None, source: str) -> str:
    if paper is None:
        return f"{breakable(source)}."
    authors = paper.authors.replace(" and others", " et al.").replace(" and ", "; ")
    title = breakable(paper.title)
    stop = "" if title.endswith("?") else "."
    return f"{authors} ({paper.year}). {title}{stop} {breakable(paper.where)}."
