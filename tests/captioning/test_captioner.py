"""The captioner and its loss, written out and against transformers' own."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from omnibench.tasks.captioning.captioner import Captioner, PatchMerger
from omnibench.tasks.captioning.cases import IGNORED
from omnibench.tasks.captioning.trial import CaptioningTrial
from omnibench.training.job import Batch
from tests.captioning.captioning_models import WIDTH, made_up, tiny_bart


def normed(tokens: Any, norm: Any) -> Any:
    """Layer norm, written out."""
    centred = tokens - tokens.mean(-1, keepdim=True)
    scaled = centred / torch.sqrt(tokens.var(-1, correction=0, keepdim=True) + 1e-5)
    return scaled * norm.weight + norm.bias


def merged(merger: Any, tokens: Any, root: Any) -> Tensor:
    """softmax(Q LN(Z)^T / root) LN(Z), an image and a query at a time."""
    images = []
    for image in normed(tokens, merger.norm):
        shares = [torch.softmax(image @ query / root, dim=0) for query in merger.queries]
        images.append(torch.stack([share @ image for share in shares]))
    return torch.stack(images)


def drawn(norm: Any) -> None:
    """Give a layer norm weights by which it can be told from none."""
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()


@pytest.mark.parametrize(("scale", "root"), [("sqrt", math.sqrt(12)), ("none", 1.0)])
def test_the_patch_merger_is_its_formula(scale: str, root: Any) -> None:
    torch.manual_seed(0)
    merger = PatchMerger(12, 4, scale)
    drawn(merger.norm)
    tokens = torch.randn(2, 7, 12)
    actual = merger(tokens)
    assert actual.shape == (2, 4, 12)
    torch.testing.assert_close(actual, merged(merger, tokens, root))
    other = merged(merger, tokens, math.sqrt(12) / root)
    assert not torch.allclose(actual, other, atol=1e-2)


def test_how_projection_and_queries_are_drawn() -> None:
    torch.manual_seed(0)
    model = Captioner(192, 64, "sqrt", tiny_bart(20))
    bound = math.sqrt(6 / (192 + 16))  # Xavier; torch's own bound of a linear layer is 0.07
    assert 0.98 * bound < float(model.project.weight.detach().abs().max()) <= bound
    assert model.merger.queries.shape == (64, 16)
    assert float(model.merger.queries.detach().std()) == pytest.approx(1, abs=0.1)


def by_transformers(trial: CaptioningTrial, split: str, rows: Any) -> Any:
    """Logits and mean loss of transformers' BART with its own shift, on tokens merged by hand."""
    model, cases = trial.model, trial.cases
    chosen = [cases.ids[split][row] for row in rows]
    labels = torch.full((len(rows), max(map(len, chosen))), IGNORED)
    for place, ids in enumerate(chosen):
        labels[place, : len(ids)] = torch.tensor(ids)
    tokens = trial.tokens.read(split, np.array(rows))
    projected = functional.linear(tokens, model.project.weight, model.project.bias)
    visual = merged(model.merger, normed(projected, model.norm), math.sqrt(16))
    return model.bart(inputs_embeds=visual, labels=labels)


@pytest.fixture
def trial() -> CaptioningTrial:
    actual = made_up(20, init_std=0.3)
    drawn(actual.model.norm)
    drawn(actual.model.merger.norm)
    return actual


def part(rows: Any, whole: list[int]) -> Batch:
    return Batch(0, torch.tensor(rows), torch.arange(len(rows)), torch.tensor(whole))


def test_loss_and_logits_are_transformers_own(trial: CaptioningTrial) -> None:
    rows = [0, 1, 2, 3, 4]
    expected = by_transformers(trial, "train", rows)
    read, labels = trial.cases.words("train", rows)
    tokens = trial.tokens.read("train", np.array(rows))
    assert tokens.shape == (5, 5, WIDTH)
    said = labels != IGNORED  # behind a caption's end the two read different fillers
    actual = trial.model(tokens, read)
    torch.testing.assert_close(actual[said], expected.logits[said], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(trial.loss(part(rows, rows)), expected.loss)


def test_the_loss_of_the_parts_is_the_batchs(trial: CaptioningTrial) -> None:
    """Captions differ in length, so a mean of the parts' means is another number."""
    rows = [0, 1, 2, 3, 4, 7]
    whole = by_transformers(trial, "train", rows).loss
    parts = [trial.loss(part(some, rows)) for some in ([0, 1], [2], [3, 4, 7])]
    torch.testing.assert_close(sum(parts), whole)
    means = [by_transformers(trial, "train", some).loss for some in ([0, 1], [2], [3, 4, 7])]
    assert not torch.isclose(sum(means) / 3, whole, atol=1e-3)


def test_validation_loss_is_a_mean_over_label_tokens_in_evaluation_mode(
    trial: CaptioningTrial,
) -> None:
    """20 images: two batches, of which the second is smaller."""
    expected = by_transformers(trial, "val", range(20)).loss.detach()
    trial.model.train()
    assert trial.validation_loss() == pytest.approx(float(expected), rel=1e-5)


def test_dropout_is_on_in_training(trial: CaptioningTrial) -> None:
    trial.model.train()
    rows = [0, 1, 2, 3]
    first, second = (trial.loss(part(rows, rows)).detach() for _ in range(2))
    assert first != second


def test_what_the_decoder_reads_and_says(trial: CaptioningTrial) -> None:
    cases = trial.cases
    bos, eos, pad = cases.tokenizer.bos, cases.tokenizer.eos, cases.tokenizer.pad
    read, labels = cases.words("train", [3, 0])
    short, long = (cases.ids["train"][row] for row in (3, 0))
    assert labels[0].tolist() == short + [IGNORED] * (len(long) - len(short))
    assert (short[0], short[-1], long[0], long[-1]) == (bos, eos, bos, eos)
    assert read[0].tolist() == [bos, *short[:-1]] + [pad] * (len(long) - len(short))
    assert labels[1].tolist() == long
    assert read[1].tolist() == [bos, *long[:-1]]
