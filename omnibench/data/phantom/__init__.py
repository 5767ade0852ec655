"""`phantom`: images of made-up patients, drawn on demand: every task runs with no download.

`phantom-easy` shows other patients in fewer views, with larger lesions and less noise: some hundred
images and a minute of training are enough to tell models apart. `phantom-noisy` is the same with
two classes, and labels of which known shares are wrong. `phantom-volume` is made of studies, each
of one or two stacks of slices through one body. `phantom-translate` asks for the MR of what CT
shows, `phantom-longitudinal` how lesions go on from visit to visit.
"""

from omnibench.cards import DatasetCard, MapFacts
from omnibench.catalogue import register_dataset

VERSION = 1  # part of every seed: raise it with any change that alters a pixel, a mask or a word
KINDS = ("no-lesion", "cyst", "solid-mass", "spiculated-mass", "calcified-nodule")
FINDINGS = KINDS[1:]  # of which an image of `phantom-findings` may show several

CARD = register_dataset(
    DatasetCard(
        id="phantom",
        reader="omnibench.data.phantom.reader:read",
        tasks=("classification", "segmentation", "captioning", "pretraining"),
        modality="CT, MR, ultrasound and radiograph (generated)",
        labels="multi-class",
        classes=KINDS,
        mask_classes=("background", "organ", "lesion"),
        channels=1,
        resolution=64,
        splits={"train": 600, "val": 150, "test": 300},
        primary={"classification": "macro-f1", "segmentation": "dice", "captioning": "meteor"},
        licence="Apache-2.0",
        version=VERSION,
        note="Generated test bench of made-up patients: its scores say nothing of clinical worth.",
    )
)

EASY_CARD = register_dataset(
    CARD.model_copy(
        update={
            "id": "phantom-easy",
            "reader": "omnibench.data.phantom.reader:read_easy",
            "splits": {"train": 600, "val": 150, "test": 450},
            "note": "Generated test bench of made-up patients with large, clear lesions, so that "
            "minutes of training tell models apart: its scores say nothing of clinical worth.",
        }
    )
)

FINDINGS_CARD = register_dataset(
    DatasetCard(
        id="phantom-findings",
        reader="omnibench.data.phantom.findings:read",
        tasks=("classification",),
        modality=CARD.modality,
        labels="multi-label",
        classes=FINDINGS,
        channels=1,
        resolution=64,
        splits={"train": 600, "val": 200, "test": 400},
        primary={"classification": "auc"},
        licence=CARD.licence,
        version=VERSION,
        note=CARD.note,
    )
)

VOLUME_CARD = register_dataset(
    DatasetCard(
        id="phantom-volume",
        reader="omnibench.data.phantom.volumes:read",
        tasks=("volumes",),
        modality="CT (generated)",
        labels="binary",
        classes=("no lesion", "lesion"),
        mask_classes=CARD.mask_classes,
        channels=1,
        resolution=64,
        splits={"train": 160, "val": 60, "test": 160},
        images_per_study=41,
        views=("axial", "sagittal"),
        primary={"volumes": "auc"},
        licence=CARD.licence,
        version=VERSION,
        note=CARD.note,
    )
)

register_dataset(
    DatasetCard(
        id="phantom-noisy",
        reader="omnibench.data.phantom.reader:read_noisy",
        tasks=("classification",),
        modality=EASY_CARD.modality,
        labels="binary",
        classes=("no-lesion", "lesion"),
        noisy_labels=True,
        channels=1,
        resolution=EASY_CARD.resolution,
        splits=EASY_CARD.splits,
        primary={"classification": "auc"},
        licence=EASY_CARD.licence,
        version=VERSION,
        origins=("phantom-easy",),
        note="Generated test bench, the images of phantom-easy with or without a lesion; of its "
        "noisy labels 30 % of the lesions are missed and 10 % of the others made up: its scores "
        "say nothing of clinical worth.",
    )
)

VESSELS_CARD = register_dataset(
    DatasetCard(
        id="phantom-vessels",
        reader="omnibench.data.phantom.vessels:read",
        tasks=("segmentation", "pretraining"),
        modality="angiogram (generated)",
        mask_classes=("background", "vessel"),
        channels=1,
        resolution=96,
        pixel_spacing=(0.5, 0.5),
        splits={"train": 240, "val": 60, "test": 120},
        primary={"segmentation": "dice"},
        licence="Apache-2.0",
        version=1,
        note="Generated trees of vessels: its scores say nothing of clinical worth.",
    )
)

TRANSLATE_CARD = register_dataset(
    DatasetCard(
        id="phantom-translate",
        reader="omnibench.data.phantom.translate:read",
        tasks=("dense",),
        modality="CT to T2-weighted MR (generated)",
        maps=MapFacts(unit="share of white", range=(0, 1), structure=0.8),
        channels=1,
        resolution=64,
        splits={"train": 240, "val": 60, "test": 120},
        primary={"dense": "mae"},
        licence=CARD.licence,
        version=VERSION,
        note=CARD.note,
    )
)

register_dataset(
    DatasetCard(
        id="phantom-longitudinal",
        reader="omnibench.data.phantom.longitudinal:read",
        tasks=("progression",),
        modality="lesions in regions (generated)",
        channels=1,
        resolution=64,
        splits={"train": 80, "val": 30, "test": 60},
        images_per_study=3,
        licence="Apache-2.0",
        version=1,
        note="Generated patients: its scores say nothing of clinical worth.",
    )
)
