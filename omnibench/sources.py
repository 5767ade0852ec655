"""Source digests and what is absent, both told before anything is loaded. No torch here."""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnibench import weights
from omnibench.architecture import (
    Architecture,
    architecture_of,
    completed,
    contradiction,
    needs_of_backbone,
)
from omnibench.architecture.table import timm_facts
from omnibench.builders import builder_digest, code_digest
from omnibench.cards import BackboneCard, DatasetCard, WeightsCard
from omnibench.data import sources as data_sources
from omnibench.data.checksums import sha256_of, sha256_of_folder
from omnibench.errors import DataError, RequestError, StoreError, WeightsError
from omnibench.options import Place, places, portable
from omnibench.record import look_at
from omnibench.task import Adaptation, Task
from omnibench.views import External
from omnibench.weights_record import find_weights_record

# Fields of a card that change its numbers though the weights stay the same; of a builder, every
# field that says what it builds, and the id: two cards of one builder share nothing.
DECIDING_FIELDS = (
    "architecture", "pool", "norm_after_pool", "prefix_tokens", "mean", "std", "optional_keys",
    "weights_key",
)  # fmt: skip
BUILDER_FIELDS = (
    "id",
    "arguments",
    "draw",
    "width",
    "depth",
    "patch",
    "checksum",
    *DECIDING_FIELDS,
)

ABSENT = "absent"  # the digest of what is not here and that no record tells


