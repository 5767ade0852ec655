"""Tables as people paste them: each layout gives the numbers that a reader sees, or is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from omnibench.audit.facts import Facts
from omnibench.audit.published import Row
from omnibench.audit.reading import read_tables
from omnibench.errors import RequestError

Paste = Callable[..., Path]

NUMBERS = {
    ("A", "Breast", "accuracy"): ("80.1", "0.3"),
    ("A", "Breast", "AUC"): ("88.0", "0.2"),
    ("A", "Organ", "accuracy"): ("90.0", "0.1"),
    ("B_1", "Breast", "accuracy"): ("79.0", "0.5"),
    ("B_1", "Breast", "AUC"): ("87.5", "0.4"),
}

MARKDOWN = r"""Table 1: results

| Model | Breast | Breast | Organ |
|:------|:------:|-------:|-------|
|       | Acc ↑  | AUC ↑  | Acc ↑ |
| **A**†  | **80.1** ± 0.3 | 88.0 +- 0.2 | 90.0±0.1 |
| B\_1 | 79.0 ± 0.5 | 87.5 ± 0.4 | - |

† a footnote under the table, with 80.1 in it
"""

LATEX = r"""
\begin{table}[t]
\caption{A table with 80.1\% in its caption}
\begin{tabular}{l|cc|c} % & a comment & with \\ what parts cells
\toprule
\multirow{2}{*}{Model} & \multicolumn{2}{c|}{\textbf{Breast}} & Organ \\ \cmidrule(lr){2-3}
 & Acc. $\uparrow$ & AUC $\uparrow$ & Acc. $\uparrow$ \\
