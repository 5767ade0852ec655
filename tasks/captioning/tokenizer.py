"""Captions as token ids: a BART's own byte-level BPE, or one learnt on the training captions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from omnibench.errors import WeightsError
from omnibench.files import read_regular

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")  # BART's ids 0 to 3
LARGEST_VOCABULARY = 8192
PROBE = "Axial CT of the chest"


@dataclass(frozen=True)
class CaptionTokenizer:
    """Byte-level BPE with the ids of begin, end and padding."""

    backend: Tokenizer
    bos: int
    eos: int
    pad: int

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self.backend.get_vocab_size(with_added_tokens=True))

    def encode(self, caption: str, most: int) -> list[int]:
        """Ids with begin and end, the caption cut so that they are at most `most`."""
        ids: list[int] = self.backend.encode(caption, add_special_tokens=False).ids
        return [self.bos, *ids[: most - 2], self.eos]

    def decode(self, ids: Sequence[int]) -> str:
        """The text up to the end, stripped; begin, end and padding leave nothing."""
        words = [token for token in ids if token not in (self.bos, self.eos, self.pad)]
        text: str = self.backend.decode(words, skip_special_tokens=True)
        return text.strip()

    def length(self, caption: str) -> int:
        """Number of ids of the whole caption, begin and end included."""
        return len(self.backend.encode(caption, add_special_tokens=False).ids) + 2


def learn(captions: Sequence[str]) -> CaptionTokenizer:
    """Learn a byte-level BPE (Sennrich et al. 2016; GPT-2's alphabet) on captions."""
    backend = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=LARGEST_VOCABULARY,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(captions, trainer)
    return CaptionTokenizer(backend, bos=0, eos=2, pad=1)


def from_folder(folder: Path, bos: int, eos: int, pad: int, vocabulary: int) -> CaptionTokenizer:
    """Read `tokenizer.json`, or `vocab.json` and `merges.txt`.

    Args:
        vocabulary: number of tokens that the model embeds.

    Raises:
        WeightsError: they are absent or damaged, turn a caption into nothing, or have ids that the
            model does not know.
    """
    try:
        backend = _read(folder)
    except Exception as error:  # the tokenizers package raises plain Exception
        raise WeightsError(
            f"the tokenizer in {folder} cannot be read ({error}); put tokenizer.json, or "
            "vocab.json and merges.txt, there"
        ) from error
    ids = backend.encode(PROBE, add_special_tokens=False).ids
    if not ids or not backend.decode(ids).strip():
        raise WeightsError(
            f"the tokenizer in {folder} turns '{PROBE}' into nothing; its vocabulary or merges are "
            "not of a byte-level BPE: copy the model's own files there"
        )
    largest = max(backend.get_vocab().values())
    if largest >= vocabulary:
        raise WeightsError(
            f"the tokenizer in {folder} has the id {largest}, but the model embeds {vocabulary} "
            "tokens; put the tokenizer that belongs to the model there"
        )
    return CaptionTokenizer(backend, bos, eos, pad)


def _read(folder: Path) -> Tokenizer:
    whole = folder / "tokenizer.json"
    if whole.is_file():
        backend = Tokenizer.from_file(str(whole))
        backend.no_truncation()  # a file saved after use may cut and pad at its own length
        backend.no_padding()
        return backend
    vocabulary = json.loads(read_regular(folder / "vocab.json"))
    lines = read_regular(folder / "merges.txt").decode().splitlines()
    pairs: Any = [tuple(line.split()) for line in lines if line and line[:8] != "#version"]
    return _byte_level(models.BPE(vocab=vocabulary, merges=pairs))


def _byte_level(model: models.BPE) -> Tokenizer:
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend
