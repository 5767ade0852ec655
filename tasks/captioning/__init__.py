"""Captioning: a language model that reads a frozen backbone's tokens. No torch."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from omnibench.cards import DatasetCard, WeightsCard
from omnibench.catalogue import register_task
from omnibench.context import using_data
from omnibench.findings import Finding
from omnibench.options import LocalPath
from omnibench.samples import Beside, CaseAnswers
from omnibench.task import Adaptation, Predictions, Task

from .flops import language_flops
from .metrics import METRICS
from .recipes import FROM_SCRATCH, OMNIRAD, PRETRAINED, CaptioningRecipe
from .refusals import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.training.trial import Trial

# Beams and most new tokens, as in the study's Table 12.
DECODINGS = ("b1-t64", "b4-t64", "b5-t64", "b5-t128")
FEW = 0.1  # texts an image, below which captions hardly depend on it


class LanguageOptions(BaseModel):
    """Options of every language model.

    Attributes:
        r, alpha: rank and scale of LoRA on its linear layers; without them it is trained whole.
        merger_scale: whether the patch merger's attention is divided by the square root of its
            width, as the paper says, or not, as released.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    r: Annotated[int, Field(gt=0)] | None = None
    alpha: Annotated[int, Field(gt=0)] | None = None
    merger_scale: Literal["sqrt", "none"] = "sqrt"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.r is None) != (self.alpha is None):
            raise ValueError("r and alpha of LoRA go together")
        return self


class FolderOptions(LanguageOptions):
    """Options of a language model in a folder of one's own.

    Attributes:
        path: holds config.json, model.safetensors and tokenizer.json (or vocab.json and
            merges.txt) of a BART; relative to the suite file.
    """

    path: LocalPath


def _from_hub(name: str) -> Adaptation:
    card = WeightsCard(
        id=name, family="bart", source=f"transformers:facebook/{name}",
        companions=("tokenizer.json",), licence="Apache-2.0", citation="arXiv:1910.13461",
    )  # fmt: skip
    return _adaptation(name, PRETRAINED, loads=card)


def _adaptation(
    name: str,
    small: CaptioningRecipe,
    options: type[LanguageOptions] = LanguageOptions,
    loads: WeightsCard | None = None,
) -> Adaptation:
    return Adaptation(
        name,
        trains="projection, patch merger and language model, end to end; the backbone is frozen",
        varies="training seed",
        recipes={"small": small, "omnirad": OMNIRAD},
        options=options,
        frozen_kind="tokens",
        head_flops=functools.partial(language_flops, name),
        decodings=DECODINGS,
        loads=loads,
    )


class CaptioningTask(Task):
    """A sentence for every image."""

    name = "captioning"
    metrics = METRICS
    budgets = frozenset({"share"})
    pictures = {  # noqa: RUF012
        "captions": "Caption sheet: test images, each with its reference and generated captions"
    }
    own = {  # noqa: RUF012
        adaptation.name: adaptation
        for adaptation in (
            _adaptation("bart-tiny", FROM_SCRATCH),
            _adaptation("bart-small", FROM_SCRATCH),
            _from_hub("bart-base"),
            _from_hub("bart-large"),
            _adaptation("folder", PRETRAINED, FolderOptions),
        )
    }

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield whether all test images, or nearly all, have the same text in some decoding."""
        shares = [
            share
            for record in records
            for key, share in record["metrics"].items()
            if key.endswith("/distinct-captions") and share is not None
        ]
        texts = round(min(shares, default=1.0) * cases)
        if 1 <= texts < FEW * cases:
            what = "one caption" if texts == 1 else f"{texts} captions"
            yield f"no more than {what} for all {cases:,} test images in some repetition"

    def findings(self, data: Path) -> Iterator[Finding]:
        """Yield whether nltk can read the WordNet that METEOR's synonyms come from."""
        from .meteor import has_wordnet

        with using_data(data):
            there = has_wordnet()
        if there:
            yield Finding("WordNet", "PASS", "METEOR can be computed")
            return
        folder = data / "nltk_data"
        yield Finding(
            "WordNet",
            "WARN",
            "absent or not readable, so captions get no METEOR",
            f"run `python -m nltk.downloader -d {folder} wordnet`, or put its wordnet.zip at "
            f"{folder / 'corpora' / 'wordnet.zip'}; `bench.py rescore SUITE` then adds METEOR to "
            "what is done",
        )

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield texts that are longer than what the language model has positions for."""
        adaptation = self.adaptations[unit.adaptation]
        return refusals(unit, adaptation.loads is None and adaptation.options is LanguageOptions)

    def case_answers(
        self, predictions: Predictions, dataset: DatasetCard, beside: Beside
    ) -> CaseAnswers | None:
        """Return each test image's caption and the generated one, of the last decoding."""
        from .samples import case_answers

        return case_answers(predictions)

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a language model on a frozen backbone's kept tokens."""
        from .trial import prepare

        return prepare(unit, context, self.adaptations[unit.adaptation])


register_task(CaptioningTask())
