"""`audit` on the shipped tables, on small tables made by hand, and on bad input."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench.audit.shipped import published_folder
from omnibench.cli import main

OMNIRAD = published_folder() / "omnirad"
COLUMNS = [
    "study",
    "table",
    "dataset",
    "test_images",
    "model",
    "role",
    "metric",
    "definition",
    "mean",
    "std",
    "n",
    "members",
]


@pytest.fixture
def audit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    def call(*arguments: Path | str, status: Path | int | str = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["omnibench", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert (ended.value.code or 0) == status, captured.err
        return captured.err if status else captured.out

    return call


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Any]:
    def write(
        name: str, *rows: dict[str, Any], columns: dict[str, Any] | list[str] = COLUMNS
    ) -> Path:
        path = tmp_path / name
        defaults = {
            **{"study": "s", "table": "1", "dataset": "d", "metric": "f1", "definition": "x"},
            **{"role": "own", "n": "5"},
        }
        with path.open("w", newline="") as file:
            out = csv.DictWriter(file, columns, extrasaction="ignore")
            out.writeheader()
            out.writerows({**defaults, **row} for row in rows)
        return path

    return write


OURS = {"model": "ours", "mean": "90.00", "std": "0.50"}
RIVAL = {"model": "rival", "role": "rerun", "mean": "89.00", "std": "0.40"}


@pytest.fixture(scope="module")
def shipped() -> dict[str, list[dict[str, Any]]]:
    """The JSON of all shipped tables."""
    command = [sys.executable, "-m", "omnibench", "audit", "omnirad", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return result


def p_values(
    shipped: dict[str, list[dict[str, Any]]], dataset: str, key: str = "p"
) -> dict[tuple[str, int], float]:
    return {
        (row["test"], row["n"]): row[key]
        for row in shipped["comparisons"]
        if row["dataset"] == dataset
    }


def test_json_holds_what_its_contract_names(shipped: dict[str, list[dict[str, Any]]]) -> None:
    further = {"assumed", "counts", "count_comparisons"}
    assert set(shipped) == {"rows", "aggregates", "comparisons"} | further
    assert all(shipped[name] == [] for name in further)  # the study says all that is needed
    names = [
        "table",
        "dataset",
        "model",
        "metric",
        "mean",
        "std",
        "n_claimed",
        "n_possible",
        "grim",
        "rounding",
    ]
    assert all(list(row) == names for row in shipped["rows"])
    assert len(shipped["rows"]) == 564
    assert all(
        list(row) == ["table", "model", "metric", "spread", "n"] for row in shipped["aggregates"]
    )
    names = ["table", "dataset", "metric", "a", "b", "difference", "test", "n", "p", "p_corrected"]
    names += ["n_is", "over", "p_range", "p_corrected_range"]
    assert all(list(row) == names for row in shipped["comparisons"])
    assert {row["over"] for row in shipped["comparisons"]} == {"runs"}


def test_every_printed_p_lies_in_its_range(shipped: dict[str, list[dict[str, Any]]]) -> None:
    for row in shipped["comparisons"]:
        for key in ("p", "p_corrected"):
            least, largest = row[f"{key}_range"]
            assert least <= row[key] <= largest
    ranges = p_values(shipped, "USforKidneyMSBench", "p_corrected_range")
    unsettled = ranges["student", 3]
    assert unsettled[0] < 0.05 < unsettled[1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("dataset", "a", "b", "welch5", "student5", "welch3"),
    [
        ("BreastMNIST", "OmniRad small", "Radio DINO small", 0.385, 0.361, 0.527),
        ("OrganAMNIST", "OmniRad small", "DINOv3 base", 0.939, 0.939, 0.955),
        ("OrganSMNIST", "OmniRad base", "DINOv3 small", 0.0032, 0.0015, 0.035),
        ("MosMedPlusMSBench", "OmniRad base", "Radio DINO base", 0.014, 0.0032, 0.084),
        ("USforKidneyMSBench", "OmniRad base", "MAE base", 0.0008, 0.0005, 0.017),
    ],
)
def test_the_papers_claims_retested(
    shipped: dict[str, list[dict[str, Any]]],
    dataset: str,
    a: str,
    b: str,
    welch5: float,
    student5: float,
    welch3: float,
) -> None:
    expected = {("welch", 5): welch5, ("student", 5): student5, ("welch", 3): welch3}
    actual = p_values(shipped, dataset)
    for key, p in expected.items():
        digits = len(str(p).partition(".")[2])
        assert round(actual[key], digits) == p
    rows = [row for row in shipped["comparisons"] if row["dataset"] == dataset]
    assert {(row["a"], row["b"]) for row in rows} == {(a, b)}


def test_after_holm_over_thirteen_datasets(shipped: dict[str, list[dict[str, Any]]]) -> None:
    corrected = {
        dataset: p_values(shipped, dataset, "p_corrected")
        for dataset in {row["dataset"] for row in shipped["comparisons"]}
    }
    assert len(corrected) == 13

    def kept(test: str, n: int) -> set[str]:
        return {name for name, p in corrected.items() if p[test, n] < 0.05}

    kidney, organs, mosmed = "USforKidneyMSBench", "OrganSMNIST", "MosMedPlusMSBench"
    behind = "PandentalMSBench"
    assert kept("welch", 5) == {organs, kidney, behind}
    assert kept("student", 5) == {organs, kidney, mosmed, behind}
    assert kept("welch", 3) == kept("student", 3) == {behind}
    assert round(corrected[organs]["welch", 5], 3) == 0.035
    assert round(corrected[kidney]["welch", 5], 3) == 0.010
    assert round(corrected[mosmed]["welch", 5], 2) == 0.14
    assert all(r["difference"] < 0 for r in shipped["comparisons"] if r["dataset"] == behind)


def test_tied_rivals_are_both_tested_and_count_once(
    shipped: dict[str, list[dict[str, Any]]],
) -> None:
    rows = [row for row in shipped["comparisons"] if row["dataset"] == "Promise12MSBench"]
    assert {row["b"] for row in rows} == {"MAE base", "DINOv2 base"}
    assert len(rows) == 8


def test_accuracies_and_aggregates_imply_three_runs(
    shipped: dict[str, list[dict[str, Any]]],
) -> None:
    rows = [
        row
        for row in shipped["rows"]
        if row["metric"] == "accuracy" and row["n_claimed"] == 5 and row["table"] in (3, 4)
    ]
    assert len(rows) == 20
    assert {row["rounding"] for row in rows} == {"each run rounded to four decimals first"}
    assert sum(5 not in row["n_possible"] for row in rows) == 11
    assert sum(3 in row["n_possible"] for row in rows) == 19
    assert all(row["grim"] == (5 in row["n_possible"]) for row in rows)
    miou = [row["n"] for row in shipped["aggregates"] if row["metric"] == "miou"]
    assert sorted(miou) == [[], *[[3]] * 13]
    assert all(row["n"] == [] for row in shipped["aggregates"] if row["metric"] != "miou")


def test_unrounded_runs_are_the_other_assumption(audit: Callable[..., Any]) -> None:
    rows = json.loads(audit(*sorted(OMNIRAD.glob("*0[34].csv")), "--json", "--unrounded"))["rows"]
    rows = [row for row in rows if row["metric"] == "accuracy" and row["n_claimed"] == 5]
    assert {row["rounding"] for row in rows} == {"runs averaged unrounded"}
    assert sum(5 not in row["n_possible"] for row in rows) == 13
    assert sum(3 in row["n_possible"] for row in rows) == 18


def test_text_prints_the_table_of_p_values_and_each_finding(audit: Callable[..., Any]) -> None:
    text = audit("omnirad")
    printed = [line for line in text.splitlines() if "macro-f1" in line]
    lines = {line.split()[0]: line for line in reversed(printed)}  # the first of two tables
    assert ".385 (1)" in lines["BreastMNIST"]
    assert ".0032 (.035)    .0015 (.016)    .035 (.384)" in lines["OrganSMNIST"]
    for sentence in (
        "n = 5 makes impossible 11 if each run was rounded to four decimals first, 13 if none was",
        "n = 3 allows 19 or 18 of the 20 means",
        "SD over datasets x runs (ddof=1), of 8 datasets with n = 3, in 13 of 14 rows",
        "Table 11, dice: what the ± is can't be told",
        "claims n = 5; its printed numbers imply n = 3",
        "Table 12: 100 of 100 numbers are printed without ±",
        "It is the better one on FHPsAOPMSBench",
        "It is the better one on PandentalMSBench",
        "Best variant picked on the test set",
        'No difference shown is not "matches"',
        "2.02 SD at n = 5, 3.07 SD at n = 3",
        "Student, n = 3: the digits not printed leave open whether p after Holm is below .05 on "
        "USforKidneyMSBench",
        "of further runs on these test images",
    ):
        assert sentence in text


def test_the_tables_that_are_named_are_judged_together_and_nothing_else_is_read(
    audit: Callable[..., Any],
) -> None:
    alone, five = (
        json.loads(audit(*tables, "--json"))["comparisons"]
        for tables in ([OMNIRAD / "table03.csv"], sorted(OMNIRAD.glob("*.csv")))
    )
    third = [row for row in five if row["table"] == 3]
    keys = ("dataset", "test", "n", "p")
    assert {row["dataset"] for row in alone} == {row["dataset"] for row in third}
    assert len(five) > len(third)
    shared = {tuple(row[key] for key in keys) for row in alone}
    assert shared <= {tuple(row[key] for key in keys) for row in third}


@pytest.mark.parametrize("copies", [1, 3])
def test_a_copy_beside_a_table_changes_nothing_and_two_that_are_named_are_refused(
    audit: Callable[..., Any], write: Callable[..., Any], copies: int
) -> None:
    table = write("a.csv", OURS, RIVAL)
    alone = audit(table)
    assert "ours" in alone
    for number in range(copies):
        copy = write(f"b{number}.csv", {**OURS, "mean": "91.00"}, RIVAL)
    assert audit(table) == alone
    message = f"{table} and {copy} both hold f1 of ours on d in table 1; name one of them"
    assert message in audit(table, copy, status=2)
    assert audit(table, table) == alone


def test_a_pipe_is_no_table(audit: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "a.csv")
    assert "not a file" in audit(tmp_path / "folder", status=2)


def test_another_study_or_another_layout_in_the_folder_is_no_context(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    table = write("a.csv", OURS, RIVAL)
    alone = json.loads(audit(table, "--json"))
    write("b.csv", {**OURS, "study": "t", "dataset": "e"}, {**RIVAL, "study": "t", "dataset": "e"})
    write("c.csv", {"x": 1}, columns=["x"])
    assert json.loads(audit(table, "--json")) == alone
    assert [row["test"] for row in alone["comparisons"]] == ["welch", "student"]


def test_single_numbers_get_both_forms_by_name(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    single = {"model": "cited", "role": "cited", "mean": "88.80", "std": "", "n": "1"}
    table = write("a.csv", OURS, single)
    rows = json.loads(audit(table, "--json"))["comparisons"]
    assert [(row["test"], row["n"]) for row in rows] == [("one-sample", 5), ("prediction", 5)]
    assert rows[0]["p"] < 0.05 < rows[1]["p"]
    assert "errs in 16 % (n = 3)" in audit(table)


def test_other_definitions_are_refused_not_tested(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    single = {"model": "cited", "role": "cited", "mean": "95.00", "n": "1", "definition": "y"}
    table = write("a.csv", OURS, single)
    assert json.loads(audit(table, "--json"))["comparisons"] == []
    assert "Refused: f1 against the strongest single number cited on d: that is y" in audit(table)


def test_no_variance_is_a_row_without_p_and_a_sentence(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    table = write("a.csv", {**OURS, "std": "0.00"}, {**RIVAL, "std": "0.00"})
    rows = json.loads(audit(table, "--json"))["comparisons"]
    assert [row["p"] for row in rows] == [None, None]
    assert rows[0]["p_range"][0] < 1e-300 < rows[0]["p_range"][1] < 1e-6  # 1 point, std below .005
    assert "Not tested: d, Welch: neither model varies" in audit(table)


def test_unequal_n_is_tested_with_both(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    table = write("a.csv", OURS, {**RIVAL, "n": "3"})
    rows = json.loads(audit(table, "--json"))["comparisons"]
    assert {row["n"] for row in rows} == {"5/3"}


def test_lower_is_better_where_the_table_says_so(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    columns = [*COLUMNS, "better"]
    variants = [{**OURS, "better": "lower"}, {**OURS, "model": "ours-2", "mean": "80.00"}]
    rivals = [{**RIVAL, "better": "lower"}, {**RIVAL, "model": "rival-2", "mean": "99.00"}]
    rows = [{"better": "lower", **row} for row in (*variants, *rivals)]
    actual = json.loads(audit(write("a.csv", *rows, columns=columns), "--json"))["comparisons"]
    assert {(row["a"], row["b"]) for row in actual} == {("ours-2", "rival")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": "n/a"}, "line 2: mean is 'n/a', not a number"),
        ({"mean": ""}, "line 2: mean is ''"),
        ({"mean": "nan"}, "mean is 'nan'"),
        ({"std": "-1"}, "below 0"),
        ({"n": "0"}, "n is '0', not a whole number from 1"),
        ({"n": "2.5"}, "n is '2.5'"),
        ({"role": "ours"}, "role is 'ours', not one of own, rerun, cited"),
        ({"model": ""}, "model is empty"),
    ],
)
def test_a_wrong_cell_is_named(
    audit: Callable[..., Any], write: Callable[..., Any], change: dict[str, str], message: str
) -> None:
    assert message in audit(write("a.csv", {**OURS, **change}), status=2)


def test_a_number_that_stands_twice_is_refused(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    assert "line 3: f1 of ours on d in table 1 stands twice" in audit(
        write("a.csv", OURS, OURS), status=2
    )


def test_unusable_files_are_one_sentence(
    audit: Callable[..., Any], write: Callable[..., Any], tmp_path: Path
) -> None:
    columns = [name for name in COLUMNS if name != "std"] + ["stdd"]
    lacking = audit(write("a.csv", OURS, columns=columns), status=2)
    assert "has no column 'std'; did you mean stdd" in lacking
    assert "has no rows" in audit(write("b.csv"), status=2)
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00table")
    assert "cannot be read as CSV" in audit(tmp_path / "c.csv", status=2)
    (tmp_path / "d.csv").write_text(",".join(COLUMNS) + "\ns,1\n")
    assert "line 2 has not as many cells as the header" in audit(tmp_path / "d.csv", status=2)
    (tmp_path / "empty").mkdir()
    assert "holds no CSV" in audit(tmp_path / "empty", status=2)
    assert "there is no file 'omnirat'" in audit("omnirat", status=2)
    assert "--margin" in audit("omnirad", "--margin", "0", status=2)


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_column(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    table = write("a.csv", OURS, RIVAL)
    table.write_text("\ufeff" + table.read_text(), encoding="utf-8")
    assert len(json.loads(audit(table, "--json"))["comparisons"]) == 2


def test_audit_imports_no_torch() -> None:
    code = (
        "import sys\nfrom omnibench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'transformers'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    command = [sys.executable, "-c", code, "audit", str(OMNIRAD / "table03.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_dataset_with_two_metrics_is_two_comparisons(
    audit: Callable[..., Any], write: Callable[..., Any]
) -> None:
    rows = [{**row, "metric": metric} for metric in ("dice", "auc") for row in (OURS, RIVAL)]
    rows[3] = {**rows[3], "mean": OURS["mean"]}  # no difference in auc
    text = audit(write("a.csv", *rows))
    assert "on 1 of 2 comparisons shown" in text
    assert "it stays on d dice (ahead" in text
