"""Facts of the six 3-D sets of MedMNIST v2 (Yang et al. 2023, arXiv:2110.14795).

From the package medmnist 3.0.2, which imports torch and so is asked by a test alone. There are
files of the first two of SIZES, 28 and 64 voxels a side.
"""

from omnibench.data.medmnist_facts import Facts

FACTS_3D: dict[str, Facts] = {
    "organmnist3d": Facts(
        "abdominal CT",
        1,
        "multi-class",
        "liver; kidney-right; kidney-left; femur-right; femur-left; bladder; heart; "
        "lung-right; lung-left; spleen; pancreas",
        (971, 161, 610),
        ("a0c5a1ff56af4f155c46d46fbb45a2fe", "58a2205adf14a9d0a189cb06dc78bf10"),
    ),
    "nodulemnist3d": Facts(
        "chest CT",
        1,
        "binary",
        "benign; malignant",
        (1158, 165, 310),
        ("8755a7e9e05a4d9ce80a24c3e7a256f3", "c47c5b7d457bf6332200d2ea6d64ecd8"),
    ),
    "adrenalmnist3d": Facts(
        "shape of adrenal glands from CT",
        1,
        "binary",
        "normal; hyperplasia",
        (1188, 98, 298),
        ("bbd3c5a5576322bc4cdfea780653b1ce", "17721accfe9fb005146a47d33bc54b2f"),
    ),
    "fracturemnist3d": Facts(
        "chest CT",
        1,
        "multi-class",
        "buckle rib fracture; nondisplaced rib fracture; displaced rib fracture",
        (1027, 103, 240),
        ("6aa7b0143a6b42da40027a9dda61302f", "f01d7e6316aedf4210da0da5b7437b42"),
    ),
    "vesselmnist3d": Facts(
        "shape of brain vessels from MR angiography",
        1,
        "binary",
        "vessel; aneurysm",
        (1335, 191, 382),
        ("b41fd4f7e7e2feedddb201585ecafa1b", "6bb274a8846e1097066dcd64e2c4520f"),
    ),
    "synapsemnist3d": Facts(
        "electron microscopy",
        1,
        "binary",
        "inhibitory synapse; excitatory synapse",
        (1230, 177, 352),
        ("1235b78a3cd6280881dd7850a78eadb6", "43bd14ebf3af9d3dd072446fedc14d5e"),
    ),
}

# The collections that the volumes were taken from (Yang et al. 2023, Methods).
ORIGINS_3D = {
    "organmnist3d": ("lits",),
    "nodulemnist3d": ("lidc-idri",),
    "adrenalmnist3d": ("adrenalmnist3d",),
    "fracturemnist3d": ("ribfrac",),
    "vesselmnist3d": ("intra",),
    "synapsemnist3d": ("mitoem",),
}
