"""Small NIfTI studies for the tests of what reads them."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

ROWS = """study,split,patient,label
s1,train,p1,ill
s2,train,p2,well
s3,train,p3,ill
s4,val,p4,ill
s5,val,p5,well
s6,test,p6,ill
s7,test,p7,well
"""
STUDIES = ("s1", "s2", "s3", "s4", "s5", "s6", "s7")
WINDOW = "window: [100, 400]\n"


def values_of(shape: tuple[int, ...] = (7, 6, 5), seed: int = 0) -> NDArray[np.int16]:
    """Return values that differ from voxel to voxel."""
    rng = np.random.default_rng(seed)
    return rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.int16)


def write(
    path: Path,
    values: NDArray[Any],
    affine: NDArray[Any] | None = None,
    codes: tuple[int, int] = (1, 1),
) -> Path:
    """Write a volume.

    Args:
        affine: of qform and sform; None for voxels of 1 x 1 x 3 mm along RAS+.
        codes: of qform and sform, 0 for a form that is not set.
    """
    affine = np.diag([1.0, 1.0, 3.0, 1.0]) if affine is None else affine
    image = nibabel.Nifti1Image(values, None, dtype=values.dtype)
    if codes[0]:
        image.header.set_qform(affine, codes[0])
    if codes[1]:
        image.header.set_sform(affine, codes[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def write_studies(root: Path, declared: str = WINDOW) -> Path:
    """Write seven studies, each with a view "axial"."""
    for number, study in enumerate(STUDIES):
        write(root / study / "axial.nii.gz", values_of(seed=number))
    (root / "labels.csv").write_text(ROWS)
    (root / "omnibench.yaml").write_text(declared)
    return root
