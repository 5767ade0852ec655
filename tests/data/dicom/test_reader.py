"""`dicom:PATH` from its table to the images of its splits, and what of it is refused."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Labels, sources
from omnibench.data.sources import resolve
from omnibench.errors import DataError
from omnibench.window import apply
from tests.conftest import Bench
from tests.data.dicom.made import PLANES, edited, volume, write_series

SPLITS = ("train", "train", "val", "val", "test", "test")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six axial studies of their own patients, s0 to s5, two a split."""
    folder = tmp_path / "set"
    for number in range(6):
        write_series(folder / f"s{number}", volume(seed=number), PatientID=f"P{number}")
    write_table(folder, [f"s{number}" for number in range(6)])
    return folder


def write_table(root: Path, studies: list[str]) -> None:
    rows = [f"{name},{SPLITS[k]},{'ab'[k % 2]}\n" for k, name in enumerate(studies)]
    (root / "labels.csv").write_text(f"study,split,label\n{''.join(rows)}")


def card(root: Path) -> DatasetCard:
    return resolve(f"dicom:{root.name}", root.parent)


def read(root: Path) -> Dataset:
    return sources.load(card(root), root.parent / "data")


def test_slices_labels_and_studies_are_those_of_the_files_and_the_table(root: Path) -> None:
    dataset = read(root)
    assert dataset.card.splits == {"train": 2, "val": 2, "test": 2}
    assert dataset.card.classes == ("a", "b") and dataset.card.images_per_study == 5
    train = dataset.splits["train"]
    values = np.concatenate([volume(seed=number).T[:, ::-1, ::-1] for number in (0, 1)])
    np.testing.assert_array_equal(train.images.read(0, 99), apply(values, ((40.0, 400.0),)))
    assert train.place is not None and train.view is not None and train.groups is not None
    assert train.place.tolist() == [0, 3, 6, 9, 12] * 2
    assert set(train.view) == {"axial"} and len(set(train.groups)) == len(train.studies) == 2
    assert train.target("labels", Labels).values.tolist() == [0, 1]
    assert dataset.left_out == ()


