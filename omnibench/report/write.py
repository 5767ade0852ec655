"""Write a report's tables, each file at once or not at all."""

from pathlib import Path

from omnibench.files import write_atomically
from omnibench.report import calibration, subgroup_tables
from omnibench.report import convergence_tables as convergence
from omnibench.report import label_efficiency_tables as label_efficiency
from omnibench.report.comparisons import left_out, sentences
from omnibench.report.convergence_tables import convergence_tables
from omnibench.report.delimited import to_csv
from omnibench.report.label_efficiency_tables import label_efficiency_tables
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.result_tables import long_table
from omnibench.report.settings import setting_tables
from omnibench.report.study import Study
from omnibench.report.table import Table


def write_tables(study: Study, folder: Path) -> list[Path]:
    """Write `<name>.tex`, `<name>.csv` and `<name>.md` into a folder and return their paths.

    Beside them stand `calibration.csv`, where logits are stored, `subgroups.csv`, where columns
    are, `convergence.csv`, where trainings left their evaluations, and `corruptions.csv` and
    `mixes.csv`, where models were tested on such images.

    Raises:
        StoreError: a file cannot be written; what stood there before is unharmed.
    """
    contents = {
        "tex": to_latex(study.name, [*study.tables, *_further(study)], study.narrowing),
        "csv": to_csv(long_table([*study.every, *study.published])),
        "md": tables_in_words(study),
    }
    paths = {folder / f"{study.name}.{kind}": text for kind, text in contents.items()}
    if study.calibrated:
        table = calibration.long_table(study.calibrated)
        paths[folder / f"{calibration.STEM}.csv"] = to_csv(table)
    if subgroups := study.subgrouped[0]:
        table = subgroup_tables.long_table(subgroups)
        paths[folder / f"{subgroup_tables.STEM}.csv"] = to_csv(table)
    if study.budgeted:
        table = label_efficiency.long_table(study.budgeted)
        paths[folder / f"{label_efficiency.STEM}.csv"] = to_csv(table)
    if study.converging:
        table = convergence.long_table(study.converging)
        paths[folder / f"{convergence.STEM}.csv"] = to_csv(table)
    paths |= {folder / f"{stem}.csv": text for stem, text in study.beyond.csv_files()}
    for path, text in paths.items():
        # A reason may hold a lone surrogate of a broken file name.
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    return list(paths)


def tables_in_words(study: Study) -> str:
    """Return the answers, the tables and the comparisons as Markdown."""
    return to_markdown(
        study.name,
        study.tables,
        sentences(study),
        left_out(study),
        _further(study),
        study.narrowing,
        study.answers,
    )


def _further(study: Study) -> list[Table]:
    """Return the tables that stand after the results."""
    return [
        *study.across,
        *study.beyond.tables,
        *study.subgroup_tables,
        *study.calibration_tables,
        *study.selective_tables,
        *study.operating_tables,
        *convergence_tables(study),
        *setting_tables(study),
        *label_efficiency_tables(study),
        *study.latent.tables,
        *study.reproduction,
    ]
