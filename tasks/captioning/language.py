"""The language model of an adaptation: a BART and the tokenizer that belongs to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BartConfig, BartForConditionalGeneration, GenerationConfig

from omnibench import weights
from omnibench.cards import WeightsCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.coverage import tensors_digest
from omnibench.errors import WeightsError

from .flops import SIZES
from .refusals import POSITIONS
from .tokenizer import CaptionTokenizer, from_folder, learn

# Keys that BART shares with its embedding, or keeps for another task.
OPTIONAL = ("lm_head.weight", "final_logits_bias", "embed_tokens.weight")


@dataclass(frozen=True)
class LanguageModel:
    """A BART, its tokenizer, and the digest of the tensors that were loaded ("" where drawn)."""

    bart: Any
    tokenizer: CaptionTokenizer
    digest: str = ""


def load_language_model(
    adaptation: str, folder: Path | None, captions: Sequence[str]
) -> LanguageModel:
    """Build a model from scratch (drawn by torch's global generator), or load a folder's model.

    Args:
        adaptation: one of `SIZES` where there is no folder.
        captions: of the training split, on which a model from scratch learns its tokens.

    Raises:
        WeightsError: the folder holds no whole BART, or a tokenizer that does not fit it.
    """
    if folder is None:
        tokenizer = learn(captions)
        size = SIZES[adaptation]
        config = BartConfig(
            vocab_size=tokenizer.size,
            d_model=size.width,
            encoder_layers=size.layers,
            decoder_layers=size.layers,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=size.inner,
            decoder_ffn_dim=size.inner,
            max_position_embeddings=POSITIONS,
            decoder_start_token_id=tokenizer.bos,
        )
        return LanguageModel(BartForConditionalGeneration(config), tokenizer)
    bart = _from_folder(adaptation, folder)
    config = bart.config
    ids = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
    if not all(isinstance(number, int) for number in ids):
        raise WeightsError(
            f"{adaptation}: {folder / 'config.json'} does not name one bos_token_id, eos_token_id "
            "and pad_token_id each; write them there"
        )
    tokenizer = from_folder(folder, *ids, config.vocab_size)
    config.decoder_start_token_id = tokenizer.bos
    return LanguageModel(bart, tokenizer, tensors_digest(bart))


def folder_of(unit: Unit, card: WeightsCard | None, context: Context) -> Path | None:
    """Where a unit's language model lies; None for one that is built here.

    Raises:
        MissingWeightsError: it is neither on disk nor to be had.
    """
    if card is not None:
        return weights.fetch(card, context.data).weights.parent
    return Path(unit.options["path"]) if "path" in unit.options else None


def _from_folder(adaptation: str, folder: Path) -> Any:
    whole = "put config.json, the weights and the tokenizer of a BART there"
    if not (folder / "config.json").is_file():  # transformers would assume BART-large
        raise WeightsError(f"{adaptation}: {folder} has no config.json; {whole}")
    try:
        loaded: Any = BartForConditionalGeneration.from_pretrained(
            folder,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            dtype=torch.float32,  # whatever the file has: parameters are trained in fp32
        )
    except Exception as error:  # damaged or hostile files make it raise whatever they spell
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise WeightsError(f"{adaptation}: {folder} cannot be loaded: {reason}; {whole}") from error
    bart, info = loaded
    missing = [key for key in info["missing_keys"] if not key.endswith(OPTIONAL)]
    mismatched = [str(key) for key, *_ in info["mismatched_keys"]]
    if missing or mismatched:
        raise WeightsError(
            f"{adaptation}: {folder} does not fit a BART: {len(missing)} tensors missing, "
            f"{len(mismatched)} of another shape ({', '.join([*missing, *mismatched][:3])}); put "
            "the model's own config.json and weights there"
        )
    # A decoding is what its name says: no min_length or penalty that the folder has beside it.
    bart.generation_config = GenerationConfig()
    return bart
