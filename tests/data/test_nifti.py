import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.catalogue import readers
from omnibench.data import Dataset, Labels, checksums
from omnibench.data.nifti import card_of, read, source_digest, unpacked_bytes
from omnibench.data.sources import load, missing, resolve, takes_window
from omnibench.data.sources import source_digest as digest_of
from omnibench.data.survey import Survey, survey
from omnibench.errors import DataError
from omnibench.window import apply
from tests.data.nifti_files import ROWS, STUDIES, WINDOW, values_of, write, write_studies


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_studies(tmp_path / "set")


def loaded(root: Path, data: Path) -> Dataset:
    return load(resolve(f"nifti:{root}"), data)


def test_the_card_counts_studies_and_reads_no_values(root: Path) -> None:
    not_finite(root / "s1" / "axial.nii.gz")
    assert card_of(root) == DatasetCard(
        id="nifti-set",
        reader="nifti",
        path=str(root),
        tasks=("volumes",),
        labels="binary",
        classes=("ill", "well"),
        channels=1,
        splits={"train": 3, "val": 2, "test": 2},
        images_per_study=5.0,
        primary={"volumes": "macro-f1"},
    )


def test_slices_are_those_of_the_files_through_the_declared_window(
    root: Path, tmp_path: Path
) -> None:
    dataset = loaded(root, tmp_path / "data")
    test = dataset.splits["test"]
    expected = [values_of(seed=seed).transpose(2, 1, 0)[:, ::-1, ::-1] for seed in (5, 6)]
    assert test.images.shape == (10, 6, 7)
    np.testing.assert_array_equal(
        test.images.read(0, 10), apply(np.concatenate(expected), ((100.0, 400.0),))
    )
    assert test.place is not None and test.place.tolist() == [0, 3, 6, 9, 12] * 2
    assert test.view is not None and set(test.view.tolist()) == {"axial"}
    assert test.target("labels", Labels).values.tolist() == [0, 1]
    assert dataset.left_out == ()


def test_a_file_below_the_folder_is_a_study_of_one_view(root: Path, tmp_path: Path) -> None:
    views = loaded(root, tmp_path / "data")
    for study in STUDIES:
        shutil.move(root / study / "axial.nii.gz", root / f"{study}.nii.gz")
        (root / study).rmdir()
    files = loaded(root, tmp_path / "data")
    for split, own in files.splits.items():
        assert own.view is not None and set(own.view.tolist()) == {"volume"}
        np.testing.assert_array_equal(
            own.images.read(0, 99), views.splits[split].images.read(0, 99)
        )


def test_views_of_other_planes_and_sizes_are_brought_to_one_size(
    root: Path, tmp_path: Path
) -> None:
    for study in STUDIES[:-1]:
        write(root / study / "sagittal.nii", values_of((4, 9, 8)), np.diag([5.0, 1, 1, 1]))
    dataset = loaded(root, tmp_path / "data")
    test = dataset.splits["test"]
    assert test.images.shape == (5 + 4 + 5, 8, 9)
    assert test.view is not None
    assert test.view.tolist() == ["axial"] * 5 + ["sagittal"] * 4 + ["axial"] * 5
    assert dataset.at(4).splits["test"].images.read(3, 6).shape == (3, 4, 4)


def test_volumes_are_unpacked_once(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "omnibench")
    first = loaded(root, tmp_path / "data").splits["train"].images.read(0, 99)
    assert len(caplog.records) == 7
    again = loaded(root, tmp_path / "data").splits["train"].images.read(0, 99)
    assert len(caplog.records) == 7
    np.testing.assert_array_equal(first, again)
    packed = sum(path.stat().st_size for path in (tmp_path / "data").glob("packed/*/*.u8"))
    assert packed == unpacked_bytes(root) == 7 * 7 * 6 * 5 * 2


def test_remembered_checksums_are_read_once_for_all_volumes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, readings = card_of(root), []
    recall = checksums._recall

    def counted(memory: Path) -> Any:
        readings.append(memory)
        return recall(memory)

    monkeypatch.setattr(checksums, "_recall", counted)
    read(card, tmp_path / "data")
    assert len(readings) < len(STUDIES)


def test_a_recipes_window_is_seen_without_unpacking_anew(root: Path, tmp_path: Path) -> None:
    dataset = loaded(root, tmp_path / "data")
    three = ((100.0, 400.0), (50.0, 20.0), (0.0, 1000.0))
    colours = dataset.windowed(three).splits["val"].images
    assert colours.shape == (10, 6, 7, 3)
    narrow = dataset.windowed((50.0, 20.0)).splits["val"].images
    np.testing.assert_array_equal(colours.read(2, 4)[..., 1], narrow.read(2, 4))


