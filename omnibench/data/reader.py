"""Readers: how a kind of file or folder becomes a dataset, `NAME:PATH` in a suite."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from omnibench.builders import builder_digest
from omnibench.cards import SPLITS, DatasetCard
from omnibench.data.declaration import refuse_unused
from omnibench.errors import DataError, OmnibenchError, RequestError, one_line

if TYPE_CHECKING:
    from omnibench.data import Dataset

NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Reader:
    """What reads the datasets of one kind.

    Attributes:
        name: before the colon of `NAME:PATH`.
        card_of: returns the card of a file or folder, made with `local_card`; from names, headers
            and labels, since `plan` waits for it.
        read: returns the dataset of a card; the data folder is for what is unpacked.
        source_digest: returns "sha256:..." of the content (path, data folder); None for the SHA-256
            of the file, or of all files of the folder.
        left_out: returns how many files of each ending are left out of a folder; None for none.
        unpacked_bytes: returns what a file takes on disk once it is unpacked below the data folder,
            0 for what is read in place or is unpacked there (path, data folder); None for 0.
        outline: returns the dataset of a card as headers and labels tell it, where `read` would
            unpack a large one; its images are not read. None for nothing but the card.
        training_files: returns a folder and the names in it of the training images, where a pool
            may open them one by one; None where `read` alone can.
        declares: keys of a declaration beside the data that its datasets may have, beside `strict`:
            fields of `omnibench.data.declaration.Declaration`. With `window` among them a recipe's
            `window` is taken too, by images that have `windowed(window)`.

    Each raises DataError for what is wrong with a file or folder: one sentence that names it.
    """

    name: str
    card_of: Callable[[Path], DatasetCard]
    read: Callable[[DatasetCard, Path], Dataset]
    source_digest: Callable[[Path, Path], str] | None = None
    left_out: Callable[[Path], Mapping[str, int]] | None = None
    unpacked_bytes: Callable[[Path, Path], int] | None = None
    outline: Callable[[DatasetCard, Path], Dataset] | None = None
    training_files: Callable[[Path], tuple[Path, Sequence[str]]] | None = None
    declares: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the reader's name and its file, for messages."""
        module = self.read.__module__
        return f"the reader '{self.name}' ({getattr(sys.modules[module], '__file__', module)})"

    def call(self, member: str, *arguments: Any) -> Any:
        """Return what a member gives.

        Raises:
            DataError: as it does; or it raised another error, which is named with the reader.
        """
        try:
            return getattr(self, member)(*arguments)
        except (OmnibenchError, MemoryError):
            raise
        except Exception as error:
            raise DataError(
                f"{self}: {member} failed with {type(error).__name__}: {one_line(error)}; "
                "correct it"
            ) from error

    def card(self, path: Path) -> DatasetCard:
        """Return the card of a file or folder.

        Raises:
            DataError: as `call` and `refuse_unused`; or what `card_of` returned is no card of it.
        """
        refuse_unused(path, self.declares)
        card = self.call("card_of", path)
        if not isinstance(card, DatasetCard):
            raise DataError(f"{self}: card_of returned {type(card).__name__}, no DatasetCard")
        if (card.reader, card.path) != (self.name, str(path)) or not card.tasks:
            raise DataError(
                f"{self}: card_of returned a card without tasks, or of another reader or path; "
                "make it by local_card(name, path, tasks=..., splits=...)"
            )
        if set(card.splits) not in ({"train"}, set(SPLITS)):
            raise DataError(
                f"{self}: card_of returned a card of the splits ({', '.join(card.splits)}); give "
                "the numbers of images of train, val and test, or of train alone for a pool"
            )
        return card

    def identified(self, digest: str) -> str:
        """Return a source digest with the reader's own source in it, where it is not shipped.

        Raises:
            RequestError: its file cannot be read.
        """
        modules = sorted({function.__module__ for function in (self.card_of, self.read)})
        if all(module.partition(".")[0] == "omnibench" for module in modules):
            return digest
        code = "".join(f"\n{builder_digest(f'{module}:{self.name}')}" for module in modules)
        return f"sha256:{hashlib.sha256(f'{digest}{code}'.encode()).hexdigest()}"


def check_reader(reader: Reader) -> None:
    """Refuse what is no reader.

    Raises:
        RequestError: it is none, its name is no word, or a member is no function of a file.
    """
    if not isinstance(reader, Reader):
        raise RequestError(
            f"a reader is an omnibench.data.Reader, not {type(reader).__name__}; make one with its "
            "name, card_of and read"
        )
    if not isinstance(reader.name, str) or not NAME.fullmatch(reader.name):
        raise RequestError(
            f"a reader is called {reader.name!r}; use small letters, digits, - and _, as before "
            "the colon of NAME:PATH"
        )
    for part in fields(reader)[1:-1]:
        member = getattr(reader, part.name)
        is_optional = part.name not in ("card_of", "read")
        # a function's file is what identifies it; a partial or a class has no file of its own
        if not isinstance(member, FunctionType) and not (is_optional and member is None):
            raise RequestError(
                f"the reader '{reader.name}' has {type(member).__name__} as {part.name}; give a "
                "function written with def"
            )


def local_card(kind: str, path: Path, **facts: Any) -> DatasetCard:
    """Return the card of `KIND:PATH`: named after its file or folder.

    Args:
        facts: further fields of the card; without `tasks` it stands for a dataset that cannot be
            read, and `sources.missing` says why.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name.removesuffix(f".{kind}"))
    return DatasetCard(id=f"{kind}-{name}", reader=kind, path=str(path), **{"tasks": ()} | facts)
