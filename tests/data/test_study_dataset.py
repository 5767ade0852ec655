import re
from pathlib import Path

import numpy as np
import pytest

from omnibench.data import Labels
from omnibench.data.study_dataset import PlacedSeries, Views, study_card, study_dataset
from omnibench.data.study_table import TABLE, StudyTable, study_table
from omnibench.errors import DataError
from omnibench.window import apply
from tests.data.series_in_memory import SOFT, Slices, volume

ROWS = """study,split,patient,label,sex
DOE1,train,JANE,ill,F
DOE2,train,JOHN,well,M
DOE3,train,JANE,well,F
DOE4,val,JUNE,ill,F
DOE5,test,JACK,well,M
"""
SLICES = {"DOE1": (3, 2), "DOE2": (2,), "DOE3": (1, 4), "DOE4": (5,), "DOE5": (2, 2)}
DIGEST = "sha256:00"


@pytest.fixture
def table(tmp_path: Path) -> StudyTable:
    (tmp_path / TABLE).write_text(ROWS)
    (tmp_path / "omnibench.yaml").write_text("columns: [sex]")
    return study_table(tmp_path, dict.fromkeys(SLICES))


@pytest.fixture
def studies() -> dict[str, Views]:
    return {
        study: {
            view: PlacedSeries(
                Slices(volume(count, 4 + index, 6, seed=count)),
                tuple(2.5 * place for place in range(count)),
            )
            for index, (view, count) in enumerate(zip(("axial", "coronal"), counts, strict=False))
        }
        for study, counts in SLICES.items()
    }


def test_the_card_counts_studies(table: StudyTable, studies: dict[str, Views]) -> None:
    card = study_card("nifti", table.path.parent, table, studies, 21)
    assert card.splits == {"train": 3, "val": 1, "test": 1}
    assert (card.labels, card.classes, card.channels) == ("binary", ("ill", "well"), 1)
    assert card.images_per_study == 21 / 5


def test_slices_come_with_their_study_view_and_place(
    table: StudyTable, studies: dict[str, Views]
) -> None:
    card = study_card("nifti", table.path.parent, table, studies, 21)
    train = study_dataset(card, table, studies, DIGEST).splits["train"]
    assert train.images.shape == (12, 5, 6) and train.cases == 3
    assert train.view is not None and train.place is not None and train.groups is not None
    assert train.view.tolist() == ["axial"] * 3 + ["coronal"] * 2 + ["axial"] * 3 + ["coronal"] * 4
    assert train.place.tolist()[:6] == [0, 2.5, 5, 0, 2.5, 0]
    assert train.study_of_image.tolist() == [0] * 5 + [1] * 2 + [2] * 5
    assert train.target("labels", Labels).values.tolist() == [0, 1, 1]
    groups = train.case_groups
    assert groups is not None and groups[0] == groups[2] != groups[1]
    assert train.columns["sex"].tolist() == ["F"] * 5 + ["M"] * 2 + ["F"] * 5
    coronal = studies["DOE1"]["coronal"].series.read(0, 2)
    np.testing.assert_array_equal(train.images.read(3, 5), apply(coronal, (SOFT,)))


def test_no_name_of_a_study_or_a_patient_is_in_the_arrays(
    table: StudyTable, studies: dict[str, Views]
) -> None:
    card = study_card("nifti", table.path.parent, table, studies, 21)
    dataset = study_dataset(card, table, studies, DIGEST)
    for split in dataset.splits.values():
        for names in (split.study, split.groups):
            assert names is not None
            assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names.tolist())


def test_without_patients_there_are_no_groups(table: StudyTable, studies: dict[str, Views]) -> None:
    table.path.write_text(ROWS.replace("patient", "remark"))
    bare = study_table(table.path.parent, dict.fromkeys(SLICES))
    card = study_card("nifti", table.path.parent, bare, studies, 21)
    assert study_dataset(card, bare, studies, DIGEST).splits["train"].groups is None


def test_names_of_views_that_may_be_names_of_patients_are_refused(table: StudyTable) -> None:
    views = {study: [f"{study}-{number}" for number in range(5)] for study in SLICES}
    with pytest.raises(DataError, match="25 different names of views"):
        study_card("nifti", table.path.parent, table, views, 25)


def test_a_column_that_tells_patients_apart_is_refused(
    table: StudyTable, studies: dict[str, Views]
) -> None:
    (table.path.parent / "omnibench.yaml").write_text("columns: [age]")
    table.path.write_text(
        "study,split,label,age\n"
        + "".join(
            f"{study},{split},{label},name-{study}\n"
            for study, split, label in zip(
                SLICES, ("train", "train", "train", "val", "test"), "ababa", strict=True
            )
        )
    )
    named = study_table(table.path.parent, dict.fromkeys(SLICES))
    with pytest.raises(DataError, match="a text of its own for each"):
        study_card("nifti", table.path.parent, named, studies, 21)
