import csv
import io
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench.report.build import build_results, gather_decodings
from omnibench.report.delimited import to_csv
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.result_tables import long_table, result_table
from omnibench.report.table import Table
from omnibench.report.write import tables_in_words
from omnibench.stats.compare import Rules, compare_pairs
from omnibench.stats.pair import Comparison
from tests.report.by_hand import Study, in_full, parts

DECODINGS: Any = ("b1-t64", "b5-t128")
METRICS: Any = ("meteor", "bleu")
RULES = Rules({"captioning": "cap/meteor"})
TRAINED = {"task": "captioning", "varies": "training seed"}


class Texts:
    """A study of generated texts, with real comparisons against `base`."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.rivals = list[Any]()

    def add(
        self,
        backbone: str,
        values: list[float],
        decodings: tuple[str] = DECODINGS,
        metrics: list[str] = METRICS,
        name: str = "cap",
        **other: str,
    ) -> "Texts":
        """Values of the first metric and decoding; each further one is .01 higher."""
        if backbone not in ("base", *self.rivals):
            self.rivals.append(backbone)
        given = TRAINED | {"adaptation": "bart-small", "dataset": "roco"} | other
        for i, decoding in enumerate(decodings):
            for j, metric in enumerate(metrics):
                moved = [value + (i + j) / 100 for value in values]
                definition = f"{name}@{decoding}"
                self.study.add(backbone, moved, metric=metric, definition=definition, **given)
        return self

    @property
    def comparisons(self) -> list[Comparison]:
        pairs = [(rival, "base") for rival in self.rivals]
        return compare_pairs(self.study.values, self.study.predictions, pairs, RULES)

    def results(self, expected: pd.DataFrame | None = None, **options: Any) -> Any:
        given = {"baseline": "base"} | options
        every = build_results(self.study.values, *parts(self.comparisons, expected, given))
        return gather_decodings(every)

    def tables(self) -> list[Table]:
        return [result_table(results) for results in self.results()]


@pytest.fixture
def texts(study: Study) -> Texts:
    return Texts(study)


@pytest.fixture
def small(texts: Texts) -> Texts:
    """One table: a baseline and a rival that is better beyond doubt, two decodings, two metrics."""
    return texts.add("base", [0.1, 0.11, 0.12]).add("good", [0.2, 0.21, 0.221])


def test_a_row_for_each_decoding_a_column_for_each_metric_and_one_decides(small: Texts) -> None:
    lines = to_markdown("s", small.tables()).splitlines()
    assert lines[2:10] == [
        "## captioning: cap on roco",
        "",
        "| backbone | adaptation | beams | max tokens | meteor | bleu |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| base | bart-small | 1 | 64 | <u>11.00</u> ± 1.00 | <u>12.00</u> ± 1.00 |",
        "| base | bart-small | 5 | 128 | <u>12.00</u> ± 1.00 | <u>13.00</u> ± 1.00 |",
        "| good | bart-small | 1 | 64 | **21.03** ± 1.05 | **22.03** ± 1.05 |",
        "| good | bart-small | 5 | 128 | **22.03** ± 1.05† | **23.03** ± 1.05 |",
    ]


def test_the_same_table_in_latex(small: Texts) -> None:
    lines = to_latex("s", small.tables()).splitlines()
    assert r"\begin{tabular}{llrr r@{\,$\pm$\,}l r@{\,$\pm$\,}l}" in lines
    assert r"\label{tab:s-captioning-roco-cap}" in lines
    heads = r"\multicolumn{2}{c}{meteor} & \multicolumn{2}{c}{bleu} \\"
    assert rf"backbone & adaptation & beams & max tokens & {heads}" in lines
    best = r"\textbf{22.03} & 1.05$^{\dagger}$ & \textbf{23.03} & 1.05 \\"
    at = lines.index(rf"good & bart-small & 5 & 128 & {best}")
    assert re.fullmatch(r"% roco: \w{8} \w{8} \w{8}", lines[at + 1])  # once, not for each metric
    assert not lines[at + 2].startswith("%")


def test_the_csv_has_the_columns_of_the_published_table(small: Texts) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(long_table(small.results())))))
    assert len(rows) == 8
    last = rows[-1]
    assert (last["dataset"], last["definition"], last["metric"]) == ("roco", "cap", "bleu")
    assert (last["beams"], last["max_tokens"], last["rank"]) == ("5", "128", "1")
    assert (last["test"], last["test_runs"]) == ("new images and runs", "paired t")
    assert (last["verdict"], last["family"], last["p_corrected"]) == ("described", "", "")
    (decided,) = [row for row in rows if row["family"]]
    assert (decided["metric"], decided["beams"], decided["family"]) == ("meteor", "5", "1")
    assert (decided["verdict"], decided["p_corrected"]) == ("better", decided["p"])
    assert float(decided["p"]) < 0.05


def test_caption_says_what_a_claim_needs(small: Texts) -> None:
    (table,) = small.results(notes={"roco": "a test bench", "other": "absent"})
    text = in_full(table)
    for part in (
        "Metrics of the texts generated for roco in points (x 100; higher is better), mean",
        "Metric definition: cap.",
        "bart-small: n = 3, training seed varies.",
        "The decodings of a backbone and adaptation are of the same trained models.",
        "† differs from base: p < .05 after Holm's correction over its family, the 1 backbone "
        "compared with base on one dataset with one adaptation, in meteor (cap@b5-t128) alone; all "
        "else is described, not decided.",
        "On these test images alone, over runs: paired t, in the CSV.",
        "roco: a test bench.",
    ):
        assert part in text
    assert "absent" not in text
    assert "undefined" not in text


def test_a_table_for_each_definition_and_dataset_beside_those_without_texts(small: Texts) -> None:
    small.add("base", [0.1], dataset="own").add("base", [0.3], name="other", metrics=["meteor"])
    small.study.add("base", [0.5], dataset="d")
    tables = small.results()
    assert [(t.definition, t.dataset, t.metric, t.columns) for t in tables] == [
        ("cap", "roco", "", METRICS),
        ("cap", "own", "", METRICS),
        ("other", "roco", "", ("meteor",)),
        ("def", "", "auc", ("d",)),
    ]


def test_units_and_directions_are_found_without_the_decoding(texts: Texts) -> None:
    texts.add("base", [9.0, 9.1], name="length", metrics=["tokens"])
    texts.add("base", [0.1, 0.2], metrics=["meteor", "empty"])
    texts.add("good", [0.3, 0.4], metrics=["meteor", "empty"])
    length, cap = texts.results(units={"length/tokens": "tokens"}, lower_is_better={"cap/empty"})
    assert "**9.06** ± 0.07" in to_markdown("s", [result_table(length)])
    assert "in tokens (higher is better)" in in_full(length)
    assert "(x 100; higher is better, but lower for empty)" in in_full(cap)
    ranks = [(row.backbone, row.decoding, [c.rank for c in row.cells]) for row in cap.rows]
    assert ranks == [
        ("base", "b1-t64", [2, 1]),
        ("base", "b5-t128", [2, 1]),
        ("good", "b1-t64", [1, 2]),
        ("good", "b5-t128", [1, 2]),
    ]


def test_an_undefined_metric_is_a_dash_and_said(texts: Texts) -> None:
    texts.add("base", [np.nan, 0.1], metrics=["meteor"]).add("base", [0.2, 0.3], metrics=["bleu"])
    (table,) = texts.results()
    text = to_markdown("s", [result_table(table)])
    assert "| base | bart-small | 1 | 64 | \N{EN DASH} | <u>25.00</u> ± 7.07 |" in text
    assert "\N{EN DASH}: undefined in at least one repetition." in text
    assert r"1 & 64 & \multicolumn{2}{c}{--} & \underline{25.00} & 7.07" in to_latex(
        "s", [result_table(table)]
    )


def test_what_was_not_asked_for_is_no_row_and_what_is_absent_is(small: Texts) -> None:
    small.add("good", [0.3, 0.4, 0.5], DECODINGS[:1], adaptation="bart-base")
    for backbone, states in (("base", "done"), ("good", "done"), ("late", "missing")):
        small.study.ask(backbone, [states] * 3, "roco", "bart-small", "captioning")
    for backbone, states in (("good", "done"), ("late", "failed")):
        small.study.ask(backbone, [states] * 3, "roco", "bart-base", "captioning")
    expected = small.study.expected
    assert expected is not None
    narrow = expected["adaptation"] == "bart-base"
    expected["decodings"] = [DECODINGS[:1] if item else DECODINGS for item in narrow]
    assert expected is not None
    (table,) = small.results(expected, backbones=["base", "good", "late"])
    assert [(r.backbone, r.adaptation, r.decoding, r.cells[0].state) for r in table.rows] == [
        *(("base", "bart-small", decoding, "done") for decoding in DECODINGS),
        *(("good", "bart-small", decoding, "done") for decoding in DECODINGS),
        ("good", "bart-base", "b1-t64", "done"),
        *(("late", "bart-small", decoding, "missing") for decoding in DECODINGS),
        ("late", "bart-base", "b1-t64", "failed"),
    ]


def test_the_family_is_of_the_first_metric_under_the_last_decoding(small: Texts) -> None:
    small.add("fair", [0.1, 0.12, 0.14])
    families = {(row.definition, row.metric): row.family for row in small.comparisons}
    assert families == {
        ("cap@b1-t64", "meteor"): 0,
        ("cap@b1-t64", "bleu"): 0,
        ("cap@b5-t128", "meteor"): 2,
        ("cap@b5-t128", "bleu"): 0,
    }


def test_one_sentence_a_pair_not_one_a_decoding(small: Texts) -> None:
    small.add("base", [0.3, 0.4, 0.5], name="other").add("good", [0.3, 0.4, 0.6], name="other")
    small.study.comparisons = small.comparisons
    text = tables_in_words(small.study.reported([], shown=small.results()))
    sentences = [line for line in text.splitlines() if line.startswith("- ")]
    assert [line.partition(": ")[0] for line in sentences] == [
        "- roco, cap@b5-t128/meteor, bart-small",
        "- roco, other@b5-t128/meteor, bart-small",
    ]
    assert "good - base = +10.03 points" in sentences[0]
    assert text.endswith(
        "Of generated texts only the first metric of each definition is said here, under the last "
        "decoding; the CSV holds all comparisons.\n"
    )


def test_different_decodings_are_never_compared(texts: Texts) -> None:
    texts.add("base", [0.1, 0.11, 0.12], DECODINGS[:1]).add("good", [0.2, 0.21, 0.22])
    refused = {c.definition: c for c in texts.comparisons}["cap@b5-t128"]
    assert refused.test == "none"
    assert refused.note == (
        "base has predictions of b1-t64 only, not of b5-t128, and different views of predictions "
        "are never compared"
    )


def test_each_column_has_the_unit_and_the_direction_of_its_metric(small: Texts) -> None:
    facts: Any = {"units": {"cap/bleu": "bits"}, "lower_is_better": {"cap/bleu"}}
    (results,) = small.results(**facts)
    table = result_table(results)
    assert [(c.title, c.falling) for c in table.columns[-2:]] == [
        ("meteor", False),
        ("bleu (bits)", True),
    ]
    assert table.texts[-1][-2:] == ("22.03", "0.23")
    assert "in points (x 100; higher is better, but lower for bleu), bleu in bits, mean" in (
        table.caption
    )
    (falling,) = small.results(**facts | {"lower_is_better": {"cap/bleu", "cap/meteor"}})
    assert "(x 100; lower is better), bleu in bits" in result_table(falling).caption
