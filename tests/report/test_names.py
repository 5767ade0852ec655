"""What backbones are called, and the papers that LaTeX cites."""

import re

from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones, datasets
from omnibench.report.latex import to_latex
from omnibench.report.names import Names, displayed
from omnibench.report.references import REFERENCES, cited, to_bibliography, to_bibtex
from omnibench.report.result_tables import result_table
from tests.report.by_hand import Study


def card(id: str, display: str = "", bib: str = "", citation: str = "") -> BackboneCard:
    return BackboneCard(id=id, source="timm:x", display=display, bib=bib, citation=citation)


def test_cards_of_one_name_are_told_apart_by_their_ids() -> None:
    cards = [card("a", "ViT"), card("b", "ViT"), card("c", "CNN"), card("d")]
    assert displayed(cards) == {"a": "ViT (a)", "b": "ViT (b)", "c": "CNN", "d": "d"}


def test_nobody_takes_the_id_of_another() -> None:
    assert displayed([card("a", "b"), card("b")]) == {"a": "b (a)", "b": "b"}


def test_tables_print_names_and_latex_cites_keys(study: Study) -> None:
    study.add("a", [0.5, 0.6])
    names = Names.from_cards([card("a", "A <b>{x}", "key2020")])
    (results,) = study.results()
    table = result_table(results, names=names)
    assert table.texts[0][0] == "A <b>{x}"
    assert r"A \textless{}b\textgreater{}\{x\}~\cite{key2020} & linear" in to_latex("s", [table])


def test_every_key_of_a_shipped_card_has_its_paper_or_is_named() -> None:
    cards = [backbones.get(name) for name in backbones]
    keys = {c.bib for c in cards} | {datasets.get(name).bib for name in datasets}
    without = {"omnirad", "zedda2024radiodino"}  # their hub repositories alone are known
    assert keys - {""} - without == set(REFERENCES)
    for c in cards:
        paper = REFERENCES.get(c.bib)
        assert paper is None or paper.where == c.citation, c.id
        assert c.display or c.id.startswith("pretrain"), c.id


def test_bibtex_has_an_entry_a_paper_and_the_list_an_item_a_key() -> None:
    cards = [backbones.get("dinov2-small"), backbones.get("dinov2-base")]
    cards += [card("mine", bib="me2026", citation="My {paper} & yours")]
    text = to_bibtex(cards)
    assert re.findall(r"^@misc\{(.*),$", text, re.MULTILINE) == ["oquab2023dinov2"]
    assert "eprint = {2304.07193}" in text
    assert text.count("{") == text.count("}")
    assert "% me2026: My {paper} & yours" in text
    items = to_bibliography(cards)
    assert re.findall(r"\\bibitem\{(.*?)\}", items) == ["oquab2023dinov2", "me2026"]
    assert r"My \{paper\} \& yours." in items
    assert (to_bibliography([card("a")]), cited([card("a")])) == ("", {})
