"""`report.tex`: it compiles with LaTeX's basic packages, and what stands in it is not lost."""

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from omnibench.report.document import PREAMBLE, write_document
from omnibench.report.figures.drawing import Figures, draw_figures
from omnibench.report.gather import gather
from omnibench.report.latent_report import Latent
from omnibench.report.latex import ROWS, breakable, escape, fitted
from omnibench.report.page.write import FIGURES, make_page
from omnibench.report.table import Table
from omnibench.states import states
from tests.report.by_hand import Study
from tests.report.page_records import Results

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="no pdflatex; Debian: texlive-latex-base, texlive-latex-recommended",
)
SPECIAL = "%&_#${}~^\\<>\"|[]*`@+=/;:!?()'-"
NASTY = f"a{SPECIAL}b"
FOREIGN = "é Å \N{HEBREW LETTER ALEF} \N{CJK UNIFIED IDEOGRAPH-4F60} \N{GREEK SMALL LETTER ALPHA}"
LONG = "an_unreasonably_long_name_" * 7
MOST_OVER = 3.0  # pt, which no eye sees


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """A study as `report` makes it, its figures, and the folder they lie in."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        results: Any = Results(folder, patch)
    actual = gather(results.suite, states(results.units, results.store), results.store)
    return actual, draw_figures(actual, folder / FIGURES), folder


def write(study: Any, figures: Any, folder: Path) -> Any:
    return write_document(study, make_page(study, figures, folder), figures, folder)


def renamed(state: Any, name: str) -> Any:
    unit = state.cell.unit
    backbone = unit.backbone.model_copy(update={"id": name})
    dataset = unit.dataset.model_copy(update={"id": name, "note": f"note {name}"})
    unit = replace(unit, backbone=backbone, dataset=dataset)
    return replace(state, cell=replace(state.cell, unit=unit))


def compiled(folder: Path) -> tuple[str, list[Any]]:
    """Run pdflatex twice; returns the log and the widths by which lines are too long, in pt."""
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert done.returncode == 0, done.stdout[-3000:]
    log = (folder / "report.log").read_text(encoding="utf-8", errors="replace").replace("\n", "")
    return log, [float(width) for width in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log)]


def printed(folder: Path) -> Any:
    """The PDF's words, without spaces and line ends, as a name may be broken anywhere."""
    done = subprocess.run(
        ["pdftotext", "-raw", "report.pdf", "-"], cwd=folder, capture_output=True, check=True
    )
    return re.sub(r"\s", "", done.stdout.decode())


@needs_latex
def test_a_report_compiles_and_nothing_runs_off_the_page(reported: tuple[Any, Any, Path]) -> None:
    study, figures, folder = reported
    paths = write(study, figures, folder)
    assert [path.name for path in paths] == ["headlines.tex", "references.bib", "report.tex"]
    log, over = compiled(folder)
    assert [width for width in over if width > MOST_OVER] == []
    assert "LaTeX Warning" not in log
    assert not re.search(r"\.\d+pk>", log)  # all fonts are outlines
    included = re.findall(r"<\./?(figures/[^>]*\.pdf)>", log)
    assert sorted(included) == sorted(f"figures/{drawing.stem}.pdf" for drawing in figures.drawings)


@needs_latex
def test_every_character_and_the_longest_names_survive(
    reported: tuple[Any, Any, Path], study: Study, tmp_path: Path
) -> None:
    real, figures, folder = reported
    study.add("base", [0.5, 0.52], NASTY).add(NASTY, [0.9, 0.91], NASTY).add(LONG, [0.8], LONG)
    study.add(FOREIGN, [0.7], NASTY).compare(NASTY, "base", NASTY, p=0.1, p_corrected=0.2)
    study.ask(NASTY, ["failed"], "e").ask("'[*\"`", ["missing"], "e")
    tables = study.results(baseline="base", notes={NASTY: f"{NASTY} {FOREIGN} {LONG}"})
    heads = ("backbone", NASTY, LONG)
    latent = Table.from_texts(NASTY, heads, ((NASTY, LONG, FOREIGN),), f"{NASTY}.", "latent")
    for kind in ("pdf", "png"):
        shutil.copy(
            folder / FIGURES / f"{figures.drawings[0].stem}.{kind}", tmp_path / f"latent.{kind}"
        )
    other = replace(
        real,
        name="demo",
        states=[
            *(renamed(s, NASTY) for s in real.states),
            *(renamed(s, LONG) for s in real.states),
        ],
        values=study.values,
        chosen=tables,
        shown=tables,
        comparisons=study.comparisons,
        latent=Latent((latent, Table.from_texts("Few", (), (), NASTY))),
    )
    shutil.copytree(folder / FIGURES, tmp_path / FIGURES)
    titled = replace(figures.drawings[0], title=NASTY, caption=f"{FOREIGN} {LONG}")
    write(other, Figures([titled]), tmp_path)
    _, over = compiled(tmp_path)
    assert [width for width in over if width > MOST_OVER] == []
    if shutil.which("pdftotext") is None:
        pytest.skip("compiled, but no pdftotext to read it; Debian: poppler-utils")
    text = printed(tmp_path)
    name = NASTY.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")  # as TeX prints it
    # Summary, methods, heads, captions, rows, comparisons, figures, failures and data.
    assert text.count(name) > 15
    for error in ("<imgsrc=x", "[U+001B]", "[U+DC80]"):
        assert error in text
    assert text.count(LONG) > 5
    assert all(point in text for point in ("[U+05D0]", "[U+4F60]", "[U+03B1]"))


