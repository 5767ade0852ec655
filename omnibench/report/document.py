"""`report.tex`: the whole report as a document that LaTeX's basic packages compile."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from omnibench.files import write_atomically
from omnibench.report.answers import Answer
from omnibench.report.comparisons import difference_tables
from omnibench.report.convergence_tables import convergence_tables
from omnibench.report.figures.drawing import Figures
from omnibench.report.headlines import headlines, to_commands
from omnibench.report.label_efficiency_tables import label_efficiency_tables
from omnibench.report.latex import breakable, fitted
from omnibench.report.page.render import Page
from omnibench.report.page.write import FIGURES
from omnibench.report.references import to_bibliography, to_bibtex
from omnibench.report.settings import setting_tables
from omnibench.report.study import Study
from omnibench.report.table import Table

NAME, HEADLINES, REFERENCES = "report.tex", "headlines.tex", "references.bib"
# Debian: texlive-latex-base, texlive-latex-recommended. The font encoding stays OT1, as only its
# fonts come as outlines with these. What OT1 draws or takes from elsewhere is a letter of its
# typewriter font here, so that names can be found and copied in the PDF.
PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs}
\usepackage[font=small,labelfont=bf]{caption}
\usepackage{float}
\usepackage{graphicx}
\DeclareTextCommand{\textdollar}{OT1}{{\ttfamily\char36}}
\DeclareTextCommand{\textunderscore}{OT1}{{\ttfamily\char95}}
\DeclareTextCommand{\textasciicircum}{OT1}{{\ttfamily\char94}}
\DeclareTextCommand{\textasciitilde}{OT1}{{\ttfamily\char126}}
\DeclareTextCommand{\textasciigrave}{OT1}{{\ttfamily\char18}}
\renewcommand{\labelitemi}{$\bullet$}
\setlength{\emergencystretch}{4em}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\newsavebox{\obtable}
\newcommand{\obfit}{\ifdim\wd\obtable>\linewidth
  \resizebox{\linewidth}{!}{\usebox{\obtable}}\else\usebox{\obtable}\fi}
\makeatletter
\newcommand{\obwidth}{\ifdim\Gin@nat@width>\linewidth\linewidth\else\Gin@nat@width\fi}
\newcommand{\obheight}{\ifdim\Gin@nat@height>.8\textheight .8\textheight\else\Gin@nat@height\fi}
\makeatother
\setkeys{Gin}{width=\obwidth,height=\obheight,keepaspectratio}"""


def write_document(study: Study, page: Page, figures: Figures, folder: Path) -> list[Path]:
    """Write `report.tex`, the `headlines.tex` that it reads and the papers that it cites.

    Returns:
        Their paths. It holds its list of papers; `references.bib` is for other documents.

    Args:
        page: whose words it shares.
        figures: drawn into the folder's `FIGURES`.
        folder: of the report, where the latent space's picture lies too.

    Raises:
        StoreError: a file cannot be written; what stood there before is unharmed.
    """
    contents = {
        HEADLINES: to_commands(study.name, headlines(study), study.correction),
        REFERENCES: to_bibtex(study.cards),
        NAME: to_document(study, page, figures),
    }
    for name, text in contents.items():
        # A comment may hold a lone surrogate of a broken file name.
        write_atomically(folder / name, text.encode("utf-8", "backslashreplace"))
    return [folder / name for name in contents]


def to_document(study: Study, page: Page, figures: Figures) -> str:
    """Return the document; it reads `headlines.tex` and the figures from beside it.

    Args:
        page: whose words it shares.
    """
    parts = [
        PREAMBLE,
        rf"\input{{{HEADLINES.removesuffix('.tex')}}}",
        rf"\title{{{breakable(study.name)}}}",
        r"\author{}",
        r"\date{}",
        r"\begin{document}",
        r"\maketitle",
        r"\section{Summary}",
        *map(breakable, page.summary),
        *(text for answer in study.answers for text in _answer(answer)),
        r"\section{Methods}",
        *map(breakable, page.methods),
        r"\section{Results}",
        *_tables(study),
        *_figures(figures),
    ]
    tables = [table for table in (page.failures, *page.data, page.environment) if table is not None]
    parts += [text for table in tables for text in _listed(table)]
    parts += filter(None, [to_bibliography(study.cards)])
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def _answer(answer: Answer) -> Iterator[str]:
    """Yield what a task's records say: who leads, what lacks, and what looks wrong."""
    yield rf"\textbf{{{breakable(answer.task)}}}: {breakable(answer.headline)}"
    yield from _items(map(breakable, answer.sentences))
    yield from _items(rf"\emph{{{breakable(t)}}}" for t in (*answer.lacking, *answer.doubts))


def _tables(study: Study) -> Iterator[str]:
    for number, table in enumerate(study.tables, 1):
        yield _head("subsection", table.title)
        yield fitted(table, f"tab:{number}")
    levels = [
        ("subsection", table)
        for table in (
            *(*study.across, *difference_tables(study)),
            *study.beyond.tables,
            *(*study.subgroup_tables, *study.calibration_tables, *study.selective_tables),
            *(*study.operating_tables, *convergence_tables(study)),
            *setting_tables(study),
            *label_efficiency_tables(study),
        )
    ]
    levels += [("section", table) for table in (*study.latent.tables, *study.reproduction)]
    for number, (level, table) in enumerate(levels, 1):
        label = f"tab:plain-{number}"
        yield _head(level, table.title)
        if table.picture:
            yield _figure(f"{table.picture}.pdf", rf"Measured in Table~\ref{{{label}}}.")
        yield fitted(table, label)


def _figures(figures: Figures) -> Iterator[str]:
    if figures.drawings or figures.failures:
        yield r"\section{Figures}"
    for drawing in figures.drawings:
        caption = breakable(f"{drawing.title}. {drawing.caption}")
        yield _figure(f"{FIGURES}/{drawing.stem}.pdf", caption)
    yield from map(breakable, figures.failures)


def _figure(file: str, caption: str) -> str:
    """Return a figure where it stands: more floats than LaTeX holds at a time are an error."""
    lines = (
        *(r"\begin{figure}[H]", r"\centering", rf"\includegraphics{{{file}}}"),
        *(rf"\caption{{{caption}}}", r"\end{figure}"),
    )
    return "\n".join(lines)


def _listed(table: Table) -> Iterator[str]:
    """Yield a table of long texts as a list, which goes over the end of a page."""
    yield _head("section", table.title)
    yield from _items(
        rf"\textbf{{{breakable(name)}}}: "
        + breakable(
            "; ".join(
                f"{head}: {text}" for head, text in zip(table.heads[1:], texts, strict=True) if text
            )
        )
        for name, *texts in table.texts
    )
    if table.caption:
        yield breakable(table.caption)


def _head(level: str, text: str) -> str:
    return rf"\{level}{{{breakable(text)}}}"


def _items(items: Iterable[str]) -> Iterator[str]:
    lines = [rf"\item {item}" for item in items]
    if lines:
        close = r"\setlength{\itemsep}{0.2em}\setlength{\parskip}{0pt}"
        yield "\n".join([r"\begin{itemize}", close, *lines, r"\end{itemize}"])
