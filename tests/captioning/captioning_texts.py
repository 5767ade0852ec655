"""Texts that captions may be."""

from typing import Any

from hypothesis import strategies as st

SENTENCES = (
    "Axial CT of the chest. There is a small cyst in the anterior part of the left lung",
    "axial ct of the chest , no lesion",
    "A 3.5-cm mass (arrow) in the right upper lobe; it's solid.",
    "MR",
    "",
    "the the the the the",
)
PIECES = (
    "a",
    "the",
    "The",
    "mass",
    "masses",
    "lung",
    "3.5",
    "cm",
    ".",
    ",",
    "-",
    "it's",
    "\n",
    "é",
)


@st.composite
def pairs(draw: Any) -> tuple[list[Any], list[Any]]:
    """N references, none of them empty, and as many texts; some texts are empty, some copies."""
    said = st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)
    texts = st.one_of(said, st.sampled_from(SENTENCES))
    number = draw(st.integers(1, 6))
    references = [draw(texts) + " mass" for _ in range(number)]
    return references, [draw(st.one_of(texts, st.just(r))) for r in references]
