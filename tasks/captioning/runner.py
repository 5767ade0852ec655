"""A unit of captioning: each repetition's language model trained, decoded, scored, pictured."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.data.subset import limited
from omnibench.encoders.tokens import UnitTokens, unit_tokens
from omnibench.errors import RequestError
from omnibench.task import Outcome, case_values, score
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Job, cell_job
from omnibench.training.loop import Fitted, fit
from omnibench.training.lora import add_lora

from .captioner import Captioner
from .cases import Cases, captions_of
from .decoding import parse
from .language import LanguageModel, folder_of, load_language_model
from .metrics import DEFINITIONS
from .objective import Objective
from .recipes import CaptioningRecipe
from .sheet import caption_sheet

LORA_DROPOUT = 0.1


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition, each resumed from its own checkpoints."""
    recipe = CaptioningRecipe.model_validate(unit.recipe)
    source = unit.sources["dataset"]
    dataset = limited(
        load_once(unit.dataset, context.data, source, recipe.input_size), recipe.limit
    )
    adaptation = tasks.get(unit.task).adaptations[unit.adaptation]
    captions = captions_of(dataset, "train")
    folder = folder_of(unit, adaptation.loads, context)
    began = time.perf_counter()
    tokens = unit_tokens(unit, dataset.splits, context)
    prepared = time.perf_counter() - began
    for repetition in unit.repetitions:
        began = time.perf_counter()
        torch.manual_seed(unit.seed("head", repetition))
        language = load_language_model(unit.adaptation, folder, captions)
        cases = Cases.of(dataset, language.tokenizer, recipe.max_tokens)
        model = _model(unit, recipe, tokens, language).to(context.device)
        objective = Objective(model, tokens, cases, recipe.precision, context.device)
        job = _job(unit, repetition, objective, context)
        fitted = fit(job, recipe)
        trained = time.perf_counter()
        stage = partial(context.progress, f"captions of repetition {repetition}")
        texts = objective.texts(unit.decodings, stage)
        predictions = cases.predictions(texts)
        predictions |= case_values(DEFINITIONS, predictions)
        phases = {
            "features": prepared,
            "training": trained - began,
            "generation": time.perf_counter() - trained,
        }
        yield Outcome(
            repetition=repetition,
            metrics=score(DEFINITIONS, predictions),
            predictions=predictions,
            cost=_cost(model, tokens, fitted, phases),
            digests={**dataset.digests, **tokens.made.digests(), "language": language.digest},
            notes={
                "chosen": {"epoch": fitted.best_epoch, "val_loss": fitted.best},
                "backbone": dict(tokens.made.facts),
                "vocabulary": language.tokenizer.size,
                "captions_cut": dict(cases.cut),
            },
            files={"captions.png": caption_sheet(dataset, predictions, unit.decodings[-1])},
        )
        Checkpoints(job.folder).remove()


def _model(
    unit: Unit, recipe: CaptioningRecipe, tokens: UnitTokens, language: LanguageModel
) -> Captioner:
    options = unit.options
    scale = options["merger_scale"]
    positions = language.bart.config.max_position_embeddings
    longest = max(
        recipe.visual_tokens, recipe.max_tokens, *(parse(d)[1] + 1 for d in unit.decodings)
    )
    if longest > positions:
        raise RequestError(
            f"{unit.adaptation} has {positions} positions and {longest} are asked for; lower "
            "recipe.max_tokens, recipe.visual_tokens or the decodings"
        )
    model = Captioner(tokens.width, recipe.visual_tokens, scale, language.bart)
    if options["r"] is not None:
        model.bart.requires_grad_(False)
        blank, begin = torch.zeros(1, 1, tokens.width), torch.zeros(1, 1, dtype=torch.long)
        add_lora(
            model.bart.model,
            lambda: model(blank, begin),
            options["r"],
            options["alpha"],
            LORA_DROPOUT,
        )
    return model


def _job(unit: Unit, repetition: int, objective: Objective, context: Context) -> Job:
    def validate() -> Mapping[str, float]:
        return {"loss": objective.validation_loss()}

    return cell_job(
        unit,
        repetition,
        context,
        model=objective.model,
        count=objective.cases.count("train"),
        loss=objective.loss,
        validate=validate,
        set_mode=objective.model.train,
        select="loss",
        minimise=True,
    )


def _cost(
    model: Captioner, tokens: UnitTokens, fitted: Fitted, phases: Mapping[str, float]
) -> dict[str, Any]:
    parameters = list(model.parameters())
    return {
        **tokens.made.cost(),
        "phases": dict(phases),
        "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "total_parameters": tokens.made.facts["parameters"] + sum(p.numel() for p in parameters),
        "images_per_s": float(np.median([entry["images_per_s"] for entry in fitted.history])),
    }
