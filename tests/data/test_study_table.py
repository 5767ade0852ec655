import hashlib
import random
from collections import Counter
from pathlib import Path

import pytest

from omnibench.cards import SPLITS
from omnibench.data.study_table import TABLE, StudyTable, pseudonym, study_table
from omnibench.errors import DataError

GIVEN = """study,split,patient,label,sex
a,train,p1,ill,F
b,train,p2,well,M
c,val,p3,ill,F
d,validation,p4,well,
e,test,p5,well,F
"""


def read(
    folder: Path, text: str, studies: str = "abcde", declared: str = "", **patients: str
) -> StudyTable:
    (folder / TABLE).write_text(text)
    (folder / "omnibench.yaml").write_text(declared)
    return study_table(folder, {study: patients.get(study) for study in studies})


def drawn_text(counts: dict[str, int], studies_each: int = 1) -> str:
    """Return a table without splits, of so many patients of each label, in a random order."""
    rows = [
        f"{label}{patient}-{study},{label}{patient},{label}"
        for label, count in counts.items()
        for patient in range(count)
        for study in range(studies_each)
    ]
    random.Random(0).shuffle(rows)
    return "\n".join(["study,patient,label", *rows])


def draw(folder: Path, text: str, declared: str = "") -> StudyTable:
    names = [row.partition(",")[0] for row in text.splitlines()[1:]]
    (folder / TABLE).write_text(text)
    (folder / "omnibench.yaml").write_text(declared)
    return study_table(folder, dict.fromkeys(names))


def test_classes_splits_patients_and_columns_are_those_of_the_rows(tmp_path: Path) -> None:
    table = read(tmp_path, GIVEN, declared="columns: [sex]")
    assert (table.kind, table.classes, table.left_out) == ("binary", ("ill", "well"), ())
    assert table.counts == {"train": 2, "val": 2, "test": 1}
    assert [row.study for row in table.of("val")] == ["c", "d"]
    assert [row.group for row in table.of("train")] == ["p1", "p2"]
    assert [table.labels(split) for split in SPLITS] == [[0, 1], [0, 1], [1]]
    assert table.columns("val") == {"sex": ["F", ""]}


def test_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    rows = "".join(
        f"{study},{split},{label}\n"
        for study, split, label in [
            ("a", "train", 10),
            ("b", "train", 9),
            ("c", "val", 9),
            ("d", "test", 10),
        ]
    )
    table = read(tmp_path, "study,split,label\n" + rows, "abcd", "labels: ordinal")
    assert (table.kind, table.classes) == ("ordinal", ("9", "10"))
    assert table.labels("train") == [1, 0]


FINDINGS = """study,split,nodule,effusion,sex
a,train,1,0,F
b,train,1.0,1,M
c,val,0,0,F
d,val,0,1,M
e,test,0,0,F
"""


def test_columns_are_findings_but_for_those_that_are_declared(tmp_path: Path) -> None:
    table = read(tmp_path, FINDINGS, declared="columns: [sex]")
    assert (table.kind, table.classes) == ("multi-label", ("nodule", "effusion"))
    assert [table.labels(split) for split in SPLITS] == [
        [[1, 0], [1, 1]],
        [[0, 0], [0, 1]],
        [[0, 0]],
    ]
    with pytest.raises(DataError, match="row 2: its entry under 'sex' is neither 0 nor 1"):
        read(tmp_path, FINDINGS)


def test_a_single_finding_is_a_class_beside_its_absence(tmp_path: Path) -> None:
    text = "study,split,nodule\na,train,1\nb,train,0\nc,val,0\nd,test,1\n"
    table = read(tmp_path, text, "abcd")
    assert (table.kind, table.classes) == ("binary", ("no nodule", "nodule"))
    assert table.labels("train") == [1, 0]


def test_findings_of_one_a_study_are_declared_to_exclude_each_other_or_not(tmp_path: Path) -> None:
    text = "study,split,cat,dog\na,train,1,0\nb,train,0,1\nc,val,0,1\nd,test,1,0\n"
    with pytest.raises(DataError, match="nothing tells whether they exclude each other"):
        read(tmp_path, text, "abcd")
    assert read(tmp_path, text, "abcd", "labels: multi-class").labels("train") == [0, 1]
    assert read(tmp_path, text, "abcd", "labels: multi-label").labels("val") == [[0, 1]]


@pytest.mark.parametrize(
    ("before", "behind", "studies", "sentence"),
    [
        ("e,test", "e,test", "abcdef", f"f: {TABLE} has no row for it"),
        ("e,test", "f,test,p6,ill,F\ne,test", "abcde", "row 6: there are no files of its study"),
        ("b,train,p2,well", "b,train,p2,", "abcde", "row 3: its study has no label"),
        ("e,test", "b,train,p2,ill,M\ne,test", "abcde", "rows 3, 6: one study with different"),
        ("e,test", "b,val,p2,well,M\ne,test", "abcde", "rows 3, 6: one study with different"),
        ("e,test", "b,train,p2,unknown,M\ne,test", "abcde", "rows 3, 6: one study with different"),
    ],
)
def test_what_is_left_out_is_named_and_the_others_stay(
    tmp_path: Path, before: str, behind: str, studies: str, sentence: str
) -> None:
    text = GIVEN.replace(before, behind, 1)
    text += "g,train,p7,well,M\n"
    table = read(tmp_path, text, studies + "g")
    assert len(table.left_out) == 1 and sentence in table.left_out[0]
    assert {row.study for row in table.rows} >= set("acdeg")


def test_the_same_row_twice_is_one_study(tmp_path: Path) -> None:
    table = read(tmp_path, GIVEN + "a,train,p1,ill,F\n")
    assert table.left_out == () and table.counts["train"] == 2


