"""What is decided, from predictions to what is printed: bold, ranks, and the same p everywhere."""

import csv
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from omnibench.report.build import build_results
from omnibench.report.figures.forest import forests
from omnibench.report.gather import gather
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.page.render import Page, to_html
from omnibench.report.result_tables import result_table
from omnibench.report.results import Result, Results
from omnibench.scoring import reported_of
from omnibench.states import states
from omnibench.stats.compare import compare_all
from tests.report import page_records
from tests.report.by_hand import PRIMARY, RULES, Study, in_full, parts
from tests.report.html_document import Document

SCORE = ("def", PRIMARY)
PRINTED = reported_of("classification")
WHOLE = [0.6596, 0.6646, 0.6696, 0.6746, 0.6796]  # 66.96 in the mean


def decided(study: Study, repetitions: int, baseline: str | None = None) -> Results:
    """Compare and rank what the study's predictions say, where so many repetitions are due."""
    backbones = list(dict.fromkeys(row["backbone"] for row in study.rows))
    for name in backbones:
        there = sum(row["backbone"] == name for row in study.rows)
        study.ask(name, ["done"] * there + ["missing"] * (repetitions - there))
    pairs = [(name, baseline) for name in backbones if name != baseline] if baseline else []
    expected = Counter(("classification", "d", "linear", cell[2]) for cell in study.asked)
    tested = compare_all(
        *(study.values, study.predictions, pairs, RULES, None), ranked=[SCORE], expected=expected
    )
    given = {"standings": tested.standings, "baseline": baseline}
    (table,) = build_results(study.values, *parts(tested.comparisons, study.expected, given))
    return table


def by_backbone(table: Results) -> dict[str, Result]:
    return {row.backbone: cell for _, row, cell in table.cells}


def place(cell: Result) -> str | None:
    return cell.standing.place if cell.standing else None


@pytest.mark.parametrize("single", [0.5973, 0.9973])
@pytest.mark.parametrize("rivals", [[], [0.5]])
def test_one_run_of_five_is_not_bold_not_ranked_and_puts_none_behind(
    study: Study, single: float, rivals: list[float]
) -> None:
    study.add("short", [single], varies="training seed").add("whole", WHOLE, varies="training seed")
    for value in rivals:
        study.add("rival", [value + k / 100 for k in range(5)], varies="training seed")
    table = decided(study, 5)
    cells = by_backbone(table)
    assert (cells["short"].leading, cells["short"].rank) == (False, 0)
    assert place(cells["short"]) == "incomplete"
    assert cells["short"].standing and cells["short"].standing.low is None
    assert place(cells["whole"]) == ("best" if rivals else "untested")
    if rivals:
        assert (cells["whole"].rank, cells["rival"].rank) == (1, 2)
        assert cells["whole"].standing and cells["whole"].standing.models == 2
    text = to_markdown("s", [result_table(table)])
    assert f"| short | linear | {100 * single:.2f} (1/5) |" in text
    assert "Neither bold nor ranked, for want of runs: 1 cell." in in_full(table)
    (answer,) = study.reported([table]).answers
    assert [contest.leader for contest in answer.contests] == ["whole"]


def test_a_baseline_with_one_run_of_five_leaves_bold_to_the_others(study: Study) -> None:
    study.add("short", [0.5973], varies="training seed").add("whole", WHOLE, varies="training seed")
    study.add("low", [value - 0.3 for value in WHOLE], varies="training seed")
    cells = by_backbone(decided(study, 5, "short"))
    assert [place(cells[name]) for name in ("short", "whole", "low")] == [
        *("incomplete", "best", "behind")
    ]
    assert cells["whole"].against and cells["whole"].against.note == "5 against 1 repetitions"


def test_four_equal_models_are_undecided_in_words_and_none_is_bold(study: Study) -> None:
    for name in "abcd":
        study.add(name, WHOLE)
    table = decided(study, 5)
    assert {place(cell) for cell in by_backbone(table).values()} == {"undecided"}
    printed = result_table(table)
    html = to_html(Page("s", [], [printed], [])).decode()
    details = Document(html).details()
    assert "Undecided, as none can be ruled out as the best: d (linear)." in printed.details[-1]
    assert "Bold" not in printed.caption + " ".join(printed.details)
    assert "**" not in to_markdown("s", [printed])
    assert r"\textbf" not in to_latex("s", [printed])
    assert not re.search(r'class="mean[^"]*best', html)
    undecided = "None of its column and adaptation can be ruled out as the best."
    assert sum(undecided in text for text in details) == 4
    (answer,) = study.reported([table]).answers
    assert [contest.tied for contest in answer.contests] == [("b", "c", "d")]


def test_equal_predictions_are_identical_and_no_refused_test(study: Study) -> None:
    study.add("base", WHOLE).add("twin", WHOLE).add("low", [value - 0.3 for value in WHOLE])
    digests = {row["repetition"]: row["digest"] for row in study.rows if row["backbone"] == "base"}
    for row in study.rows:
        if row["backbone"] == "twin":
            row["digest"] = digests[row["repetition"]]
    table = decided(study, 5, "base")
    against = by_backbone(table)["twin"].against
    assert against and (against.verdict, against.p, against.difference) == ("identical", 1.0, 0.0)
    assert (against.low, against.high, against.family) == (0.0, 0.0, 2)
    assert not by_backbone(table)["twin"].significant
    assert by_backbone(table)["low"].significant
    assert [place(cell) for cell in by_backbone(table).values()] == ["best", "best", "behind"]
    text = in_full(table)
    assert "Identical to base, patient by patient: 1 cell." in text
    assert "Not tested" not in text
    (details,) = [
        row.cells[2].details for row in result_table(table).rows if row.cells[0].text == "twin"
    ]
    assert "Verdict: identical in this metric, patient by patient." in details


