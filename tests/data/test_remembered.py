"""Answers that are worked out once, and again where their file is not as it was written."""

import json
import os
from pathlib import Path

import pytest

from omnibench.data.remembered import remembered


@pytest.fixture
def answers(tmp_path: Path) -> list[int]:
    """What was computed, after one answer."""
    answers: list[int] = []
    assert ask(tmp_path, "a", answers) == [1]
    assert ask(tmp_path, "a", answers) == [1]
    assert answers == [1]
    return answers


def ask(data: Path, question: str, answers: list[int]) -> list[int]:
    def compute() -> list[int]:
        answers.append(len(answers) + 1)
        return answers

    answer: list[int] = remembered(data, question, compute)
    return answer


@pytest.mark.parametrize("damage", ["answer", "question", "empty", "pipe"])
def test_a_damaged_answer_is_computed_again(
    tmp_path: Path, answers: list[int], damage: str
) -> None:
    [path] = (tmp_path / "surveys").iterdir()
    if damage == "question":  # another question's file in this one's place
        ask(tmp_path, "b", answers)
        [other] = set((tmp_path / "surveys").iterdir()) - {path}
        other.replace(path)
    elif damage == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        content = json.dumps(json.loads(path.read_bytes()) | {"answer": [9]})
        path.write_text(content if damage == "answer" else "")
    count = len(answers)
    assert ask(tmp_path, "a", answers) == answers
    assert len(answers) == count + 1