def test_a_finding_that_is_not_known_leaves_its_study_out(tmp_path: Path) -> None:
    text = FINDINGS.replace("b,train,1.0,1", "b,train,1,").replace(",sex", "").replace(",F", "")
    table = read(tmp_path, text.replace(",M", ""))
    assert table.left_out == (f"{tmp_path / TABLE}, row 3: its study has no label",)


def test_a_patient_of_two_splits_is_refused_unless_allowed_and_never_named(tmp_path: Path) -> None:
    text = GIVEN.replace("p3", "p1")
    with pytest.raises(DataError, match="rows 2 and 4 are of one patient, but in train and in val"):
        read(tmp_path, text)
    assert read(tmp_path, text, declared="shared_patients: allowed").counts["val"] == 2
    without = GIVEN.replace("patient", "nobody")
    with pytest.raises(DataError, match="one patient") as refusal:
        read(tmp_path, without, a="JANE", c="JANE")
    assert "JANE" not in str(refusal.value)


def test_the_tables_patients_come_before_those_of_files(tmp_path: Path) -> None:
    table = read(tmp_path, GIVEN.replace("p2", ""), a="X", b="Y")
    assert [row.group for row in table.of("train")] == ["p1", "Y"]
    assert [row.group for row in read(tmp_path, GIVEN.replace("p2", "")).of("train")] == ["p1", "b"]


@pytest.mark.parametrize(
    ("text", "declared", "message"),
    [
        ("", "", "has no column 'study'"),
        ("study,label\n", "", "holds no label"),
        ("study,split\na,train\n", "", "holds no label"),
        ("name,label\na,ill\n", "", "has no column 'study'"),
        (GIVEN, "columns: [age]", "has no column 'age'"),
        (GIVEN, "columns: [patient]", "declares the column 'patient', which makes no subgroups"),
        (GIVEN.replace("val", "dev"), "", "row 4: its split is none; write train, val or test"),
        (GIVEN.replace("well", "ill"), "", "holds labels of 1 class"),
        (GIVEN, "labels: multi-label", "write a column for each finding"),
        (GIVEN.replace("p5,well", "p5,odd"), "labels: binary", "has 3 classes"),
        (FINDINGS, "{labels: multi-class, columns: [sex]}", "no finding or of several"),
        (GIVEN.replace("e,test", "z,test"), "", "no study of the split test.*no files of its st"),
        (
            "study,label\nz,ill\n",
            "",
            "no study that can be used: .*there are no files",
        ),
        ('study,label\n"a,b', "", "is no CSV"),
        (GIVEN.replace(",", ";"), "", "no column 'study'; its first line .* commas between them"),
        ("study,label,label\na,ill,ill\n", "", "has two columns 'label'; leave one"),
        ("study,label\na,ill,very\n", "", "row 2 has more cells than the first line"),
        (GIVEN.replace("p5,well", "p5,Well"), "", "classes 'Well' and 'well', which read the same"),
        ("study,split,label\na,train,1\nb,val,1.0\n", "", "classes '1' and '1.0', which read"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, text: str, declared: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, declared=declared)


@pytest.mark.parametrize(
    "text",
    ["a,train,Meier,ill\n", "study,split,label\na,Meier,ill\n", "study,split,name\na,val,Meier\n"],
)
def test_no_message_quotes_an_entry_that_may_name_a_patient(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert "Meier" not in str(caught.value)


def test_blanks_around_names_of_columns_and_cells_without_content_do_not_count(
    tmp_path: Path,
) -> None:
    spaced = GIVEN.replace(",", ", ", 3).replace("\n", ",,\n")
    assert [row.labels for row in read(tmp_path, spaced).rows] == [
        row.labels for row in read(tmp_path, GIVEN).rows
    ]


def test_a_table_that_is_absent_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.csv does not exist, write a row a study"):
        study_table(tmp_path, {"a": None})


def test_patients_are_drawn_whole_and_each_label_by_its_share(tmp_path: Path) -> None:
    table = draw(tmp_path, drawn_text({"ill": 20, "well": 60, "odd": 3}, 2))
    shares = Counter((row.split, row.labels[0]) for row in table.rows)
    for label, patients in (("ill", 20), ("well", 60)):
        counts = [shares[split, label] for split in SPLITS]
        assert counts == [2 * patients * share // 10 for share in (7, 1, 2)]
    assert all(shares[split, "odd"] == 2 for split in SPLITS)
    splits: dict[str, set[str]] = {}
    for row in table.rows:
        splits.setdefault(row.patient, set()).add(row.split)
    assert all(len(names) == 1 for names in splits.values())


def test_the_draw_is_one_of_its_seed_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    text = drawn_text({"ill": 20, "well": 60})
    head, *rows = text.splitlines()
    tables = [
        draw(tmp_path, text),
        draw(tmp_path, "\n".join([head, *sorted(rows)])),
        draw(tmp_path, text, "split_seed: 1"),
    ]
    splits = [{row.study: row.split for row in table.rows} for table in tables]
    assert splits[0] == splits[1] != splits[2]


def test_a_damaged_study_moves_no_other(tmp_path: Path) -> None:
    table = draw(tmp_path, drawn_text({"ill": 20, "well": 20}))
    left = table.without({table.rows[0].study: "it is damaged"})
    assert left.rows == table.rows[1:] and left.left_out == ("it is damaged",)


def test_names_become_pseudonyms_of_their_dataset() -> None:
    expected = hashlib.sha256(b"sha256:00\nDOE^JANE").hexdigest()[:16]
    assert pseudonym("DOE^JANE", "sha256:00") == expected != pseudonym("DOE^JANE", "sha256:01")
