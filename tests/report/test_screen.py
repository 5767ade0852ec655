"""The answer on a terminal: few lines, none too wide, nothing dropped without a word."""

from omnibench.report.answers import Answer
from omnibench.report.leads import Contest, Lead
from omnibench.report.screen import LINES, WIDTH, screen
from omnibench.task import Chance


def contest(dataset: str, verdict: str = "better", **facts: object) -> Contest:
    lead = Lead("Second", 0.05, 0.01, 0.09, verdict)  # type: ignore[arg-type]
    given = {"second": lead, "chance": Chance(0.5, "a coin"), "std": 0.01, **facts}
    return Contest("t", (dataset,), "linear", "auc", "points", "First", 0.9, **given)  # type: ignore[arg-type]


def test_a_line_has_the_mean_the_lead_its_interval_and_chance() -> None:
    lines = screen("s", [Answer("t", [contest("d")])], 100)
    assert lines[2:] == [
        "t: First leads.",
        "  d, linear: First leads, auc 90.00 ± 1.00; +5.00 [1.00, 9.00] over Second; chance 50.00",
    ]


def test_a_lead_that_is_not_decided_is_no_lead() -> None:
    tied = contest("d", "undecided", tied=("Second",))
    lines = screen("s", [Answer("t", [tied, contest("e", "untested")])], 100)
    assert "First best but undecided, auc" in lines[3]
    assert "First best, not tested, auc" in lines[5]
    assert not any("leads" in line for line in lines)


def test_a_large_suite_stays_short_and_what_is_left_out_is_counted() -> None:
    answers = [
        Answer(f"task-{k}", [contest(f"d{i}") for i in range(300)], doubts=["It is odd."])
        for k in range(4)
    ]
    lines = screen("s", answers, 100)
    assert len(lines) <= LINES + len(answers)
    shown = [line for line in lines if "linear" in line]
    assert len({line.split()[0] for line in shown}) > 1
    left = [int(line.split()[1]) for line in lines if "more in the report" in line]
    assert len(shown) + sum(left) == 4 * 300
    assert sum("It is odd." in line for line in lines) == 4


def test_no_line_is_wider_than_the_terminal() -> None:
    answers = [Answer("t", [contest("d")] * 3)]
    for width in (60, 80, 300):
        assert max(map(len, screen("s", answers, width))) <= min(width, WIDTH)