def test_grey_levels_alone_need_no_window(tmp_path: Path) -> None:
    root = write_studies(tmp_path / "set", "")
    with pytest.raises(DataError, match=r"no grey levels.*such as int16 in .*declare `window"):
        card_of(root)
    for number, study in enumerate(STUDIES):
        levels = (values_of(seed=number) % 256).astype(np.uint8)
        write(root / study / "axial.nii.gz", levels)
    images = loaded(root, tmp_path / "data").splits["test"].images
    np.testing.assert_array_equal(
        images.read(0, 5), (values_of(seed=5) % 256).transpose(2, 1, 0)[:, ::-1, ::-1]
    )


def nothing(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def two_files(path: Path) -> None:
    write(path.with_name("axial.nii"), values_of())


def four(path: Path) -> None:
    write(path, values_of((4, 4, 3, 2)))


def not_finite(path: Path) -> None:
    write(path, np.full((7, 6, 5), np.nan))


def no_codes(path: Path) -> None:
    write(path, values_of(), codes=(0, 0))


DAMAGES: dict[Callable[[Path], None], str] = {
    nothing: r"s2 holds no volume \(\.nii\.gz or \.nii\)",
    cut: r"s2/axial\.nii\.gz cannot be read as NIfTI",
    two_files: r"s2/axial\.nii and s2/axial\.nii\.gz are of one view",
    four: r"s2/axial\.nii\.gz is 4-D",
    not_finite: r"s2/axial\.nii\.gz holds values that are not finite",
    no_codes: r"s2/axial\.nii\.gz tells no orientation",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_study_is_left_out_by_name_and_the_others_run(
    damage: Callable[[Path], None], root: Path, tmp_path: Path
) -> None:
    damage(root / "s2" / "axial.nii.gz")
    dataset = loaded(root, tmp_path / "data")
    assert dataset.card.splits == {"train": 2, "val": 2, "test": 2}
    assert dataset.splits["train"].target("labels", Labels).values.tolist() == [0, 0]
    assert len(dataset.left_out) == 1 and re.search(DAMAGES[damage], dataset.left_out[0])


def test_a_split_without_a_study_that_can_be_read_is_refused(root: Path, tmp_path: Path) -> None:
    for study in ("s6", "s7"):
        four(root / study / "axial.nii.gz")
    with pytest.raises(DataError, match=r"no study of the split test .*s6/axial\.nii\.gz is 4-D"):
        card_of(root)
    (need,) = missing(resolve(f"nifti:{root}"), tmp_path / "data")
    assert need.startswith("data nifti-set: ") and "no study of the split test" in need


def test_no_room_to_unpack_is_no_damage_of_a_study(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "packed").write_text("in the way")
    with pytest.raises(DataError, match="cannot be unpacked"):
        read(card_of(root), tmp_path / "data")


def test_without_nibabel_it_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="run `pip install nibabel`"):
        card_of(root)


def test_the_digest_is_that_of_what_decides_numbers(root: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = source_digest(root, data)
    (root / "notes.txt").write_text("beside")
    assert source_digest(root, data) == first
    changes: list[Callable[[], object]] = [
        lambda: write(root / "s1" / "axial.nii.gz", values_of(seed=9)),
        lambda: (root / "s1" / "axial.nii.gz").rename(root / "s1" / "other.nii.gz"),
        lambda: (root / "labels.csv").write_text(
            ROWS.replace("s1,train,p1,ill", "s1,train,p1,well")
        ),
    ]
    digests = {first}
    for change in changes:
        change()
        digests.add(source_digest(root, data))
    assert len(digests) == 4


def test_what_is_declared_no_finding_changes_the_digest(root: Path, tmp_path: Path) -> None:
    rows = [
        "study,split,a,b,c",
        *(f"{row[:2]},{row.split(',')[1]},1,0,1" for row in ROWS.split()[1:]),
    ]
    (root / "labels.csv").write_text("\n".join(rows))
    digests = set()
    for columns in ("[]", "[c]"):
        (root / "omnibench.yaml").write_text(f"{WINDOW}labels: multi-label\ncolumns: {columns}")
        digests.add(source_digest(root, tmp_path / "data"))
    assert len(digests) == 2


def seen(root: Path, data: Path) -> Survey:
    card = resolve(f"nifti:{root}")
    return survey(card, data, digest_of(card, data))


def test_the_survey_tells_of_studies(root: Path, tmp_path: Path) -> None:
    facts = seen(root, tmp_path / "data")
    assert facts.line == (
        "3 train, 2 val, 2 test studies of 15 train, 10 val, 10 test slices; binary labels: "
        "ill 57.1 %, well 42.9 %; 6 x 7 px"
    )
    assert facts.facts["training_classes"] == {"ill": 2, "well": 1} and facts.warnings == ()
    (root / "labels.csv").write_text(ROWS.replace("p5,well", "p5,ill"))
    assert seen(root, tmp_path / "data").warnings == (
        "val has nothing but studies of the class 'ill', so that its AUC is undefined",
        "val has no study of the class 'well', so that its AUC is undefined",
    )


def test_equal_studies_are_doubles_and_equal_slices_are_not(root: Path, tmp_path: Path) -> None:
    for number, study in enumerate(STUDIES):
        values = values_of(seed=number)
        values[..., 0] = 0
        write(root / study / "axial.nii.gz", values)
    assert seen(root, tmp_path / "data").warnings == ()
    shutil.copy(root / "s1" / "axial.nii.gz", root / "s6" / "axial.nii.gz")
    (warning,) = seen(root, tmp_path / "data").warnings
    assert warning == "in train and in test: 1 study, pixel by pixel, such as study 0 = study 0"


def test_what_is_left_out_is_named_where_people_look_and_in_no_record(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    four(root / "s2" / "axial.nii.gz")
    (root / "s3" / "axial.json").write_text("{}")
    facts = seen(root, tmp_path / "data")
    assert any("s2/axial.nii.gz is 4-D" in warning for warning in facts.warnings)
    assert "1 .json" in facts.warnings[0]
    assert "s2" not in str(facts.notes) and "s2" not in caplog.text
    note = "1 study or file is left out as damaged or ambiguous"
    for text in (str(facts.notes), caplog.text, resolve(f"nifti:{root}").note):
        assert note in text
    (root / "omnibench.yaml").write_text(f"{WINDOW}strict: true")
    with pytest.raises(DataError, match=r"declared strict.*s2/axial\.nii\.gz is 4-D"):
        seen(root, tmp_path / "data")


def test_a_large_folder_is_not_unpacked_by_plan_and_says_what_is_left_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    four(root / "s2" / "axial.nii.gz")
    monkeypatch.setattr("omnibench.data.survey.BUDGET", 1000)
    facts = seen(root, tmp_path / "data")
    assert "s2/axial.nii.gz is 4-D" in facts.warnings[0] and not facts.facts["pixels"]
    assert facts.facts["training_classes"] == {"ill": 2, "well": 0}
    assert facts.facts["untrained"] == ["well"] and "s2" not in str(facts.notes)
    assert facts.facts["studies"] == {"train": 2, "val": 2, "test": 2}
    assert not (tmp_path / "data" / "packed").exists()
    size = unpacked_bytes(root, tmp_path / "data")
    assert size == unpacked_bytes(root) > 1000
    monkeypatch.undo()
    read(card_of(root), tmp_path / "data")
    assert unpacked_bytes(root, tmp_path / "data") == 0 < unpacked_bytes(root)


def test_a_view_that_would_do_in_no_metric_is_refused(root: Path) -> None:
    write(root / "s1" / "axial (2).nii", values_of())
    with pytest.raises(DataError, match=r"a view called 'axial \(2\)'"):
        card_of(root)


def test_views_that_differ_in_capitals_alone_are_refused(root: Path) -> None:
    write(root / "s1" / "Axial.nii", values_of())
    with pytest.raises(DataError, match=r"views called 'Axial' and 'axial'; give them one name"):
        card_of(root)


def test_the_survey_counts_the_studies_that_have_each_view(root: Path, tmp_path: Path) -> None:
    write(root / "s1" / "sagittal.nii", values_of())
    facts = seen(root, tmp_path / "data")
    assert facts.facts["views"] == {"axial": 7, "sagittal": 1}
    assert "; studies with views: 7 axial, 1 sagittal; " in facts.line


def test_nibabels_own_files_make_a_dataset(tmp_path: Path) -> None:
    folder = Path(nibabel.__file__).parent / "tests" / "data"
    root = tmp_path / "set"
    root.mkdir()
    for study in STUDIES[:6]:
        shutil.copy(folder / "anatomical.nii", root / f"{study}.nii")
    shutil.copy(folder / "example4d.nii.gz", root / "s7.nii.gz")
    (root / "labels.csv").write_text(ROWS)
    (root / "omnibench.yaml").write_text("window: {percentiles: [1, 99]}")
    dataset = loaded(root, tmp_path / "data")
    assert dataset.card.splits == {"train": 3, "val": 2, "test": 1}
    assert "s7.nii.gz is 4-D" in dataset.left_out[0]
    assert dataset.splits["test"].images.shape == (25, 41, 33)


def test_it_is_registered_and_takes_the_windows_of_recipes(root: Path) -> None:
    assert readers.get("nifti").read is read
    assert takes_window(resolve(f"nifti:{root}"))