@pytest.mark.parametrize("plane", ["axial", "sagittal", "coronal"])
@pytest.mark.parametrize("window", ["[40, 400]", "{percentiles: [2, 97]}"])
@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.25, 3.0)])
def test_dicom_and_nifti_of_one_volume_give_equal_arrays(
    plane: str, window: str, slope: float, intercept: float, tmp_path: Path
) -> None:
    axis = PLANES[plane][0]
    width, depth, height = (3.0 if other == axis else 1.0 for other in range(3))
    spacing = (width, depth, height)
    dicom, nifti = tmp_path / "dicom", tmp_path / "nifti"
    rescaling: dict[str, Any] = {
        "RescaleSlope": slope,
        "RescaleIntercept": intercept - 1024 * slope,
    }
    for number in range(6):
        values, name = volume((12, 10, 8), number), f"s{number}"
        write_series(dicom / name, values, spacing, plane, PatientID=name, **rescaling)
        # as most converters write it, and as it may lie in memory: from left, from the back
        image = nibabel.Nifti1Image(values, np.diag([*spacing, 1.0]))
        if number % 2:
            to_lpi = nibabel.orientations.axcodes2ornt(("L", "P", "S"))
            image = image.as_reoriented(to_lpi)
        image.header.set_slope_inter(slope, intercept)
        (nifti / name).mkdir(parents=True)
        nibabel.save(image, nifti / name / f"{plane}.nii.gz")
    for root in (dicom, nifti):
        write_table(root, [f"s{number}" for number in range(6)])
        (root / "omnibench.yaml").write_text(f"window: {window}")
    datasets = [
        sources.load(resolve(f"{root.name}:{root.name}", tmp_path), tmp_path / "data")
        for root in (dicom, nifti)
    ]
    for split in ("train", "val", "test"):
        a, b = (dataset.splits[split] for dataset in datasets)
        images = a.images.read(0, 99)
        assert images.min() == 0 and images.max() == 255
        np.testing.assert_array_equal(images, b.images.read(0, 99))
        np.testing.assert_array_equal(a.at(6).images.read(0, 99), b.at(6).images.read(0, 99))
        for field in ("view", "place"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def test_a_table_of_instance_uids_gives_the_same_images(root: Path) -> None:
    before = read(root)
    files = sorted(root.glob("*/001"))
    write_table(root, [str(pydicom.dcmread(file).StudyInstanceUID) for file in files])
    after = read(root)
    for split, own in before.splits.items():
        images = after.splits[split].images
        np.testing.assert_array_equal(own.images.read(0, 99), images.read(0, 99))


def test_low_values_of_monochrome1_are_white(root: Path) -> None:
    before = read(root).splits["test"].images.read(0, 99)
    for file in root.glob("*/0*"):
        edited(file, lambda dataset: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    np.testing.assert_array_equal(read(root).splits["test"].images.read(0, 99), 255 - before)


def test_a_declared_window_goes_before_that_of_the_files(root: Path) -> None:
    (root / "omnibench.yaml").write_text("window: [0, 2000]")
    values = volume(seed=0).T[:, ::-1, ::-1]
    images = read(root).splits["train"].images
    np.testing.assert_array_equal(images.read(0, 5), apply(values, ((0.0, 2000.0),)))


def test_one_patient_in_two_splits_is_refused_unless_allowed(root: Path) -> None:
    for file in root.glob("s5/0*"):
        edited(file, lambda dataset: setattr(dataset, "PatientID", "P0"))
    with pytest.raises(DataError, match="of one patient, but in train and in test") as error:
        read(root)
    assert "P0" not in str(error.value)
    (root / "omnibench.yaml").write_text("shared_patients: allowed")
    assert read(root).splits["test"].cases == 2


def test_patients_are_drawn_whole_and_the_same_whatever_a_file_says_else(root: Path) -> None:
    (root / "labels.csv").write_text(
        "study,label\n" + "".join(f"s{n},{'ab'[n % 2]}\n" for n in range(6))
    )
    before = read(root)
    edited(root / "s0" / "001", lambda dataset: setattr(dataset, "SeriesNumber", 9))
    after = read(root)
    for split, own in before.splits.items():
        images = after.splits[split].images
        np.testing.assert_array_equal(own.images.read(0, 99), images.read(0, 99))
    assert before.digests != after.digests


def test_a_bad_study_is_warned_of_in_the_plan_and_refused_where_strict(
    root: Path, bench: Bench
) -> None:
    write_table(root, [f"s{number}" for number in (0, 1, 2, 3, 4, 5)])
    write_series(root / "s6", volume(), PatientID="P6")[2].unlink()
    with (root / "labels.csv").open("a") as table:
        table.write("s6,train,a\n")
    suite = root.parent / "suite.yaml"
    suite.write_text(
        "name: s\nbackbones: [{id: v, source: 'random:test_vit', pool: cls}]\nmatrix: [{task: "
        "volumes, datasets: ['dicom:set'], adaptations: [mean]}]\n"
    )
    status, out, _ = bench("plan", suite)
    assert status == 0 and "s6/004 and s6/002 are 6 mm apart" in out
    (root / "omnibench.yaml").write_text("strict: true")
    assert "is declared strict, and a study is left out: s6/004" in bench("plan", suite)[1]


def test_a_dataset_without_a_study_left_is_refused_with_the_reason(root: Path) -> None:
    for name in ("s2", "s3"):
        (root / name / "003").unlink()
    with pytest.raises(DataError, match=r"no study of the split val .*s2/004 and s2/002"):
        read(root)


def test_a_study_without_files_is_left_out_by_its_row(root: Path) -> None:
    for file in (root / "s1").iterdir():
        file.unlink()
    dataset = read(root)
    assert dataset.card.splits == {"train": 1, "val": 2, "test": 2}
    assert dataset.left_out == (f"{root}/labels.csv, row 3: there are no files of its study",)


def test_without_pydicom_the_card_says_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "omnibench[volumes]" in sources.missing(card(root), root)[0]