\midrule
\multicolumn{4}{l}{\textit{All models}} \\
A~\cite{a}$^{\dagger}$ & \textbf{80.1 $\pm$ 0.3} & $88.0 \pm 0.2$ & 90.0{\tiny$\pm$0.1} \\[2pt]
%B & 1.0 & 2.0 & 3.0 \\
B\_1 & \underline{79.0}$_{\pm 0.5}$ & 87.5 \textpm{} 0.4 & -- \\
\bottomrule
\multicolumn{3}{l}{\footnotesize $^{\dagger}$ a footnote}
\end{tabular}
\end{table}
"""

SEMICOLONS = """\ufeffModel;Breast Acc;Breast AUC;Organ Acc\r
A;80,1 (0,3);88,0 (0,2);90,0 (0,1)\r
B_1;79,0 (0,5);87,5 (0,4);\u2014\r
* a footnote\r
"""

HEAD = "Model Breast_Acc_mean Breast_Acc_std Breast_AUC_mean Breast_AUC_std Organ_Acc Organ_Acc_std"
TABS = f"""{HEAD.replace(" ", chr(9))}
A\t80.1\t0.3\t88.0\t0.2\t90.0\t0.1
B_1\t79.0\t0.5\t87.5\t0.4\t\t
"""

LONG = """model,dataset,metric,value
A,Breast,Acc,80.1 ± 0.3
A,Breast,AUC,88.0 ± 0.2
A,Organ,accuracy,90.0 ± 0.1
B_1,Breast,Acc,79.0 ± 0.5
B_1,Breast,AUC,87.5 ± 0.4
"""


@pytest.fixture
def paste(tmp_path: Path) -> Paste:
    def paste(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        return tmp_path / name

    return paste


def rows_of(path: Path, facts: Facts | None = None) -> list[Row]:
    return read_tables(path, facts or Facts()).rows


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", MARKDOWN),
        ("a.tex", LATEX),
        ("a.csv", SEMICOLONS),
        ("a.tsv", TABS),
        ("b.csv", LONG),
        ("a.txt", LATEX),
        ("b.txt", MARKDOWN.replace("\n", "\r\n")),
    ],
)
def test_every_layout_gives_the_numbers_that_a_reader_sees(
    paste: Paste, name: str, text: str
) -> None:
    rows = rows_of(paste(name, text))
    actual = {(row.model, row.dataset, row.metric): (row.mean, row.std) for row in rows}
    assert actual == NUMBERS


def test_rows_know_the_line_that_they_stand_on(paste: Paste) -> None:
    assert [row.line for row in rows_of(paste("a.md", MARKDOWN))] == [6, 6, 6, 7, 7]
    assert {row.line for row in rows_of(paste("a.tex", LATEX))} == {10, 12}
    assert {row.line for row in rows_of(paste("a.csv", SEMICOLONS))} == {2, 3}


def test_what_is_assumed_is_in_words(paste: Paste) -> None:
    assumed = read_tables(paste("a.csv", SEMICOLONS), Facts()).assumed
    assert any("one number in brackets is a standard deviation" in text for text in assumed)
    assumed = read_tables(paste("a.csv", SEMICOLONS), Facts(spread="se")).assumed
    assert any("is a standard error over runs (--spread)" in text for text in assumed)


def test_the_spread_option_says_what_stands_behind_a_sign(paste: Paste) -> None:
    path = paste("a.md", "| Model | D |\n|-|-|\n| A | 80.1 ± 0.3 |\n")
    assert rows_of(path, Facts(spread="se"))[0].se == "0.3"
    interval = rows_of(path, Facts(spread="ci"))[0]
    assert (interval.interval, interval.std, interval.over_runs) == (("79.8", "80.4"), "", None)


def test_arrows_percent_signs_and_metrics_in_brackets_are_read(paste: Paste) -> None:
    text = "| Model | Liver (HD95 ↓) | Liver (Dice, %) | Params (M) | Avg |\n|-|-|-|-|-|\n"
    rows = rows_of(paste("a.md", text.replace("Dice, %", "Dice) (%") + "|A|3.2|90.1|25.6|50|\n"))
    assert [(row.dataset, row.metric) for row in rows[:2]] == [("Liver", "HD95"), ("Liver", "Dice")]
    assert [row.higher_is_better for row in rows] == [False, True, True]
    assert [row.unit_given for row in rows] == [False, True, False]
    assert [row.primary for row in rows] == [True, True, False]


def test_metrics_over_datasets_and_datasets_over_metrics_are_told_apart(paste: Paste) -> None:
    over = "| M | AUC | AUC | F1 |\n|-|-|-|-|\n| | Breast | Organ | Breast |\n| A | 1.5 | 2 | 3 |\n"
    rows = rows_of(paste("a.md", over))
    assert [(row.dataset, row.metric) for row in rows] == [
        ("Breast", "AUC"),
        ("Organ", "AUC"),
        ("Breast", "F1"),
    ]


def test_the_same_models_under_two_headings_are_two_models(paste: Paste) -> None:
    text = (
        "| Model | D |\n|-|-|\n| *Linear probe* | |\n| A | 80.1 |\n| **Fine-tuned** | |\n"
        "| A | 85.0 |\n| B | 86.0 |\n"
    )
    assert [row.model for row in rows_of(paste("a.md", text))] == [
        "A (Linear probe)",
        "A (Fine-tuned)",
        "B",
    ]


def test_several_columns_of_words_make_one_name(paste: Paste) -> None:
    text = (
        r"\begin{tabular}{llrc} Model & Data & Params & D \\ \hline \multirow{2}{*}{ViT} & IN & 86M"
        r" & 80.1 \\ & CXR & 86M & 81.0 \\ \end{tabular}"
    )
    rows = rows_of(paste("a.tex", text))
    assert [(row.model, row.mean) for row in rows] == [
        ("ViT / IN", "80.1"),
        ("ViT / CXR", "81.0"),
    ]


def test_several_tables_of_a_file_are_numbered(paste: Paste) -> None:
    rows = rows_of(paste("a.tex", LATEX + LATEX.replace("80.1 $", "80.2 $")))
    assert {row.table for row in rows} == {"1", "2"}
    assert len(rows) == 10


def test_two_hundred_models_by_fifty_datasets_are_read(paste: Paste) -> None:
    lines = ["model," + ",".join(f"d{k}" for k in range(50))]
    lines += [
        f"m{i}," + ",".join(f"{(i + k) % 90 + 1}.{k % 10}" for k in range(50)) for i in range(200)
    ]
    rows = rows_of(paste("a.csv", "\n".join(lines)))
    assert len(rows) == 10_000
    assert (rows[-1].model, rows[-1].dataset, rows[-1].mean) == ("m199", "d49", "69.9")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.md",
            "| M | D |\n|-|-|\n| A | 80.1a |\n| B | 2.0 |\n",
            r"line 3 \(A\), column 'D': '80.1a' is no",
        ),
        (
            "a.md",
            "| M | D | E |\n|-|-|-|\n| A | 80.1 |\n",
            "line 3 has not as many cells as the header: 2, not 3",
        ),
        ("a.csv", "M,D\nA,80.1,1\n", "line 2 has not as many cells as the header"),
        ("a.csv", "M,D\nA,80.1\nA,80.2\n", "line 3, column 'D': .* stands twice, on line 2 too"),
        (
            "a.csv",
            'M;D\nA;"80,1"\nB;80.2\n',
            "line 3, column 'D' has a decimal point, but .*line 2",
        ),
        (
            "a.csv",
            "M,D\nA,0.9 (0.95-0.92)\n",
            "line 2, column 'D': the bounds 0.95 and 0.92 are swapped",
        ),
        ("a.csv", "M,D\nA,0.90 (0.93-0.95)\n", "interval 0.93 to 0.95 does not hold the mean 0.90"),
        ("a.csv", "M,D\n,80.1\n", "line 2 has numbers and no model"),
        ("a.csv", "A,80.1,79\nB,80.2,79.1\n", "line 1 holds numbers where .* headings"),
        (
            "a.md",
            f"| M | D |\n|-|-|\n| A | {'1 ' * 2000} |\n",
            "line 3 has a cell of more than 2000 characters",
        ),
        (
            "a.tex",
            r"\begin{tabular}{lc} M & \multicolumn{99999}{c}{D} \\ A & 1 \\ \end{tabular}",
            "line 1 reaches over 99999 columns",
        ),
        (
            "a.md",
            "| M | D |\n|-|-|\n| A | bad |\n",
            "has no rows of numbers; .* passed over as no scores: column D",
        ),
        ("a.csv", "M,D\n", "has headings and no numbers"),
        ("a.csv", "M,D\nA,-\n", "has no rows of numbers"),
        ("a.md", "no table here\n", "holds no table"),
        ("a.tex", r"\begin{tabular}{lc} M & D \\ A & 80.1", r"begins on line 1 has no \\end"),
        (
            "a.tex",
            r"\begin{tabular}{lc} M & {D \\ A & 80.1 \end{tabular}",
            "braces .* do not match",
        ),
        (
            "a.tex",
            r"\begin{tabular}{lc} M & D \\ A & 80.1 & 3 \\ \end{tabular}",
            "not as many cells",
        ),
        ("a.md", "| M | |\n|-|-|\n| A | 80.1 |\n", "column 2 of table 1 has no heading"),
    ],
)
def test_what_cannot_be_read_is_named_by_row_and_column(
    paste: Paste, name: str, text: str, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        rows_of(paste(name, text))


def test_columns_of_standard_errors_and_intervals_are_read(paste: Paste) -> None:
    text = (
        "dataset,model,metric,mean,se,ci_low,ci_high,ci_level,ci_over\n"
        "D,A,auc,.887,0.002,,,,\nD,B,auc,.887,,.884,.890,90,runs\nD,C,auc,.887,,.884,.890,,images\n"
    )
    first, second, third = rows_of(paste("a.csv", text))
    assert (first.se, first.n, first.role) == ("0.002", None, "rerun")
    assert (second.interval, second.level, second.over) == (("0.884", "0.890"), 0.9, "runs")
    assert (third.level, third.over_runs) == (0.95, None)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (".884,", "an interval has two bounds"),
        (".890,.884", "the bounds 0.890 and 0.884 are swapped"),
        (".880,.884", "the interval 0.880 to 0.884 does not hold the mean 0.887"),
    ],
)
def test_intervals_that_cannot_be_are_refused(paste: Paste, cells: str, message: str) -> None:
    text = f"dataset,model,metric,mean,ci_low,ci_high\nD,A,auc,.887,{cells}\n"
    with pytest.raises(RequestError, match=f"line 2: {message}"):
        rows_of(paste("a.csv", text))


def test_datasets_down_and_models_across_are_turned(paste: Paste) -> None:
    path = paste("a.csv", "Dataset,A,B\nD,80.1,79.0\nE,70.1,69.0\n")
    assert [(row.model, row.dataset) for row in rows_of(path)] == [
        ("A", "D"),
        ("B", "D"),
        ("A", "E"),
        ("B", "E"),
    ]
    assert "table 1 has datasets down and models across" in read_tables(path, Facts()).assumed


def test_a_mean_beside_a_std_is_no_average_over_the_others(paste: Paste) -> None:
    text = ",acc,acc\n,mean,std\nmodel,,\nA,0.801,0.01\nB,0.811,.02\n"
    rows = rows_of(paste("a.csv", text))
    assert [(row.model, row.metric, row.mean, row.std) for row in rows] == [
        ("A", "accuracy", "0.801", "0.01"),
        ("B", "accuracy", "0.811", "0.02"),
    ]


def test_columns_of_ranks_and_p_values_are_passed_over_by_name(paste: Paste) -> None:
    text = "| Rank | Model | Dice | p-value |\n|-|-|-|-|\n| 1 | A | 80.1 | <0.001 |\n"
    reading = read_tables(paste("a.md", text), Facts())
    assert [(row.model, row.mean) for row in reading.rows] == [("A", "80.1")]
    assert "table 1: passed over as no scores: column p-value" in reading.assumed


def test_a_column_of_datasets_beside_one_of_models_is_read(paste: Paste) -> None:
    text = "Dataset,Method,Acc\nD,A,80.1\nD,B,80.2\nE,A,70.1\n"
    assert [(row.model, row.dataset) for row in rows_of(paste("a.csv", text))] == [
        ("A", "D"),
        ("B", "D"),
        ("A", "E"),
    ]


@pytest.mark.parametrize(
    "columns",
    [
        r"l r@{\,$\pm$\,}l r@{\,$\pm$\,}l",
        r"l*{2}{r@{${}\pm{}$}l}",
        r"lS[table-format=2.1]!{±}Sr@{$\pm$}p{1cm}",
    ],
)
def test_a_sign_between_latex_columns_joins_them(paste: Paste, columns: str) -> None:
    text = (
        rf"\begin{{tabular}}{{{columns}}} Model & \multicolumn{{2}}{{c}}{{D}} & "
        r"\multicolumn{2}{c}{E} \\ \midrule A & \textbf{80.1} & 0.3\dagger & "
        r"\multicolumn{2}{c}{--} \\ B & 79.0 & 0.5 & 70.0 & \\ \end{tabular}"
    )
    rows = rows_of(paste("a.tex", text))
    assert [(row.model, row.dataset, row.mean, row.std) for row in rows] == [
        ("A", "D", "80.1", "0.3"),
        ("B", "D", "79.0", "0.5"),
        ("B", "E", "70.0", ""),
    ]


def test_a_whole_number_in_brackets_behind_decimals_is_ambiguous(paste: Paste) -> None:
    path = paste("a.md", "| Model | D |\n|-|-|\n| A | 80.1 (3) |\n")
    with pytest.raises(RequestError, match=r"line 3 \(A\), column 'D': 80.1 \(3\) may be a spread"):
        rows_of(path)
    assert rows_of(path, Facts(spread="std"))[0].std == "3"
