"""Generation by beam search, through transformers' own `generate` with its key-value cache."""

from typing import Any

from torch import Tensor
from transformers import GenerationConfig
from transformers.modeling_outputs import BaseModelOutput

from .refusals import parse
from .tokenizer import CaptionTokenizer


def generate(bart: Any, encoded: Tensor, decoding: str, tokenizer: CaptionTokenizer) -> Any:
    """Token ids of each image's caption, lists of at most the decoding's new tokens.

    As the study's code generates: beam search without sampling, length penalty 1, from the begin
    token and with it forced first, the end forced last, no trigram twice (what BART's own
    configuration says).

    Args:
        encoded: states of BART's encoder [B, M, D].
    """
    beams, most = parse(decoding)
    config = GenerationConfig(
        num_beams=beams,
        max_new_tokens=most,
        do_sample=False,
        length_penalty=1.0,
        early_stopping=beams > 1,
        no_repeat_ngram_size=3,
        decoder_start_token_id=tokenizer.bos,
        forced_bos_token_id=tokenizer.bos,
        forced_eos_token_id=tokenizer.eos,
        bos_token_id=tokenizer.bos,
        eos_token_id=tokenizer.eos,
        pad_token_id=tokenizer.pad,
    )
    if encoded.device.type == "cpu":  # its fused attention is slow for one query at a time
        bart.set_attn_implementation("eager")
    ids = bart.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
        attention_mask=encoded.new_ones(encoded.shape[:2]).long(),
        generation_config=config,
    )
    return ids.tolist()
