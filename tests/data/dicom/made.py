"""Makes DICOM files for tests: volumes as series, in any plane, as a scanner would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

# plane -> axis of the slices, and directions of growing columns and rows, in RAS
PLANES = {
    "axial": (2, (-1, 0, 0), (0, -1, 0)),
    "sagittal": (0, (0, -1, 0), (0, 0, -1)),
    "coronal": (1, (-1, 0, 0), (0, 0, -1)),
}
Change = Callable[[int, Dataset], object]


def volume(shape: tuple[int, int, int] = (6, 8, 5), seed: int = 0) -> NDArray[np.int16]:
    """Return a volume of Hounsfield units, indexed to the right, front and head (RAS)."""
    return np.random.default_rng(seed).integers(-1000, 1000, shape, dtype=np.int16)


def write_series(
    folder: Path,
    values: NDArray[np.int16],
    spacing: tuple[float, float, float] = (1.0, 1.0, 3.0),
    plane: str = "axial",
    change: Change = lambda index, dataset: None,
    **tags: Any,
) -> list[Path]:
    """Write a volume (RAS) as one file a slice, named against their order; return the files.

    Args:
        change: called with the number of each slice and its dataset before it is written.
        tags: further elements by keyword; of two files with one StudyInstanceUID one study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    axis, right, down = PLANES[plane]
    tags = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()} | tags
    files = []
    for index in range(values.shape[axis]):
        corner = [0, 0, 0]
        corner[axis] = index
        for direction in (right, down):  # the first pixel is where both begin
            at = int(np.abs(direction).argmax())
            corner[at] = values.shape[at] - 1 if direction[at] < 0 else 0
        dataset = slice_of(pixels_of(values, plane, index))
        position = np.array(corner) * spacing * (-1, -1, 1)
        dataset.ImagePositionPatient = position.tolist()
        dataset.ImageOrientationPatient = [*lps(right), *lps(down)]
        sides = [float(np.abs(np.dot(side, spacing))) for side in (down, right)]
        dataset.PixelSpacing = sides
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        change(index, dataset)
        path = folder / f"{values.shape[axis] - index:03d}"
        dataset.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def slice_of(stored: NDArray[np.int16]) -> FileDataset:
    """Return a CT slice of stored values, which are Hounsfield units + 1024."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientID = dataset.PatientName = "P"
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.WindowCenter, dataset.WindowWidth = [40, 500], [400, 1000]
    dataset.set_pixel_data(stored, "MONOCHROME2", 16)
    return dataset


def pixels_of(values: NDArray[np.int16], plane: str, index: int) -> NDArray[np.int16]:
    """Return one slice's stored values as a scanner writes them in this plane."""
    axis, right, down = PLANES[plane]
    image = np.take(values, index, axis)  # the earlier of the other axes, then the later
    image = image[:: sum(right), :: sum(down)].T
    return np.ascontiguousarray(image + np.int16(1024))


def lps(direction: tuple[int, int, int]) -> list[float]:
    return [-direction[0], -direction[1], direction[2]]


def edited(path: Path, edit: Callable[[Dataset], object]) -> None:
    """Change a file's dataset."""
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path)


def enhanced(values: NDArray[np.int16], slopes: list[float]) -> Dataset:
    """Return a volume (RAS), spacing (1, 1, 3), as one axial enhanced CT, its frames shuffled."""
    order = np.random.default_rng(0).permutation(values.shape[2])
    dataset = slice_of(pixels_of(values, "axial", 0))
    dataset.set_pixel_data(
        np.stack([pixels_of(values, "axial", index) for index in order]), "MONOCHROME2", 16
    )
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    del dataset.RescaleSlope, dataset.RescaleIntercept, dataset.WindowCenter, dataset.WindowWidth
    shared = Dataset()
    shared.PlaneOrientationSequence = [_of(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelMeasuresSequence = [_of(PixelSpacing=[1, 1])]
    shared.FrameVOILUTSequence = [_of(WindowCenter=60, WindowWidth=500)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for index in order:
        group = Dataset()
        group.PlanePositionSequence = [_of(ImagePositionPatient=[0, 0, 3 * int(index)])]
        rescaling = _of(RescaleSlope=slopes[index], RescaleIntercept=-1024)
        group.PixelValueTransformationSequence = [rescaling]
        dataset.PerFrameFunctionalGroupsSequence.append(group)
    return dataset


def _of(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
