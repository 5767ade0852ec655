"""MedMNIST v2 (Yang et al. 2023): the twelve 2-D sets at 28, 64, 128 and 224 px, six 3-D ones.

`breastmnist` is the 224 px file, as in the OmniRad study; `breastmnist-28` and so on the others.
Of the 3-D sets, whose volumes are studies, `organmnist3d` is the 64 px file and `organmnist3d-28`
the other.
"""

from omnibench import DatasetCard, register_dataset
from omnibench.cards import SPLITS
from omnibench.data.labels import primary_metric
from omnibench.data.medmnist3d_facts import FACTS_3D, ORIGINS_3D
from omnibench.data.medmnist_facts import FACTS, ORIGINS, SIZES, ZENODO_RECORD

for name, facts in {**FACTS, **FACTS_3D}.items():
    solid = name in FACTS_3D
    sizes = SIZES[: len(facts.md5)]
    for size, md5 in zip(sizes, facts.md5, strict=True):
        file = f"{name}.npz" if size == 28 else f"{name}_{size}.npz"
        address = f"https://zenodo.org/records/{ZENODO_RECORD}/files/{file}?download=1"
        register_dataset(
            DatasetCard(
                id=name if size == sizes[-1] else f"{name}-{size}",
                reader="omnibench.data.npz:read",
                files={f"medmnist/{file}": f"md5:{md5}"},
                urls={f"medmnist/{file}": (address,)},
                tasks=("volumes" if solid else "classification",),
                modality=facts.modality,
                labels=facts.labels,
                classes=tuple(facts.classes.split("; ")),
                channels=facts.channels,
                resolution=size,
                splits=dict(zip(SPLITS, facts.splits, strict=True)),
                images_per_study=size if solid else None,
                primary={"volumes" if solid else "classification": primary_metric(facts.labels)},
                origins=(ORIGINS | ORIGINS_3D)[name],
                licence=facts.licence,
                citation="arXiv:2110.14795",
                bib="yang2023medmnist",
            )
        )
