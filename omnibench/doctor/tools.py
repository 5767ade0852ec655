"""What omnibench uses and does not install: LaTeX."""

import shutil

from omnibench.findings import Finding

COMPILERS = ("latexmk", "pdflatex", "lualatex", "xelatex", "tectonic")


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
