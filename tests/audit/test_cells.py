"""Cells as people paste them, each form by hand; what cannot be read is refused."""

import pytest

from omnibench.audit.cells import Value, is_absent, value
from omnibench.audit.markup import name
from omnibench.errors import RequestError


@pytest.mark.parametrize(
    "text",
    [
        "80.1 ± 0.3",
        "80.1±0.3",
        "80.1 +- 0.3",
        "80.1 +/- 0.3",
        r"$80.1 \pm 0.3$",
        r"80.1 $\pm$ 0.3",
        r"80.1{\scriptsize$\pm$0.3}",
        r"$80.1_{\pm 0.3}$",
        r"80.1$^{\pm0.3}$",
        r"\textbf{80.1 $\pm$ 0.3}$^{\dagger}$",
        r"\cellcolor{gray!20}\textbf{80.1} \textpm\,0.3",
        r"\makecell{80.1\\($\pm$0.3)}",
        "**80.1 ± 0.3**",
        "**80.1** ± 0.3†",
        "80.1<sub>±0.3</sub>",
        "80.1&nbsp;&plusmn;&nbsp;0.3",
        "80.1\u00a0±\u20090.3",  # a no-break and a thin space
        "80.1 ± 0.3 *",
    ],
)
def test_a_mean_with_its_spread_is_read_in_any_dress(text: str) -> None:
    assert value(text) == Value("80.1", "0.3", mark=".")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80.1", Value("80.1", mark=".")),
        ("80", Value("80")),
        (".801", Value("0.801", mark=".")),
        ("+1.5", Value("1.5", mark=".")),
        ("\u22120.3", Value("-0.3", mark=".")),  # Unicode's minus
        ("80.1%", Value("80.1", percent=True, mark=".")),
        (r"80.1\%", Value("80.1", percent=True, mark=".")),
        ("80.1 ± 0.3 %", Value("80.1", "0.3", percent=True, mark=".")),
        ("80.1 (0.3)", Value("80.1", "0.3", bracketed=True, mark=".")),
        ("80,1 (0,3)", Value("80.1", "0.3", bracketed=True, mark=",")),
        (".887 (.884-.889)", Value("0.887", low="0.884", high="0.889", mark=".")),
        (".887 (.884--.889)", Value("0.887", low="0.884", high="0.889", mark=".")),
        ("0.2 [-0.1--0.3]", Value("0.2", low="-0.1", high="-0.3", mark=".")),  # refused as swapped
        (".887 (.884\u2013.889)", Value("0.887", low="0.884", high="0.889", mark=".")),
        ("0.887 [0.884, 0.889]", Value("0.887", low="0.884", high="0.889", mark=".")),
        ("0,887 [0,884; 0,889]", Value("0.887", low="0.884", high="0.889", mark=",")),
        ("0,887 (0,884, 0,889)", Value("0.887", low="0.884", high="0.889", mark=",")),
        ("80 (79,81)", Value("80", low="79", high="81")),
        (
            "80.1 (95% CI 79.0 to 81.2)",
            Value("80.1", low="79.0", high="81.2", level="95", mark="."),
        ),
        ("-0.1 [-0.3, 0.1]", Value("-0.1", low="-0.3", high="0.1", mark=".")),
        (r"\underline{80.1}", Value("80.1", mark=".")),
        (r"{\bf 80.1}", Value("80.1", mark=".")),
        (r"\textcolor{red}{80.1}", Value("80.1", mark=".")),
        ("80.1²", Value("80.1", mark=".")),
        ("80.1<sup>a</sup>", Value("80.1", mark=".")),
    ],
)
def test_each_form_is_read(text: str, expected: Value) -> None:
    assert value(text) == expected


@pytest.mark.parametrize("text", ["", " ", "-", "--", "---", "\u2013", "—", "n/a", "NaN", "$-$"])
def test_dashes_and_nothing_stand_for_an_absent_number(text: str) -> None:
    assert is_absent(text)


@pytest.mark.parametrize(
    "text",
    [
        "80.1a",
        "80.1 0.3",
        "1,234.5",
        "80.1e-3",
        "80.1 ± 0.3 ± 0.1",
        "80.1 ± -0.3",
        r"80.1\std{0.3}",
        "$80.1^{+0.3}_{-0.2}$",
        "80.1 ↑0.3",
        "$80.1^{12}$",
        "see text",
        "80.1 (0.3",
        "\u0668\u0660",  # digits of another script
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"is no number such as|below 0"):
        value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"ViT-B/16$^\dagger$", "ViT-B/16"),
        (r"\textbf{ResNet\_50}~\cite{he}", "ResNet_50"),
        ("**Ours**", "Ours"),
        ("`vit__small`", "vit__small"),
        (r"\rowcolor{gray!10} Ours (ViT-S)", "Ours (ViT-S)"),
        ("Swin-T<sup>1</sup>", "Swin-T"),
        ("A &amp; B", "A & B"),
        (r"A \& B", "A & B"),
    ],
)
def test_names_lose_markup_and_footnote_marks(text: str, expected: str) -> None:
    assert name(text) == expected
