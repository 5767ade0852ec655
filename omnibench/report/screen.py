"""The answer on a terminal: for each task who leads, what lacks, what looks wrong, in few lines."""

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from omnibench.report.answers import Answer

# Of the whole, which leaves room for where the files lie; a narrow terminal has more lines.
LINES, WIDTH = 36, 100
NARROWEST = 40


def screen(name: str, answers: Sequence[Answer], width: int) -> list[str]:
    """Return the lines of an answer, each at most as wide as the terminal, unless a word is wider.

    Every task has its headline. What lacks, what looks wrong and the verdicts over several datasets
    come first where there is not room for all, then the verdicts of each dataset, task by task in
    turn; what has no room is counted.

    Args:
        name: of the suite.
        width: of the terminal, of which at most `WIDTH` are used.
    """
    width = max(NARROWEST, min(width, WIDTH))
    legend = "the best mean, its lead over the next [95 % interval], chance"
    heads = [_wrapped(f"{a.task}: {a.headline}", width, "") for a in answers]
    first = _wrapped(f"{name}: {legend}", width, "")
    room = LINES * WIDTH // width - len(first) - sum(2 + len(head) for head in heads)
    taken: list[dict[int, list[str]]] = [{} for _ in answers]
    queues = [_texts(answer) for answer in answers]
    for row in zip_longest(*(sorted(queue) for queue in queues)):
        for k, item in enumerate(row):
            if item is not None:
                lines = _wrapped(item[2], width, "  ")
                if len(lines) <= room:
                    taken[k][item[1]] = lines
                    room -= len(lines)
    shown = list(first)
    for head, queue, chosen in zip(heads, queues, taken, strict=True):
        shown += ["", *head]
        shown += [line for _, place, _ in queue for line in chosen.get(place, ())]
        if left := len(queue) - len(chosen):
            shown.append(f"  … {left} more in the report")
    return shown


def _texts(answer: Answer) -> list[tuple[int, int, str]]:
    """Return the weight (the least first), place and text of all that may be said of a task."""
    over = [contest.brief for contest in answer.contests if len(contest.datasets) > 1]
    each = [contest.brief for contest in answer.contests if len(contest.datasets) == 1]
    weighted = [
        *((1, text) for text in over),
        *((2, text) for text in (*each, *answer.made, *answer.saved)),
        *((0, f"! {text}") for text in (*answer.lacking, *answer.doubts)),
    ]
    return [(weight, place, text) for place, (weight, text) in enumerate(weighted)]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
