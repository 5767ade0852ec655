"""The lines of the first screen: their words, and the pictures of their intervals."""

import math

import pytest

from omnibench.report.answers import Answer
from omnibench.report.leads import Contest, Lead
from omnibench.report.page.contest_lines import MARGIN, SHOWN, WIDTH, lines
from omnibench.report.page.render import Page, to_html
from omnibench.task import POINTS, Chance
from tests.report.html_document import Document
from tests.report.page_records import ATTACK


def contest(leader: str = "a", second: Lead | None = None, **facts: object) -> Contest:
    given: dict[str, object] = {"unit": POINTS, "mean": 0.42, "std": 0.01, **facts}
    return Contest("t", ("d",), "linear", "auc", leader=leader, second=second, **given)  # type: ignore[arg-type]


def test_a_decided_lead_says_by_how_much_and_over_whom() -> None:
    lead = Lead("b", 0.1, 0.05, 0.15, "better")
    chance = Chance(0.5, "a coin")
    (line,) = lines(
        Answer("t", [contest("a", lead, chance=chance, repetitions=3, cases=1200, models=2)])
    )
    assert (line.place, line.leader, line.score) == ("d · linear", "a", "auc 42.00 ± 1.00")
    assert (line.lead, line.bounds) == ("+10.00 points over b", "5.00 to 15.00")
    assert (line.verdict, line.is_decided) == ("decided", True)
    assert line.facts == "chance 50.00 · n = 3 · 1,200 test cases"
    assert line.interval is not None
    assert line.interval.words == ("95 % interval of the lead: 5.00 to 15.00 points, without zero")


def test_intervals_of_a_task_share_one_linear_scale() -> None:
    wide, narrow = Lead("b", 0.1, -0.1, 0.3, "undecided"), Lead("c", 0.1, 0.05, 0.15, "better")
    first, second = lines(
        Answer("t", [contest("a", wide, tied=("b",)), contest("a", narrow, models=3)])
    )
    assert first.interval is not None and second.interval is not None
    assert (first.interval.low, first.interval.high) == (MARGIN, WIDTH - MARGIN)
    span = WIDTH - 2 * MARGIN
    assert first.interval.zero == second.interval.zero == pytest.approx(MARGIN + span / 4, abs=0.1)
    assert second.interval.low == pytest.approx(MARGIN + span * 0.15 / 0.4, abs=0.1)
    assert "with zero inside" in first.interval.words


@pytest.mark.parametrize(
    ("lead", "tied", "verdict", "reason"),
    [
        (None, (), "no rival", ""),
        (
            Lead("b", 0.1, -1, 1, "undecided"),
            ("b", "c"),
            "undecided",
            "not told apart from b or c",
        ),
        (
            Lead("b", 0.1, -1, 1, "undecided"),
            tuple("bcdefg"),
            "undecided",
            "not told apart from b, c, d, e or 2 others",
        ),
        (Lead("b", 0.0, 0, 0, "identical"), (), "identical", "no test case tells the two apart"),
        (Lead("b", 0.1, note="one patient."), (), "not tested", "one patient"),
    ],
)
def test_what_is_not_decided_says_why(
    lead: Lead | None, tied: tuple[str, ...], verdict: str, reason: str
) -> None:
    (line,) = lines(Answer("t", [contest("a", lead, tied=tied)]))
    assert (line.verdict, line.reason, line.is_decided) == (verdict, reason, False)


def test_a_lead_of_zero_width_is_a_point_within_the_picture() -> None:
    (line,) = lines(Answer("t", [contest("a", Lead("b", 0.0, 0.0, 0.0, "identical"))]))
    assert line.interval is not None
    assert line.interval.low == line.interval.high == line.interval.zero == MARGIN
    assert not math.isnan(line.interval.middle)


def test_what_is_many_is_folded_and_names_stay_names() -> None:
    many = [contest(f"{ATTACK}{k}", Lead(ATTACK, 0.1, 0.05, 0.15, "better")) for k in range(9)]
    answer = Answer(ATTACK, many, doubts=[ATTACK] * 8, lacking=["2 cells failed."])
    document = Document(to_html(Page("s", [], [], [], answers=[answer])).decode())
    assert (document.broken, document.open) == ([], [])
    rows = [a for tag, a, _ in document.all("li") if "line" in a.get("class", "").split()]
    assert len(rows) == 9
    assert document.texts("summary") == [
        f"{9 - SHOWN} more comparisons of backbones",
        f"{8 - SHOWN} more doubts",
    ]
    assert f"Looks wrong: {ATTACK}" in document.texts("li")
    assert "No result: 2 cells failed." in document.texts("li")
    assert not document.all("img")
