"""Tiny language models, and a trial on made-up tokens without any backbone."""

import json
from typing import Any

import numpy as np
import torch
from transformers import BartConfig, BartForConditionalGeneration

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Split, Texts
from omnibench.encoders.frozen import PassFacts
from omnibench.encoders.kept import HeldRows
from omnibench.encoders.tokens import UnitTokens
from omnibench.tasks.captioning.captioner import Captioner
from omnibench.tasks.captioning.cases import Cases
from omnibench.tasks.captioning.recipes import FROM_SCRATCH
from omnibench.tasks.captioning.tokenizer import learn
from omnibench.tasks.captioning.trial import CaptioningTrial

SAID = (
    "Axial CT of the chest with a small cyst in the left lung",
    "MR of the head.",
    "Axial MR of the head with a large mass in the right lobe of the brain",
    "No mass.",
    "A chest radiograph",
)
SPLITS = {"train": 24, "val": 8, "test": 10}  # images of the fixture `captioned`
BRIGHT, DARK = "Bright left lung.", "A dark scan shows no mass at all."  # and their captions
WIDTH = 24  # of the made-up backbone's tokens
SIZES = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 128,
}


def narrow(**fields: Any) -> BartConfig:
    """A BART's configuration with narrow layers, whatever sizes were asked for."""
    return BartConfig(**{**fields, **SIZES})


def tiny_bart(vocabulary: int, seed: int = 0, **fields: Any) -> BartForConditionalGeneration:
    torch.manual_seed(seed)
    config = narrow(vocab_size=vocabulary, decoder_start_token_id=0, **fields)
    result: BartForConditionalGeneration = BartForConditionalGeneration(config).eval()
    return result


def save_folder(folder: Any, tokenizer: Any = None, half: bool = False, **generation: Any) -> Any:
    """What a user puts into a folder: a BART and its tokenizer; returns the model."""
    tokenizer = tokenizer or learn(SAID * 2)
    bart = tiny_bart(tokenizer.size)
    bart = bart.half() if half else bart
    bart.save_pretrained(folder)
    tokenizer.backend.save(str(folder / "tokenizer.json"))
    if generation:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return bart


def made_up(
    count: int, precision: str = "fp32", most: int = 128, seed: int = 0, **fields: Any
) -> CaptioningTrial:
    """A trial of `count` captions a split; the first ones do not depend on how many."""
    captions = tuple(SAID[index % len(SAID)] for index in range(count))
    tokenizer = learn(SAID * 2)
    images = ArrayImages(np.zeros((count, 8, 8), np.uint8))
    rng = np.random.default_rng(seed)
    tokens = rng.normal(size=(64, 5, WIDTH)).astype(np.float32)[:count]
    names = ("train", "val", "test")
    card = DatasetCard(id="d", reader="a:b", tasks=("captioning",))
    dataset = Dataset(card, {name: Split(images, {"captions": Texts(captions)}) for name in names})
    kept = UnitTokens({name: HeldRows(tokens, {}) for name in names}, WIDTH, PassFacts({}, 0))
    model = Captioner(WIDTH, 3, "sqrt", tiny_bart(tokenizer.size, seed, **fields)).eval()
    recipe = FROM_SCRATCH.model_copy(update={"precision": precision})
    return CaptioningTrial(model, kept, Cases.from_dataset(dataset, tokenizer, most), recipe, "cpu")
