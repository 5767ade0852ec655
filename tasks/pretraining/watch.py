"""What a pretraining says of itself: a line of figures every few steps, and collapses by name."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from omnibench.training.processes import rank_and_size, rows_of_all, sum_over_processes

from .targets import Targets

# A sign of collapse must last for so many lines after the warm-up.
PATIENCE = 5
UNIFORM = 0.99  # of the largest entropy there is, log K
SINGLE = 0.95  # of the largest divergence from uniform, log K
CONSTANT = 0.01  # of the spread of directions that know no order


class Watch:
    """The log of one pretraining: JSON lines, and how long each sign of collapse has lasted.

    Attributes:
        lines: what was logged, a mapping a line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self.signs: dict[str, int] = {}
        self._began = time.perf_counter()

    def resume(self, step: int) -> None:
        """Take up the lines up to `step` steps; later ones are made again."""
        known = self.path.read_text().splitlines() if step and self.path.is_file() else []
        self.lines = [line for line in map(_parsed, known) if line and line["step"] <= step]
        self._began = time.perf_counter()
        if rank_and_size()[0] == 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))

    def add(self, line: dict[str, Any], images: int, left: int) -> None:
        """Log a line; `images` were seen since the last one, `left` are still to come."""
        now = time.perf_counter()
        line["images_per_s"] = images / (now - self._began)
        line["seconds_left"] = round(left * (now - self._began) / images) if images else None
        self._began = now
        self.lines.append(line)
        if rank_and_size()[0] == 0:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def collapse(self, line: Mapping[str, Any], prototypes: int) -> str | None:
        """The name of a collapse whose sign has lasted for PATIENCE lines, this one the last."""
        signs = {
            "uniform targets: the teacher's answers say nothing": line["teacher_entropy"]
            > UNIFORM * math.log(prototypes),
            "a single prototype: the teacher gives every image the same answer": line["kl_uniform"]
            > SINGLE * math.log(prototypes),
            "constant features: every image has the same class token": line["feature_std"]
            < CONSTANT,
        }
        self.signs = {name: self.signs.get(name, 0) + 1 for name, seen in signs.items() if seen}
        return next((name for name, lasted in self.signs.items() if lasted >= PATIENCE), None)


def teacher_facts(answers: Targets, tokens: Tensor) -> dict[str, float]:
    """Figures of a batch's class tokens, over all processes.

    Returns:
        teacher_entropy: mean entropy of the targets, in nats.
        kl_uniform: divergence of the teacher's mean answer, unbalanced, from uniform, in nats;
            and those of `spread_facts`.
    """
    sums = torch.cat(
        [
            answers.usage(),
            answers.entropies().sum()[None],
            tokens.new_tensor([len(tokens)]),
        ]
    )
    sums = sums.double()
    sum_over_processes([sums])
    prototypes = answers.exponentials.shape[1]
    usage, entropy, count = torch.split(sums, [prototypes, 1, 1])
    rows = float(count)
    uniform = math.log(prototypes) - float(torch.special.entr(usage / rows).sum())
    return {
        "teacher_entropy": float(entropy) / rows,
        "kl_uniform": max(uniform, 0.0),
        **spread_facts(tokens),
    }


def spread_facts(tokens: Tensor) -> dict[str, float]:
    """Return figures of a batch's features [N, D], over all processes.

    Returns:
        feature_std: spread of the features' directions over the batch, 1 where they know no order:
            root of the summed variances of unit vectors.
        effective_rank: exp of the entropy of the centred features' singular values (Roy and
            Vetterli 2007).
    """
    units = functional.normalize(tokens, dim=1)
    sums = torch.cat([units.sum(dim=0), (units**2).sum()[None], units.new_tensor([len(units)])])
    sums = sums.double()
    sum_over_processes([sums])
    mean, square, count = torch.split(sums, [tokens.shape[1], 1, 1])
    variance = float(square) / float(count) - float(((mean / float(count)) ** 2).sum())
    return {
        "feature_std": math.sqrt(max(variance, 0.0)),
        "effective_rank": effective_rank(rows_of_all(tokens)),
    }


def effective_rank(tokens: Tensor) -> float:
    """exp of the entropy of the singular values' shares, of [N, D] centred; 1 at least."""
    values = torch.linalg.svdvals((tokens - tokens.mean(dim=0)).double())
    total = values.sum()
    if not total > 0:
        return 1.0
    return float(torch.special.entr(values / total).sum().exp())


def _parsed(line: str) -> dict[str, Any] | None:
    """A log's line; None for one that was cut short."""
    try:
        line_of_log: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return line_of_log