class Sources:
    """Answers for one data and one results folder; each card is looked at once."""

    def __init__(self, data: Path, results: Path) -> None:
        self.data = data
        self.results = results
        self._datasets: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._backbones: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._loads: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._options: dict[tuple[str, str, str], tuple[str, tuple[str, ...]]] = {}
        self._code: dict[tuple[str, str], dict[str, str]] = {}
        self._given: dict[str, BackboneCard] = {}
        self._completed: dict[str, BackboneCard] = {}
        self._architectures: dict[str, Architecture | None] = {}
        self._surveys: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def of(
        self,
        dataset: DatasetCard,
        backbone: BackboneCard,
        task: Task,
        adaptation: Adaptation,
        options: Mapping[str, Any],
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return the source digests of all and what is absent, each with the way out.

        A task or an adaptation from outside counts with its source, as a builder does.

        Raises:
            RequestError: a dataset among the options is unknown.
        """
        data_digest, data_needs = self.of_dataset(dataset)
        weights_digest, weights_needs = self._of_given(backbone)
        digests = {"dataset": data_digest, "backbone": weights_digest}
        digests |= self._of_code(task, adaptation)
        needs = data_needs + weights_needs
        if adaptation.loads is not None:
            if adaptation.loads.id not in self._loads:
                self._loads[adaptation.loads.id] = self.of_backbone(adaptation.loads)
            digests["adaptation"], further = self._loads[adaptation.loads.id]
            needs += further
        for name, kind in places(adaptation.options).items():
            if options[name] is not None:
                place = (name, kind.holds, options[name])
                if place not in self._options:
                    self._options[place] = self._of_option(name, kind, options[name])
                digests[name], further = self._options[place]
                needs += further
        return digests, needs

    def _of_given(self, card: BackboneCard) -> tuple[str, tuple[str, ...]]:
        if card.id not in self._backbones:
            # What decides is the card as it was given: a hub's configuration, which may complete
            # it, is not on every machine.
            self._backbones[card.id] = self.of_backbone(self._given.get(card.id, card))
        return self._backbones[card.id]

    def of_dataset(self, card: DatasetCard) -> tuple[str, tuple[str, ...]]:
        """Return the source digest of a dataset, and what is absent of it."""
        if card.id not in self._datasets:
            digest, needs = self._of_dataset(card)
            if digest == ABSENT:
                digest = self._recorded(f"*/{card.id}/*", "dataset")
            if digest == ABSENT:  # cells may have been tested on it, not trained
                digest = self._recorded("*/*/*", External(card).source)
            self._datasets[card.id] = digest, needs
        return self._datasets[card.id]

    def _of_code(self, task: Task, adaptation: Adaptation) -> dict[str, str]:
        key = (task.name, adaptation.name)
        if key not in self._code:
            self._code[key] = code_sources(task, adaptation)
        return self._code[key]

    def _of_option(self, name: str, kind: Place, value: str) -> tuple[str, tuple[str, ...]]:
        if kind.holds == "dataset":
            digest, needs = self._of_dataset(data_sources.resolve(value))
        else:
            digest, needs = self._of_folder(Path(value))
        if digest == ABSENT:
            digest = self._recorded("*/*/*", name, option=portable(kind, value))
        return digest, needs

    def _recorded(self, folders: str, name: str, option: str | None = None) -> str:
        """Return the source digest that records hold of what is absent here.

        What was computed elsewhere is so found by the digest that it has, its latest where they
        are several; `ABSENT` where no record tells.

        Args:
            folders: glob of units' folders below the records.
            name: "dataset", "backbone", or an option's name.
            option: the value that the option must have.
        """
        latest, digest = "", ABSENT
        for folder in (self.results / "records").glob(f"{folders}/*"):
            first = min((path.name for path in folder.glob("rep-*.json")), default="rep-0-")
            # Of one repetition there may be a record of each content that the data had.
            for path in folder.glob(f"{first.rpartition('-')[0]}-*.json"):
                record = look_at(path)
                if record is None or (option and record["spec"]["options"].get(name) != option):
                    continue
                if record["finished"] >= latest and f"source.{name}" in record["digests"]:
                    latest, digest = record["finished"], record["digests"][f"source.{name}"]
        return digest

    def completed(self, card: BackboneCard) -> BackboneCard:
        """Return the card with every field it leaves out that its architecture tells.

        Raises:
            RequestError: it names an architecture that timm has not.
        """
        self._given[card.id] = card
        self._completed[card.id] = self._joined(card) if card.members else self._complete(card)
        return self._completed[card.id]

    def _joined(self, card: BackboneCard) -> BackboneCard:
        """Return a fused backbone's card with its members completed, and their widths' sum."""
        members = [self._completed.get(own.id) or self.completed(own) for own in card.members]
        widths = [member.width for member in members if member.width is not None]
        width = sum(widths) if len(widths) == len(members) else None
        return card.model_copy(update={"members": tuple(members), "width": width})

    def _complete(self, card: BackboneCard) -> BackboneCard:
        architecture = architecture_of(card, self.data, self.results)
        self._architectures[card.id] = architecture
        if architecture is None:
            return card
        # Told here, since where features are in the store nothing is loaded that would tell it.
        if wrong := contradiction(card, architecture):
            digest, needs = self.of_backbone(card)
            self._backbones[card.id] = digest, (*needs, f"weights {wrong}")
        return completed(card, architecture)

    def expect(self, card: BackboneCard, start: BackboneCard, is_inflated: bool) -> None:
        """Need nothing for a backbone whose weights the suite itself makes, from `start`.

        Args:
            is_inflated: whether it sees volumes where its start sees images.
        """
        digest, _ = self.of_backbone(card)
        self._backbones[card.id] = (digest, ())
        architecture = self._architectures.get(start.id)
        if architecture is not None and is_inflated:
            architecture = replace(architecture, volumes=True)
        self._architectures[card.id] = architecture
        self._completed[card.id] = card

    def lacking(
        self, card: BackboneCard, adaptation: Adaptation, recipe: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """Return what a unit asks of a backbone that its architecture does not give."""
        if not card.members:
            return needs_of_backbone(card, self._architectures.get(card.id), adaptation, recipe)
        if adaptation.frozen_kind != "embed":
            return (
                f"backbone {card.id}: it joins frozen embeddings and gives nothing else; leave "
                f"{adaptation.name} to its members",
            )
        if card.attends_to_members and not adaptation.attends_to_members:
            return (
                f"backbone {card.id}: {adaptation.name} trains {adaptation.trains}, and no "
                "attention over members; fuse them by how: concat for it",
            )
        return tuple(
            need for member in card.members for need in self.lacking(member, adaptation, recipe)
        )

    def _of_folder(self, folder: Path) -> tuple[str, tuple[str, ...]]:
        names = [p.name for p in folder.glob("*") if p.is_file() and not p.name.startswith(".")]
        if not names:
            return ABSENT, (f"weights {folder.name}: put the model's files into {folder}",)
        return f"sha256:{sha256_of_folder(folder, names, self.data)}", ()

    def _of_dataset(self, card: DatasetCard) -> tuple[str, tuple[str, ...]]:
        needs = tuple(data_sources.missing(card, self.data))
        try:
            return data_sources.source_digest(card, self.data), needs
        except DataError as error:
            return ABSENT, needs or (str(error),)

    def survey_of(self, card: DatasetCard) -> tuple[str, Mapping[str, Any]]:
        """Return what whoever reads a local dataset will refuse ("" for nothing), and its facts.

        Returns:
            The facts as of `omnibench.data.survey.Survey`; {} of a dataset that is not local.
        """
        if card.path is None:
            return "", {}
        if card.id not in self._surveys:
            from omnibench.data.survey import survey  # numpy and Pillow, for local datasets alone

            try:
                facts = survey(card, self.data, self._datasets[card.id][0]).facts
                self._surveys[card.id] = "", facts
            except DataError as error:
                self._surveys[card.id] = f"data {card.id}: {error}", {}
        return self._surveys[card.id]

    def of_backbone(self, card: WeightsCard) -> tuple[str, tuple[str, ...]]:
        """Return the source digest of a model's weights, and what is absent."""
        try:
            digest, needs = self._weights_digest(card)
        except (RequestError, StoreError, WeightsError) as error:
            digest, needs = ABSENT, (f"weights {card.id}: {error}",)
        return backbone_digest(card, digest), needs

    def _weights_digest(self, card: WeightsCard) -> tuple[str, tuple[str, ...]]:
        kind, name = card.source_kind, card.source_name
        if isinstance(card, BackboneCard) and card.members:
            members = [self._of_given(member) for member in card.members]
            digests = json.dumps([digest for digest, _ in members])
            return f"{card.source} {digests}", tuple(need for _, needs in members for need in needs)
        if kind == "random":
            return card.source if "@" in name else f"{card.source}@0", ()
        if kind == "module":
            return f"builder:{builder_digest(name)}", _package_needs(card)
        if kind == "record":
            try:
                return str(find_weights_record(self.results, name)["digest"]), ()
            except RequestError as error:
                return name, (f"weights {card.id}: {error}",)
        if kind == "file":
            path = Path(name)
            if not path.exists():
                digest = self._recorded(f"*/*/{card.id}", "backbone").partition(" {")[0]
                return digest, (f"weights {card.id}: put the file at {path}",)
            if path.is_file():
                return f"sha256:{sha256_of(path, self.data)}", ()
            files = [str(file.relative_to(path)) for file in weights.weights_files(path)]
            return f"sha256:{sha256_of_folder(path, files, self.data)}", ()
        digest = card.checksum or f"{card.source}@{card.revision or 'main'}"
        if weights.locate(card, self.data) is None:
            return digest, (f"weights {card.id}: {weights.way_out(card, self.data)}",)
        return digest, ()


def code_sources(task: Task, adaptation: Adaptation | None) -> dict[str, str]:
    """Return the digests of the source of a task and an adaptation that come from outside.

    Raises:
        RequestError: a source cannot be read.
    """
    attach = None if adaptation is None else adaptation.attach
    parts = {"task-code": type(task), "adaptation-code": attach}
    digests = {name: code_digest(part) for name, part in parts.items() if part is not None}
    return {name: digest for name, digest in digests.items() if digest is not None}


def backbone_digest(card: WeightsCard, weights_digest: str) -> str:
    """Return a backbone's source digest: its weights', and what its card adds to them.

    A field is left out where it says what timm's table of architectures says too, so that a full
    card and a statement of id and source are one backbone.
    """
    names = BUILDER_FIELDS if card.source_kind == "module" else DECIDING_FIELDS
    values = card.model_dump(mode="json", include=set(names))
    default = {} if card.source_kind == "module" else _told_by_table(card)
    deciding = {n: values[n] for n in names if values.get(n) and n not in default}
    deciding |= {n: values[n] for n in default if values.get(n) not in (None, default[n])}
    return (
        f"{weights_digest} {json.dumps(deciding, sort_keys=True)}" if deciding else weights_digest
    )


def _told_by_table(card: WeightsCard) -> dict[str, Any]:
    """Return what timm's table says of a source, which is the same on every machine."""
    if card.source_kind not in ("timm", "random", "file"):
        return {}
    name = card.architecture or card.source_name.partition("@")[0]
    try:
        facts = timm_facts(name) if name else None
    except RequestError:
        return {}
    if facts is None:
        return {}
    return {
        "pool": facts.pool,
        "prefix_tokens": facts.prefix_tokens,
        "mean": list(facts.mean or ()),
        "std": list(facts.std or ()),
    }


def drawn(card: BackboneCard, draw: int) -> BackboneCard:
    """Return the card of another draw of a backbone's random weights."""
    if card.source_kind == "module":
        return card.model_copy(update={"draw": draw})
    name = card.source_name.partition("@")[0]
    return card.model_copy(update={"source": f"random:{name}@{draw}"})


def _package_needs(card: WeightsCard) -> tuple[str, ...]:
    packages = (card.package,) if isinstance(card.package, str) else card.package or ()
    absent = [name.replace("_", "-") for name in packages if importlib.util.find_spec(name) is None]
    if not absent:
        return ()
    return (f"weights {card.id}: install the package{'s' * (len(absent) > 1)} {', '.join(absent)}",)