class Grids(HTMLParser):
    """The rows of all tables of a page, as texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows, self.within = list[list[str]](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.within = tag
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within:
            self.rows[-1][-1] += data.strip()


def as_printed(p: str) -> str:
    """Return a p of a CSV as people print it: three decimals and no leading zero."""
    value = float(p)
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1.000"


def related(p: str) -> str:
    """Return a printed p with its relation."""
    return p if p.startswith("<") else f"= {p}"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Any]:
    """A folder that a report was written to, its page, and the study that it was made of."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        results: Any = page_records.Results(folder, patch)
        page = results.report()
    study = gather(results.suite, states(results.units, results.store), results.store)
    return folder / "reports", page, study


def test_every_format_prints_the_same_p_of_a_comparison(written: tuple[Path, str, Any]) -> None:
    folder, page, _ = written
    with (folder / "dots-suite.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["p"] and f"{row['definition']}/{row['metric']}" in PRINTED
        ]
    markdown = (folder / "dots-suite.md").read_text()
    document = (folder / "report.tex").read_text()
    commands = (folder / "headlines.tex").read_text()
    grids = [row for row in Grids(page).rows if len(row) > 10]
    heads = next(row for row in grids if row[:4] == ["backbone", "dataset", "metric", "adaptation"])
    assert len(rows) == 12  # three metrics of four pairs that can be tested
    for row in rows:
        model, adaptation, metric = row["backbone"], row["adaptation"], row["metric"]
        p = as_printed(row["p"])
        corrected = as_printed(row["p_corrected"]) if row["p_corrected"] else ""
        assert bool(corrected) == (metric == "macro-f1")
        (line,) = re.findall(
            rf"^- dots, {metric}, {adaptation}: {model} - base = (.*)$", markdown, re.MULTILINE
        )
        line = line.replace("\\", "")
        assert f", p {related(p)}" in line
        assert f"Holm-corrected p {related(corrected)} over" in line or not corrected
        (cells,) = [c for c in grids if c[:4] == [model, "dots", metric, adaptation]]
        shown = dict(zip(heads, cells, strict=True))
        assert (shown["p"], shown["corrected p"]) == (p, corrected or "\N{EN DASH}")
        assert f"Tested for {row['test']}, two-sided: p {related(p)}." in tip(page, row)
        if corrected:
            assert f"family of {row['family']}: p {related(corrected)}." in tip(page, row)
        assert [
            latex.split(" & ")[3:5]
            for latex in section(document, metric).splitlines()
            if latex.startswith(f"dots, {adaptation}: {model} &")
        ] == [[p.replace("<", r"\textless{}"), latex_dash(corrected)]]
        stem = rf"\ob{model.title()}{adaptation.title()}DotsMacroFOneP"
        if corrected:
            assert rf"\newcommand{{{stem}}}{{\ensuremath{{{related(corrected)}}}}}" in commands


def tip(page: str, row: dict[str, str]) -> str:
    """Return the sentences of a value's details, which begin with whose it is."""
    start = f"{row['backbone']} {row['adaptation']} on dots, {row['metric']}."
    (text,) = (text for text in Document(page).details() if text.startswith(start))
    return text


def section(document: str, metric: str) -> str:
    """Return what stands under the head of the differences in a metric."""
    head = rf"\subsection{{Differences from base: classification, {metric}}}"
    return document[document.index(head) + len(head) :].split(r"\end{table}")[0]


def latex_dash(corrected: str) -> str:
    return corrected.replace("<", r"\textless{}") or r"\textendash{}"


def test_the_forest_fills_what_the_csv_calls_significant(written: tuple[Path, str, Any]) -> None:
    folder, _, study = written
    with (folder / "dots-suite.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["p_corrected"]]
    (drawing,) = forests(study)
    shown = {row["name"]: row for row in drawing.data["rows"]}
    assert len(shown) == len(rows)
    for row in rows:
        item = shown[f"{row['backbone']} · {row['adaptation']} · dots"]
        assert item["marked"] == (float(row["p_corrected"]) < 0.05)
        points = [100 * float(row[name]) for name in ("low", "difference", "high")]
        assert item["values"] == pytest.approx(points, abs=0.01)
    marked = sum(float(row["p_corrected"]) < 0.05 for row in rows)
    assert f"corrected p below .05: {marked} of {len(rows)}." in drawing.alt


def test_verdicts_of_the_same_records_are_of_one_family(written: tuple[Path, str, Any]) -> None:
    *_, study = written
    sizes = Counter(
        (c.place, c.backbone_b) for c in study.comparisons if c.primary and c.test != "none"
    )
    assert {c.family for c in study.comparisons if not c.primary} == {0}
    for c in study.comparisons:
        if c.primary and c.test != "none":
            assert c.family == sizes[c.place, c.backbone_b]
