"""What is known of a backbone or a dataset before anything is loaded. No torch here."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

HUB_FILE = r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|pth|pt|bin|ckpt)$"
IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
Checksum = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$")]
Channels = tuple[float, float, float]
Pool = Literal["cls", "mean", "cls+mean"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Millimetres = Positive

SPLITS = ("train", "val", "test")
SOURCE_KINDS = ("timm", "hf_hub", "transformers", "file", "random", "record", "fuse")


class Card(BaseModel):
    """What all cards share: they are frozen, and unknown fields are refused.

    Attributes:
        id: its name in suites, paths and tables.
        licence: of the weights or the images, by its SPDX identifier where there is one.
        citation: where it was published.
        display: what it is called in tables and sentences; "" for its id.
        bib: the key under which LaTeX cites it; "" for no citation. Neither decides any number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Identifier
    licence: str = "unknown"
    citation: str = ""
    display: Annotated[str, StringConstraints(max_length=60)] = ""
    bib: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9:._+/-]*)?$")] = ""


class WeightsCard(Card):
    """A model's weights and where they come from.

    Attributes:
        family: the models that it belongs to, such as "dinov2".
        source: `timm:NAME`, `hf_hub:OWNER/NAME`, `transformers:OWNER/NAME`, `file:PATH`,
            `random:TIMM_NAME` (`@K` after it: draw K, else 0), `record:DIGEST`,
            `module:attribute` (a builder), `fuse:concat` (the embeddings of its members) or
            `fuse:attention` (these, weighed by an attention that is trained with the head).
        architecture: the timm name, where the source does not tell it (`file:`, `record:`).
        arguments: keywords that the builder of a `module:attribute` source is called with.
        draw: of a builder that loads no weights but draws them by torch's global generator, the
            number of the draw; None for one that loads some. A `random:` source has it behind "@".
        weights_key: the dotted place of the weights in a file that holds several, such as
            "model_ema".
        checksum: of the weights file; a file that differs is refused.
        revision: the hub revision that is loaded.
        hub_file: the weights file of a `hf_hub:` repository that holds a checkpoint alone, without
            a config.json; `architecture` tells the network.
        package: an importable package that ships the weights, or several that ship a part each,
            for a builder that reads them there.
        companions: further files of the hub repository that are needed, such as a tokenizer's.
        trust_remote_code: run code that the hub repository ships (`transformers:` only).
    """

    family: str = ""
    source: str
    architecture: str | None = None
    arguments: dict[str, str | int | float | bool] = Field(default_factory=dict)
    draw: Annotated[int, Field(ge=0, lt=10**9)] | None = None
    weights_key: str | None = None
    checksum: Checksum | None = None
    revision: str | None = None
    hub_file: Annotated[str, StringConstraints(pattern=HUB_FILE)] | None = None
    package: str | tuple[str, ...] | None = None
    companions: tuple[str, ...] = ()
    trust_remote_code: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        kind, colon, rest = self.source.partition(":")
        if not colon or not kind or not rest:
            raise ValueError(
                f"source '{self.source}' is none of {', '.join(f'{k}:...' for k in SOURCE_KINDS)}"
                " or module:attribute"
            )
        if self.arguments and self.source_kind != "module":
            raise ValueError(
                f"arguments are for a module:attribute builder, not for a {kind}: source"
            )
        if self.draw is not None and self.source_kind != "module":
            raise ValueError(
                f"draw is for a module:attribute builder, not for a {kind}: source"
                + (f"; write random:{rest.partition('@')[0]}@{self.draw}" * (kind == "random"))
            )
        if self.weights_key is not None and self.source_kind in ("random", "module"):
            raise ValueError(f"weights_key is for a weights file, and {self.source} names none")
        if self.hub_file is not None and (kind != "hf_hub" or self.architecture is None):
            raise ValueError(
                "hub_file is for an hf_hub: source, whose architecture= says which network it fits"
            )
        name, at, draw = rest.partition("@")
        if kind == "random" and at and not re.fullmatch("0|[1-9][0-9]{0,8}", draw):
            raise ValueError(f"'{draw}' is no number of a draw; write random:{name}@0")
        return self

    @property
    def source_kind(self) -> str:
        """One of SOURCE_KINDS, or "module"."""
        kind = self.source.partition(":")[0]
        return kind if kind in SOURCE_KINDS else "module"

    @property
    def has_random_weights(self) -> bool:
        """Whether its weights are drawn, and loaded from nowhere."""
        return self.source_kind == "random" or self.draw is not None

    @property
    def source_name(self) -> str:
        """What follows the kind: a timm or hub name, a path, a digest, or module:attribute."""
        return self.source if self.source_kind == "module" else self.source.partition(":")[2]


