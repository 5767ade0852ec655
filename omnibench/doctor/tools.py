"""What omnibench uses and does not install: WordNet, and LaTeX."""

import shutil
from pathlib import Path

from omnibench.context import using_data
from omnibench.findings import Finding
from omnibench.registry import import_attribute

COMPILERS = ("latexmk", "pdflatex", "lualatex", "xelatex", "tectonic")


def wordnet(data: Path) -> Finding:
    """Whether nltk can read the WordNet that METEOR's synonyms come from."""
    has_wordnet = import_attribute("omnibench.tasks.captioning.meteor:has_wordnet")
    with using_data(data):
        there = has_wordnet()
    if there:
        return Finding("WordNet", "PASS", "METEOR can be computed")
    folder = data / "nltk_data"
    return Finding(
        "WordNet",
        "WARN",
        "absent or not readable, so captions get no METEOR",
        f"run `python -m nltk.downloader -d {folder} wordnet`, or put its wordnet.zip at "
        f"{folder / 'corpora' / 'wordnet.zip'}; `bench.py rescore SUITE` then adds METEOR to what "
        "is done",
    )


def latex() -> Finding:
    """Whether something here compiles report.tex."""
    found = [name for name in COMPILERS if shutil.which(name)]
    if found:
        return Finding("LaTeX", "PASS", f"{found[0]} compiles report.tex")
    return Finding(
        "LaTeX",
        "WARN",
        "absent, so report.tex cannot be compiled here; report.html needs none",
        "install TeX Live (Debian: texlive-latex-recommended), or take report.tex elsewhere",
    )
