import re
import shutil
import subprocess
from pathlib import Path

import pytest

from omnibench.report.latex import escape, to_latex
from tests.report.by_hand import Study

NASTY = 'we\\ird%&_#${}~^<>"|[x]*`` \N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{NON-BREAKING HYPHEN}'
NASTY += "é ü ß -- '' ,, \N{GREEK SMALL LETTER ALPHA} \N{CJK UNIFIED IDEOGRAPH-4F60}\n\tend"


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("\\", r"\textbackslash{}"),
        ("{}", r"\{\}"),
        ("%&_#$", r"\%\&\_\#\$"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("<|>", r"\textless{}\textbar{}\textgreater{}"),
        ('"', r"{\ttfamily\char34}"),
        ("[a]", "{[}a]"),
        ("*", "{*}"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("''", "'{}'"),
        ("\N{EN DASH}", r"\textendash{}"),
        ("\N{EM DASH}", r"\textemdash{}"),
        ("\N{MINUS SIGN}1", "$-$1"),
        ("a\N{NON-BREAKING HYPHEN}b", "a-b"),
        ("é", r"\'{e}"),
        ("e\N{COMBINING ACUTE ACCENT}", r"e{[}U+0301]"),
        ("\N{GREEK SMALL LETTER ALPHA}", "{[}U+03B1]"),
        ("two\nlines\x0b", "two lines"),
        ("\x01", "{[}U+0001]"),
        ("plain name-1.0", "plain name-1.0"),
    ],
)
def test_escape(text: str, latex: str) -> None:
    assert escape(text) == latex


def test_structure(demo: Study) -> None:
    lines = to_latex("demo", demo.tables(baseline="random-vit")).splitlines()
    assert lines[1] == r"% needs \usepackage{booktabs}"
    body = [line for line in lines if not line.startswith("%")]
    first = body.index(r"\begin{tabular}{ll r@{\,$\pm$\,}l r@{\,$\pm$\,}l}")
    last = body.index(r"\end{tabular}")
    assert body[first : last + 1] == [
        r"\begin{tabular}{ll r@{\,$\pm$\,}l r@{\,$\pm$\,}l}",
        r"\toprule",
        r"backbone & adaptation & \multicolumn{2}{c}{d} & \multicolumn{2}{c}{e} \\",
        r"\midrule",
        r"random-vit & linear & \underline{52.00} & 2.00 & 60.00 & 0.00 \\",
        r"good & linear & \textbf{92.00} & 2.65$^{\dagger}$"
        r" & \multicolumn{2}{c}{\textit{failed}} \\",
        r"good & knn & \multicolumn{2}{c}{70.00} & \multicolumn{2}{c}{--} \\",
        r"fair & linear & 81.00 & 1.41 (2/3) & \multicolumn{2}{c}{--} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert body[last + 1].startswith(
        r"\par\smallskip\begin{minipage}{\linewidth}\footnotesize Metric"
    )
    assert body[last + 2 :] == [r"\end{table}"]
    assert r"\label{tab:demo-classification-auc-def}" in lines


def test_every_row_is_followed_by_its_digests(demo: Study) -> None:
    lines = to_latex("demo", demo.tables(baseline="random-vit")).splitlines()
    row = lines.index(next(line for line in lines if line.startswith("good & linear")))
    digests = [row["digest"][:8] for row in demo.rows if row["backbone"] == "good"][:3]
    assert lines[row + 1] == f"% d: {' '.join(digests)}"


def test_nasty_names_leave_no_bare_special(study: Study) -> None:
    study.add(NASTY, [0.5, 0.6], NASTY).add("b", [0.4, 0.5], NASTY)
    text = to_latex(NASTY, study.tables(notes={NASTY: NASTY}))
    for line in text.splitlines():
        if line.startswith("%"):
            continue
        bare = re.sub(r"\\[\\%&_#${}\"]", "", line)  # what is escaped
        assert not re.search(r'[%#"<>|]', bare), line
        assert line.isascii()


def test_nothing_at_all(study: Study) -> None:
    assert to_latex("demo", study.tables()).count("\n") == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_compiles(study: Study, demo: Study, tmp_path: Path) -> None:
    demo.add(NASTY, [0.5, 0.6], NASTY).add('"`[', [0.7, 0.1]).add("*", [0.6, 0.7], "[a]")
    for name in (NASTY, '"`[', "*"):
        demo.ask(name, ["done", "failed"])
    fragment = to_latex(NASTY, demo.tables(baseline="random-vit", notes={NASTY: NASTY}))
    (tmp_path / "tables.tex").write_text(fragment, encoding="utf-8")
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
        "\\tiny\\input{tables}\n\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "main.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout[-2000:]