class BackboneCard(WeightsCard):
    """An encoder: where its weights come from and what it expects.

    Attributes:
        size: within its family, such as "small".
        width, depth, patch: embedding width D, number of blocks, patch size in pixels (None for
            a CNN); those left out are told by the architecture.
        prefix_tokens: class and register tokens before the patch tokens.
        pool: how `embed` summarises an image: the class token (`cls`), the mean of the patch
            tokens (`mean`; for a CNN, of the last map), or the two side by side (`cls+mean`).
        norm_after_pool: of a vision transformer: pool what its last block gives, and then
            standardise the dimensions of each embedding, in the place of the final norm.
        mean, std: the normalisation the weights were trained with, for images scaled to 0..1.
        pretraining: ids of the image sources it was pretrained on.
        flops: of one forward of one 224 px image, for a CNN; a ViT's follow from its size.
        optional_keys: globs of weight keys that may be absent from the file or left over in it.
        members: of a `fuse:` source, the backbones whose embeddings it joins, in order.
        verified_by: who confirmed the card, such as the model's author.
    """

    size: str = ""
    width: int | None = Field(default=None, gt=0)
    depth: int | None = Field(default=None, gt=0)
    patch: int | None = Field(default=None, gt=0)
    prefix_tokens: int | None = Field(default=None, ge=0)
    pool: Pool | None = None
    norm_after_pool: bool = False
    mean: Channels | None = None
    std: Channels | None = None
    pretraining: tuple[str, ...] = ()
    flops: float | None = Field(default=None, gt=0)
    optional_keys: tuple[str, ...] = ()
    members: tuple["BackboneCard", ...] = ()
    verified_by: str = ""

    @model_validator(mode="after")
    def _check_normalisation(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together")
        return self

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        if (self.source_kind == "fuse") != bool(self.members):
            raise ValueError("members and a fuse: source go together")
        if not self.members:
            return self
        if self.source_name not in ("concat", "attention"):
            raise ValueError(
                f"source '{self.source}' is not known; write fuse:concat or fuse:attention"
            )
        if nested := [member.id for member in self.members if member.members]:
            raise ValueError(f"the member {nested[0]} is fused itself; name its members instead")
        own_fields = (
            "architecture",
            "weights_key",
            "checksum",
            "pool",
            "prefix_tokens",
            "mean",
            "std",
        )
        if given := [name for name in own_fields if getattr(self, name) is not None]:
            raise ValueError(f"{given[0]} is said on the cards of its members")
        return self

    @property
    def attends_to_members(self) -> bool:
        """Whether an attention over its members is trained with a head."""
        return self.source == "fuse:attention"


class MapFacts(BaseModel):
    """What the numbers of a dataset's maps are.

    Attributes:
        unit: what they are in, such as "mm".
        range: the least and the largest number that a map may hold: PSNR and SSIM are of it.
        structure: a pixel above it is of the structure that a map shows; None where it shows none.
        block: the side in pixels of the blocks whose means are all that an image shows of its map;
            None where it is not made of it.
        cutoff: an image is positive where the mean of its valid pixels lies above it; None for the
            median of the training images' means.
        channels: names of the numbers of a pixel, where it has two or more.
        displacement: where a pixel's two numbers say how far down and to the right its place in an
            unmoved image lies: its own height and width, in the unit. None where they do not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Annotated[str, StringConstraints(min_length=1, max_length=30)]
    range: tuple[Finite, Finite]
    structure: Finite | None = None
    block: Annotated[int, Field(gt=1)] | None = None
    cutoff: Finite | None = None
    channels: tuple[Annotated[str, StringConstraints(min_length=1, max_length=30)], ...] = ()
    displacement: tuple[Positive, Positive] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError("range: write the smaller number first, and a larger one behind it")
        if len(self.channels) == 1 or len(set(self.channels)) < len(self.channels):
            raise ValueError("channels: name two or more, each once, or leave it out")
        if self.channels and not (self.block is None and self.cutoff is None):
            raise ValueError("block and cutoff are of maps of one number a pixel: leave them out")
        if self.displacement is not None and len(self.channels) != 2:
            raise ValueError("displacement: name its two channels, down and to the right")
        return self


class DatasetCard(Card):
    """A dataset: what its images show, its classes, and where its files are.

    Attributes:
        reader: name of a reader, or "module:attribute" of a function (card, data directory) ->
            omnibench.data.Dataset.
        path: of a local dataset (`READER:PATH`), absolute.
        members: of a pool (`omnibench.data.pool`), the datasets whose training images it holds.
        files: name -> checksum of the files it needs below the data directory.
        urls: name -> addresses the file can be fetched from.
        hub: OWNER/NAME of the Hugging Face dataset whose parquet files it needs, in a folder
            named after the card below the data directory.
        request: address where a dataset without a download is given on request; its files go
            into a folder named after the card below the data directory.
        revision: the hub revision that is fetched.
        tasks: the tasks it serves.
        modality: what made its images, such as "CT".
        labels: how a label reads: one of the classes (`binary`, `multi-class`, `ordinal`) or a
            yes or no for each class (`multi-label`).
        classes: the names of the classes, in the order of their label values.
        noisy_labels: whether training and validation images have labels that were made more
            cheaply, beside the clean ones.
        mask_classes: the names of the mask values 0, 1, ..., background first; empty where only
            the file tells.
        channels: 1 (grey) or 3 (RGB); None where only the file tells.
        resolution: side of the images in pixels, where they all have one.
        pixel_spacing: mm from row to row and from column to column, where it is that of all images.
        maps: what its maps of numbers are, where it has some.
        splits: official number of cases of train, val and test: of images, or of studies where a
            case has several images.
        images_per_study: about how many images a study has; None where a case is one image.
        views: the names of what images of a study show, such as "axial", where there are several;
            a study may lack some.
        primary: task -> the metric that comparisons use.
        version: of a generated dataset (no files, no path): raised when its images change.
        package: an importable package that ships what a generated dataset is made of.
        origins: the collections that its images were taken from; () where it is its own.
        note: said of this dataset in every report.
    """

    reader: str
    path: str | None = None
    members: tuple["DatasetCard", ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    urls: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    hub: str | None = None
    request: str | None = None
    revision: str | None = None
    tasks: tuple[str, ...]
    modality: str = "unknown"
    labels: Literal["binary", "multi-class", "ordinal", "multi-label"] | None = None
    classes: tuple[str, ...] = ()
    noisy_labels: bool = False
    mask_classes: tuple[str, ...] = ()
    channels: Literal[1, 3] | None = None
    resolution: int | None = None
    pixel_spacing: tuple[Millimetres, Millimetres] | None = None
    maps: MapFacts | None = None
    splits: dict[str, int] = Field(default_factory=dict)
    images_per_study: Annotated[float, Field(gt=0)] | None = None
    views: tuple[Identifier, ...] = ()
    primary: dict[str, str] = Field(default_factory=dict)
    version: int = Field(default=1, ge=1)
    package: str | None = None
    origins: tuple[str, ...] = ()
    note: str = ""
