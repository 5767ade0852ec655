"""MedSegBench (Kus & Aydin 2024): the 35 sets at 128, 256 and 512 px.

`busi` is the 512 px file, the package's default, which the OmniRad study brings to 448 px;
`busi-128` and `busi-256` are the others. Masks hold class indices; where the package says only
that the foreground is non-zero, every value but 0 is read as 1.
"""

from omnibench import DatasetCard, register_dataset
from omnibench.cards import SPLITS
from omnibench.data.medsegbench_facts import BINARY, FACTS, MASK_CLASSES, MD5, ORIGINS, SIZES

CHECKSUMS = {file: md5 for md5, file in map(str.split, MD5.splitlines())}

for name, facts in FACTS.items():
    for size in SIZES:
        file = f"{name}_{size}.npz"
        address = f"https://zenodo.org/records/{facts.record}/files/{file}?download=1"
        register_dataset(
            DatasetCard(
                id=name if size == 512 else f"{name}-{size}",
                reader="omnibench.data.masks:read_foreground"
                if facts.any_value
                else "omnibench.data.npz:read",
                files={f"medsegbench/{file}": f"md5:{CHECKSUMS[file]}"},
                urls={f"medsegbench/{file}": (address,)},
                tasks=("segmentation",),
                modality=facts.modality,
                mask_classes=tuple(MASK_CLASSES.get(name, BINARY).split("; ")),
                channels=facts.channels,
                resolution=size,
                splits=dict(zip(SPLITS, facts.splits, strict=True)),
                primary={"segmentation": "dice"},
                origins=ORIGINS.get(name, (name,)),
                licence=facts.licence,
                citation="doi:10.1038/s41597-024-04159-2",
                bib="kus2024medsegbench",
            )
        )