@needs_latex
def test_many_and_huge_tables_and_figures_compile(
    reported: tuple[Any, Any, Path], study: Study, tmp_path: Path
) -> None:
    real, figures, folder = reported
    for k in range(100):
        for dataset in "abcdefghijklmnop":
            study.add(f"backbone-{k}", [0.5 + k / 1000, 0.6], f"dataset-{dataset}")
    (table,) = study.results(notes={"dataset-a": "A sentence about it. " * 150})
    other = replace(real, shown=[table, *real.shown * 20])
    shutil.copytree(folder / FIGURES, tmp_path / FIGURES)
    write(other, Figures(figures.drawings * 30), tmp_path)
    log, over = compiled(tmp_path)
    assert [width for width in over if width > MOST_OVER] == []
    assert "Float too large" not in log


@needs_latex
def test_a_study_with_next_to_nothing_compiles(
    reported: tuple[Any, Any, Path], tmp_path: Path
) -> None:
    study, _, _ = reported
    bare = replace(study, chosen=[], shown=[], comparisons=[], latent=Latent(), states=[])
    write(replace(bare, values=bare.values.iloc[:0]), Figures(), tmp_path)
    compiled(tmp_path)


@needs_latex
def test_every_headline_stands_in_text_and_in_formulas(
    reported: tuple[Any, Any, Path], tmp_path: Path
) -> None:
    study, figures, folder = reported
    page = make_page(study, figures, folder)
    headlines, _, document = write_document(study, page, figures, tmp_path)
    names = re.findall(r"newcommand\{(\\ob\w+)\}", headlines.read_text())
    assert len(names) > 30
    document.write_text(
        f"{PREAMBLE}\n\\input{{headlines}}\n\\begin{{document}}\n"
        + "".join(f"{name}{{}} ${name}$\n\n" for name in names)
        + "\\end{document}\n"
    )
    compiled(tmp_path)


def test_a_table_is_split_and_nothing_of_it_lost(study: Study) -> None:
    for k in range(ROWS + 1):
        for dataset in range(12):
            study.add(f"backbone-{k}", [k / 100, 0.6], f"dataset-{dataset}")
    text = fitted(study.tables()[0], "tab:1")
    parts = text.split(r"\begin{table}[H]")[1:]
    assert len(parts) == 4
    heads = [re.findall(r"\{(dataset-\d+)\}", part) for part in parts]
    assert [*chain(*heads[:2])] == [f"dataset-{k}" for k in range(12)]
    assert heads[:2] == heads[2:]
    rows = [re.findall(r"^(backbone-\d+) &.*\\\\$", part, re.MULTILINE) for part in parts]
    assert rows[0] == rows[1]
    assert rows[0] + rows[2] == [f"backbone-{k}" for k in range(ROWS + 1)]
    digests = {row["digest"][:8] for row in study.rows}
    assert digests == set(re.findall(r"\b[0-9a-f]{8}\b", text))
    assert re.findall(r"\\label\{.*\}", text) == [r"\label{tab:1}"]
    assert [part.startswith("\n\\ContinuedFloat") for part in parts] == [False] + [True] * 3
    assert parts[-1].count("Metric definition: def") == text.count("Metric definition: def") == 1
    assert r"\caption{Part 4 of 4; what is said of the first holds here too.}" in parts[3]


def test_a_caption_too_long_for_a_float_stands_above_and_details_below(study: Study) -> None:
    study.add("a", [0.5, 0.6])
    (table,) = study.tables(notes={"d": "A detail about it. " * 150})
    text = fitted(table, "tab:1")
    assert text.count("A detail about it.") == 150
    assert text.index("A detail about it.") > text.index(r"\end{table}")
    text = fitted(replace(table, caption="A sentence about it. " * 150), "tab:1")
    assert r"\caption{How to read it is said above.}" in text
    assert text.count("A sentence about it.") == 150
    assert text.index("A sentence about it.") < text.index(r"\begin{table}")


def test_a_table_of_texts_is_split_likewise() -> None:
    heads = ("backbone", *(f"({k})" for k in range(40)))
    rows = tuple((f"name {k}", *(f"{k}.{j}" for j in range(40))) for k in range(50))
    text = fitted(Table.from_texts("Likeness", heads, rows, "Said.", "latent"), "tab:1")
    assert all(f"{k}.{j} " in text for k in range(50) for j in range(40))
    assert "includegraphics" not in text
    assert text.count("name 7 &") == text.count(r"\begin{table}[H]") / 2 > 1


def test_only_very_long_words_are_broken() -> None:
    short = "a-name_of % & {x} é [1]"
    assert breakable(short) == " ".join(map(escape, short.split()))
    broken = breakable(LONG)
    assert broken.replace(r"\allowbreak{}", "") == escape(LONG)
    assert max(map(len, broken.split(r"\allowbreak{}"))) <= len(r"unreasonably\_")
